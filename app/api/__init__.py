"""The HTTP API: routes that validate a request, call a use case and build the response."""

"""The HTTP API: requests in, use cases, answers out. With `app.pages`, all that knows Litestar."""

"""The servers for `just up` and the tests, run from wheels. Only those two import this package."""

"""Servers for `just up` and the tests, run from wheels. Only those two may import this package."""

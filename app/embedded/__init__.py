"""The servers of `just up` and the tests, run from wheels. Only these may import this package."""

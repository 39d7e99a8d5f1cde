"""Servers from wheels, for `just up` and the tests. Nothing else may import this package."""

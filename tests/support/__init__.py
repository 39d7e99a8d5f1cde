"""Code shared by the tests: servers for a test run, helpers for the real worker, sample data."""

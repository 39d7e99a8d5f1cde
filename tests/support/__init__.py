"""What the tests share: the servers of a run, helpers for the real worker, sample data."""

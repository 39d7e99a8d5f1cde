"""What the tests share: the servers of a run, a database of their own, the real worker."""

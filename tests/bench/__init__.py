"""`python -m tests.bench`: programs that measure beside others and print a table. No tests."""

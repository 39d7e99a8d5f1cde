"""`python -m tests.bench`: benchmarks of ActiveLog and its rivals. They are not tests."""

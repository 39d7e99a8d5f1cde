"""`python -m tests.chaos`: enqueue jobs while workers and servers are killed. It is not a test."""

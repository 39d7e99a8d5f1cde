"""`python -m tests.chaos`: enqueue jobs while everything they need is killed. Not a test."""

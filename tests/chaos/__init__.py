"""`python -m tests.chaos`: jobs enqueued while everything they need is killed. No tests."""

"""The nightly cleanup, which removes data after its retention period."""

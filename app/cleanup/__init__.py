"""The nightly cleanup of data that is past its retention."""

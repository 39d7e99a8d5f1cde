"""Exports: what a person takes along, as CSV or PDF."""

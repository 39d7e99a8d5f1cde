"""Exports: a user's activities as a file to download."""

"""Reports: a user's month as a PDF."""

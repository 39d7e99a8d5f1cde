"""The commands of `python -m app`, one file per subject.

Operators can use them instead of the API.
"""

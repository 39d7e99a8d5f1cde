"""The commands of `python -m app`, one file per noun.

Operators can use them instead of the API.
"""

"""The commands of `python -m app`, one file per noun. Operators use them as well as the API."""

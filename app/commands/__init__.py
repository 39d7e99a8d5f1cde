"""The commands of `python -m app`, a file a noun: the operator's front door beside the API."""

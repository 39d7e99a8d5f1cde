"""What operators do with jobs, through the API, the pages and the command line.

`by` is the actor: an operator's id, or `cli`. Every action is logged with it.
"""

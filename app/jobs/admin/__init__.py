"""What operators can do with jobs, through the API, the pages and the command line.

Every action is logged with its actor, `by`: an operator's id, or `cli`.
"""

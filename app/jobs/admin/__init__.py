"""What an operator does with jobs, from the API as from the command line.

`by` is who acts: the id of an admin, or `cli`. Every act is logged under it.
"""

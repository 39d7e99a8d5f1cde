"""Activities on paper: what the PDFs of exports and of reports have in common.

The drawing process loads it: nothing here may need Postgres, Redis or the letters.
"""

"""Code shared by the API and the pages, neither of which imports the other."""

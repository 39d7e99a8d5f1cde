"""What the API and the pages share. Neither imports the other."""

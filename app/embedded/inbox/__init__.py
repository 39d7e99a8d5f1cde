"""An SMTP server that keeps every letter as a file, and the pages on which to read them."""

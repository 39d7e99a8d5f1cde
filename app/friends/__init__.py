"""Who is whose friend, and who asks to be."""

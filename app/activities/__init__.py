"""Activities and their photos. Only their owner can open and change them."""

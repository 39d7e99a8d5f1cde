"""Activities and their photos. Only their owner can see and change them."""

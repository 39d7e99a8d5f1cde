"""What people have recorded, and their photos of it: seen and changed by each alone."""

"""Statistics per UTC day: computed at night, and always read with the latest changes."""

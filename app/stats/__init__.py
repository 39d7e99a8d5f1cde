"""Statistics per UTC day: computed at night, but up to date whenever they are read."""

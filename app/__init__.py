"""ActiveLog: an activity tracker built around its background work."""

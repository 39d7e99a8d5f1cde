"""The measurements, one module for each. Targets are set elsewhere."""

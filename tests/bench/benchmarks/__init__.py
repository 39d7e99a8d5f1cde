"""How each figure is measured, one module per figure. Targets are set elsewhere."""

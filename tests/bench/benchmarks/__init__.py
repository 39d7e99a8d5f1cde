"""How a side is measured: one file a figure, none of which knows a bar."""

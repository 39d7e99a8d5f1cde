"""The sides that are measured: ActiveLog and its rivals, behind one protocol."""

"""The contenders: ActiveLog and its rivals, behind one protocol."""

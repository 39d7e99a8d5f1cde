"""Keeping the house: what nobody needs any more goes."""

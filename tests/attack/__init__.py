"""Attacks on a running API, and what it does about them: `just attack`."""

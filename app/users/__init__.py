"""Accounts: registration, sessions, passwords, and the one-time links in account emails."""

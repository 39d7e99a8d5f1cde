"""Postgres through plain asyncpg: the pool, typed statements and migrations."""

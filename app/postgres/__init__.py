"""Postgres through raw asyncpg: the pool, the typed statements, the migrations."""

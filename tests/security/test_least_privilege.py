"""The application's database role reads and writes rows, and can do nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.postgres.database import Database
from app.postgres.migrations import migrate
from app.postgres.roles import ApplicationRole
from app.settings.environment import SettingsError
from tests.jobs.test_command_line import cli
from tests.sql.conftest import empty_database

__all__ = ["empty_database"]

REFUSED = (
    "create table stolen (id int)",
    "create temporary table stolen (id int)",
    "create schema stolen",
    "create function stolen() returns int language sql return 1",
    "alter table users add column stolen int",
    "drop table users",
    "truncate jobs",
    "create index on users (name)",
    "alter table jobs disable trigger all",
    "update installation set id = gen_random_uuid()",
    "delete from schema_migrations",
    "select grant_to_application('public')",
    "select create_application_role('stolen', 'stolen')",
    "copy (select 1) to program 'true'",
    "copy jobs (kind) from program 'true'",
    "copy (select 1) to '/tmp/stolen'",
    "copy jobs (kind) from '/etc/passwd'",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select lo_import('/etc/passwd')",
    "create role stolen",
    "create database stolen",
    "set role activelog",
    "alter system set log_connections = on",
    "create extension adminpack",
)


@pytest.mark.parametrize("sql", REFUSED)
async def test_application_role_cannot_change_the_schema_read_files_or_start_programs(
    database: Database, sql: str
) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError)):
        await database.execute(sql)


async def test_tests_run_as_a_role_that_owns_nothing_and_is_no_superuser(
    database: Database, owner: Database
) -> None:
    role = await database.fetchrow(
        "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles"
        " where rolname = current_user"
    )
    assert role is not None
    assert not any(role)
    owned = "select count(*) from pg_class where relowner = to_regrole($1)::oid"
    assert 0 == await owner.fetchval(owned, await database.fetchval("select current_user"))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def role_name(empty_database: str, worker_index: int) -> AsyncIterator[str]:
    """Return the name of a role that does not exist, and drop it after the test."""
    name = f"least_{worker_index}"
    yield name
    async with connected(empty_database) as admin:
        if await admin.fetchval("select to_regrole($1) is not null", name):
            await admin.execute(f"drop owned by {name}; drop role {name}")


def url_of(empty_database: str, name: str, password: str) -> str:
    parts = urlsplit(empty_database)
    return parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


async def test_migrate_creates_the_missing_role_with_its_password_and_grants_rows_of_all_tables(
    empty_database: str, role_name: str
) -> None:
    role = ApplicationRole(role_name, "pässwörd")
    for _ in range(2):
        await migrate(empty_database, role=role)
    async with connected(empty_database) as admin:
        await admin.execute("create table later (id int generated always as identity, n int)")
    async with connected(url_of(empty_database, role_name, "p%C3%A4ssw%C3%B6rd")) as application:
        await application.execute("insert into later (n) values (1); update later set n = 2")
        assert 2 == await application.fetchval("delete from later returning n")
        await application.execute("insert into suppressions select where false")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute("drop table later")


@pytest.mark.parametrize(
    "options",
    [
        "superuser",
        "createrole",
        "in role activelog",
        "in role pg_execute_server_program",
        "in role pg_read_server_files",
    ],
)
async def test_role_that_may_do_too_much_is_refused_before_anything_is_migrated(
    empty_database: str, role_name: str, options: str
) -> None:
    async with connected(empty_database) as admin:
        await admin.execute(f"create role {role_name} {options}")
        with pytest.raises(SettingsError, match=f"^DATABASE_URL names the role {role_name}, which"):
            await migrate(empty_database, role=ApplicationRole(role_name, "word"))
        assert await admin.fetchval("select to_regclass('users') is null")


async def test_owner_of_tables_is_refused_as_the_role_of_the_application(
    empty_database: str, role_name: str
) -> None:
    async with connected(empty_database) as admin:
        await admin.execute(
            f"create role {role_name}; grant create on schema public to {role_name}"
        )
        await admin.execute(f"set role {role_name}; create table owned (id int); reset role")
    with pytest.raises(SettingsError, match="has too many rights"):
        await migrate(empty_database, role=ApplicationRole(role_name, "word"))


async def test_migrate_command_uses_the_owners_url_and_one_role_for_both_still_works(
    environ: dict[str, str], empty_database: str, role_name: str
) -> None:
    one_role = {**environ, "DATABASE_URL": empty_database}
    assert 0 == (await cli(one_role, "migrate")).code
    both = {**one_role, "MIGRATIONS_DATABASE_URL": empty_database}
    assert 0 == (await cli(both, "migrate")).code
    url = url_of(empty_database, role_name, "word")
    two_roles = {**both, "DATABASE_URL": url}
    assert (0, "") == ((done := await cli(two_roles, "migrate")).code, done.err)
    async with connected(url) as application:
        assert 0 == await application.fetchval("select count(*) from users")
    wrong = {**two_roles, "MIGRATIONS_DATABASE_URL": url_of(empty_database, role_name, "wrong")}
    refused = await cli(wrong, "migrate")
    assert 2 == refused.code
    assert refused.err.startswith("activelog: MIGRATIONS_DATABASE_URL cannot be used: ")

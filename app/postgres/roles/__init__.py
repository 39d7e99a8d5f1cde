"""The application's database role, which reads and writes rows and owns nothing.

The role that owns the tables is used by `migrate` alone. SQL that an attacker smuggles into the
application can then neither change the schema, nor read the server's files, nor start programs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from base64 import b64encode
from dataclasses import dataclass

from app.postgres.pool import Connection
from app.postgres.roles import statements
from app.settings.environment import SettingsError

SCRAM_ITERATIONS = 4096
"""Postgres's default. Go's driver, and so dbmate, refuses fewer."""


@dataclass(frozen=True, slots=True)
class ApplicationRole:
    """The role in DATABASE_URL."""

    name: str
    password: str

    async def require_usable(self, owner: Connection) -> None:
        """Check, before anything is changed, that this can be the application's role.

        Raises:
            SettingsError: it may do more than the application should, or it does not exist and
                cannot be created.
        """
        if not self.name:
            raise _wrong("names no role, which MIGRATIONS_DATABASE_URL requires")
        role = await statements.check_role(owner, name=self.name)
        if role.excessive and not role.owner:
            raise _wrong(
                f"names the role {self.name}, which has too many rights: use one that owns"
                " no tables, is not a superuser and is a member of no other role"
            )
        if not role.present and not (role.may_create and self.password):
            raise _wrong(
                f"names the role {self.name}, which does not exist: run"
                f' `create role "{self.name}" login password ...` as a superuser'
            )

    async def grant(self, owner: Connection) -> None:
        """Create the role if it is missing, and let it read and write rows.

        An existing role keeps its password. The role that owns the tables needs no grants.
        """
        role = await statements.check_role(owner, name=self.name)
        if role.owner:
            return
        if not role.present:
            await statements.create_role(
                owner, name=self.name, verifier=scram_verifier(self.password)
            )
        await statements.grant_rows(owner, name=self.name)


def scram_verifier(password: str) -> str:
    """Return what Postgres stores for a password, so that the password itself is never sent.

    See RFC 5803, and RFC 7677 for SHA-256.
    """
    salt = secrets.token_bytes(16)
    normal = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", normal, salt, SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored, server = (b64encode(b).decode() for b in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{salt_text}${stored}:{server}"


def _wrong(problem: str) -> SettingsError:
    return SettingsError({"DATABASE_URL": problem})

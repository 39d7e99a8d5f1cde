"""The unprivileged account that Postgres runs under when we are root, which it refuses to be.

No folder that existed before is ever opened to it: what it cannot reach, it gets a place of its own
for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

if sys.platform != "win32":
    import pwd


UNPRIVILEGED = "nobody"


class Nameless(Exception):
    """The user that Postgres would run as has no name, and initdb insists on one."""


class AccountArguments(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    user: int
    group: int

    def own(self, path: Path) -> None:
        os.chown(path, self.user, self.group)

    def can_enter(self, folder: Path) -> bool:
        return self._succeeds("cd", str(folder))

    def can_run(self, program: Path) -> bool:
        """Tried, so that access lists and mounts without execution count too."""
        return self._succeeds(str(program), "--version")

    def _succeeds(self, *command: str) -> bool:
        script = ["/bin/sh", "-c", '"$@"', "sh", *command]
        return (
            subprocess.run(
                script, capture_output=True, check=False, cwd="/", **as_account(self)
            ).returncode
            == 0
        )


def as_account(account: Account | None) -> AccountArguments:
    """The keyword arguments by which a child process runs under it; none: as we do."""
    if account is None:
        return {}
    return {"user": account.user, "group": account.group, "extra_groups": []}


def account_for_postgres() -> Account | None:
    """`nobody` when we are root; otherwise None: Postgres runs as we do."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid)


def refuse_nameless_user(user: int) -> None:
    """Check, before anything is started, that initdb will find a name for Postgres's account.

    Args:
        user: our id; in a container that was started with `--user 12345` it may have no name.

    Raises:
        Nameless: there is none. The message is one line.
    """
    try:
        _ = pwd.getpwuid(user) if user else pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        who = f"the user with id {user}" if user else UNPRIVILEGED
        raise Nameless(
            f"{who} has no entry in /etc/passwd, and Postgres needs one: add it, run as another"
            " user, or set DATABASE_URL"
        ) from None

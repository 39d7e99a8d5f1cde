"""A process reads its variables from the environment and from `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings.environment import environment_with_dotenv


@pytest.mark.parametrize(
    ("environment", "slots"),
    [
        (None, "3"),
        ("development", "3"),
        ("production", None),
        ("Production", None),
        (" PRODUCTION ", None),
        ("test", None),
        ("Test", None),
    ],
)
def test_dotenv_never_overrides_the_environment_and_is_ignored_in_production_and_tests(
    tmp_path: Path, environment: str | None, slots: str | None
) -> None:
    (tmp_path / ".env").write_text("WORKER_SLOTS=3\nPORT=1\n")
    environ = {"PORT": "2"} | ({} if environment is None else {"ENVIRONMENT": environment})
    merged = environment_with_dotenv(environ, tmp_path)
    assert (slots, "2") == (merged.get("WORKER_SLOTS"), merged["PORT"])

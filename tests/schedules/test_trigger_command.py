"""`python -m app trigger`, run as a process."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from app.embedded.inbox import Inbox
from app.jobs.job import KINDS
from app.jobs.schedules import SCHEDULES
from app.postgres.database import Database
from app.resources import Resources
from tests.support.many_users import add_run
from tests.support.moments import at
from tests.support.owner import execute_as_owner
from tests.support.people import person
from tests.support.processes import program
from tests.support.working import running_worker, until

Environ = Mapping[str, str]
KIM = ("--user", str(UUID(int=7)))


@asynccontextmanager
async def live_worker(resources: Resources) -> AsyncIterator[None]:
    """Run a worker, and wait until it has sent a heartbeat, so that commands see it as alive."""
    async with running_worker(resources) as engine:
        await until(lambda: engine.claim_loop.last_pop_at > 0)
        yield


async def trigger(environ: Environ, *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and its output without the log lines."""
    async with program("-m", "app", "trigger", *arguments, environ=environ) as process:
        code = await process.ended()
    output = [line for line in process.output.splitlines() if not line.startswith("{")]
    return code, "\n".join(output)


async def test_trigger_waits_for_the_run_and_prints_its_counts(
    database: Database, resources: Resources, environ: Environ
) -> None:
    async with live_worker(resources):
        code, output = await trigger(environ, "stats:daily", "--date", "2026-02-28")
    assert 0 == code
    counts = "users 0, recounted 0, activities 0"
    assert re.fullmatch(rf"stats:daily done for 2026-02-28 in \d+\.\d s: {counts}", output)
    by = await database.fetchval("select fired_by from schedule_runs")
    assert "cli" == by


async def test_dry_run_of_the_cleanup_prints_its_counts(
    resources: Resources, environ: Environ
) -> None:
    async with live_worker(resources):
        code, output = await trigger(environ, "cleanup:daily", "--dry-run")
    assert 0 == code
    assert "workers 0, erasures 0, sessions 0" in output


async def test_no_wait_option_prints_only_the_job_id(
    database: Database, resources: Resources, environ: Environ
) -> None:
    async with live_worker(resources):
        code, output = await trigger(environ, "emails:weekly", "--no-wait")
    assert 0 == code
    assert UUID(output) == await database.fetchval("select job_id from schedule_runs")


async def test_trigger_without_a_running_worker_enqueues_the_job_and_exits_with_1(
    database: Database, environ: Environ
) -> None:
    code, output = await trigger(environ, "stats:daily")
    job_id = await database.fetchval("select id from jobs")
    assert (
        1,
        f"{job_id}\nactivelog: enqueued, but no worker is running; start one to run the job",
    ) == (
        code,
        output,
    )


async def test_job_can_be_triggered_for_a_user_with_options_but_not_again_while_it_is_unfinished(
    database: Database, resources: Resources, environ: Environ
) -> None:
    kim = await person(database, "kim")
    report = ("report:generate", "--user", "kim@example.com", "--month", "2026-10")
    code, output = await trigger(environ, *report, "--no-wait")
    assert 0 == code
    row = await database.fetchrow("select kind, user_id, payload->>'month' as month from jobs")
    assert row is not None
    assert ("report:generate", kim.id, "2026-10-01") == tuple(row)
    code, output = await trigger(environ, *report)
    assert (1, "activelog: This job is already waiting or running: report:generate.") == (
        code,
        output,
    )


@pytest.mark.parametrize("arguments", [(), ("--help",)])
async def test_trigger_without_a_job_name_lists_every_job_with_its_options(
    environ: Environ, arguments: tuple[str, ...]
) -> None:
    code, output = await trigger(environ, *arguments)
    assert (0 if arguments else 2) == code
    for_a_user = {kind for kind, job in KINDS.items() if "user_id" in job.__struct_fields__}
    ours = {kind for kind in for_a_user if not kind.startswith("test:")}
    assert {*SCHEDULES, *ours} <= set(output.split())
    text = " ".join(line.strip("│ ") for line in output.splitlines())
    assert "export:generate Export a user's activities as a file (--user, --format," in re.sub(
        r"\s+", " ", text
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stats:dayly",), 'Did you mean "stats:daily"?'),
        (("stats:daily", "--date", "yesterday"), "'yesterday' is not a day such as 2026-11-23"),
        (("stats:daily", "--date", "20261123"), "'20261123' is not a day"),
        (("stats:daily", "--date", "2999-01-01"), "not over"),
        (("stats:daily", "--dry-run"), "--dry-run"),
        (("stats:daily", "--month", "2026-10"), "--month"),
        (("report:generate", "--user", "nobody@example.com", "--month", "2026-10"), "No user"),
        (
            ("report:generate", "--month", "2026-10"),
            "--user is missing: see `python -m app trigger report:generate --help`",
        ),
        (("report:generate", *KIM, "--month", "2026-10-17"), "'2026-10-17' is not a month such as"),
        (("report:generate", *KIM, "--month", "2026-13"), "'2026-13' is not a month"),
        (("report:generate", *KIM, "--week", "1"), "--month is missing: see"),
        (("report:generate", *KIM, "--month", "2026-10", "--date", "2026-10-01"), "--date"),
        (("report:generate", *KIM, "--month", "2026-10"), "No user has this ID or address."),
        (("export:generate", *KIM, "--format", "csv"), "No user has this ID or address."),
        (("email:welcome", *KIM, "2026-10"), "unexpected arguments: 2026-10"),
        (
            ("email:weekly_summary", *KIM, "--week-ending", "2026-11-20"),
            "2026-11-20 is a Friday; its week ends on Saturday, 2026-11-21",
        ),
        (("export:generate", *KIM, "--format", "doc"), 'Choose from: "csv", "pdf"'),
        (
            ("export:generate", *KIM, "--format", "csv", "--from", "2026-2-1"),
            "'2026-2-1' is not a day",
        ),
    ],
)
async def test_trigger_with_bad_arguments_prints_one_line_exits_with_2_and_enqueues_nothing(
    database: Database, environ: Environ, arguments: tuple[str, ...], message: str
) -> None:
    code, line = await trigger(environ, *arguments)
    assert (2, 1) == (code, len(line.splitlines()))
    assert line.startswith("activelog: ")
    assert message in line
    assert 0 == await database.fetchval("select count(*) from jobs")


async def test_triggering_an_email_that_was_already_sent_prints_when_it_was_sent(
    database: Database, resources: Resources, environ: Environ, inbox: Inbox
) -> None:
    kim = await person(database, "kim")
    async with live_worker(resources):
        first = await trigger(environ, "email:welcome", "--user", "kim@example.com")
        again = await trigger(environ, "email:welcome", "--user", str(kim.id))
    assert 0 == first[0]
    assert re.fullmatch(r"email:welcome done in \d+\.\d s", first[1])
    sent_at = await database.fetchval("select sent_at from emails")
    on = f"{sent_at.day} {sent_at:%B %Y}"
    assert 0 == again[0]
    assert re.fullmatch(
        rf"email:welcome done in \d+\.\d s \(nothing to do: already sent on {on}\)", again[1]
    )
    assert 1 == len(inbox.emails("kim@example.com"))


async def test_trigger_of_a_job_with_nothing_to_do_prints_why(
    database: Database, resources: Resources, environ: Environ
) -> None:
    kim = await person(database, "kim")
    async with live_worker(resources):
        code, output = await trigger(environ, "user:erase", "--user", str(kim.id))
    assert 0 == code
    assert output.endswith(
        "(nothing to do: the account still exists, and only its owner can delete it)"
    )
    assert await database.fetchval("select true from users where id = $1", kim.id)


@pytest.mark.parametrize(
    ("name", "would"),
    [
        ("emails:weekly", "would email 1 of 2 people; would skip unconfirmed 1"),
        (
            "reports:monthly",
            "would make 2 reports and would email 1 of 2 people; would skip unconfirmed 1",
        ),
    ],
)
async def test_dry_run_of_a_fan_out_prints_how_many_people_it_would_email(
    database: Database, resources: Resources, environ: Environ, name: str, would: str
) -> None:
    for user_name in ("ada", "kim"):
        user = await person(database, user_name, confirmed=user_name == "ada")
        await add_run(database, user.id, at("2026-10-31 10:00"))
    async with live_worker(resources):
        code, output = await trigger(environ, name, "--date", "2026-10-31", "--dry-run")
    assert 0 == code
    assert re.fullmatch(
        rf"{name} done for 2026-10-31 in \d+\.\d s, dry run: {re.escape(would)}", output
    )
    assert 1 == await database.fetchval("select count(*) from jobs")


@pytest.mark.parametrize("what", ["queue", "kind"])
async def test_job_in_a_paused_queue_or_of_a_paused_kind_is_enqueued_and_the_pause_is_printed(
    database: Database, resources: Resources, environ: Environ, what: str
) -> None:
    await person(database, "kim")
    name = "critical" if what == "queue" else "email:welcome"
    await database.execute("insert into pauses (what, name) values ($1, $2)", what, name)
    async with live_worker(resources):
        code, output = await trigger(environ, "email:welcome", "--user", "kim@example.com")
        again = await trigger(environ, "email:welcome", "--user", "kim@example.com")
    job_id = await database.fetchval("select id from jobs")
    paused = f"enqueued, but {what} {name} is paused; resume it to start the job"
    assert (1, f"email:welcome {job_id}: {paused}") == (code, output)
    waiting = f"already waiting or running, and {what} {name} is paused: email:welcome."
    assert (1, f"activelog: This job is {waiting}") == again


async def test_triggered_export_is_made_as_if_the_user_had_requested_it(
    database: Database, resources: Resources, environ: Environ
) -> None:
    kim = await person(database, "kim")
    arguments = ("export:generate", "--user", "kim@example.com", "--format", "csv", "--type", "run")
    async with live_worker(resources):
        code, output = await trigger(environ, *arguments)
    assert 0 == code, output
    assert output.startswith("export:generate done in ")
    row = await database.fetchrow(
        "select user_id, format, type, completed_at is not null as completed from exports"
    )
    assert row is not None
    assert (kim.id, "csv", "run", True) == tuple(row)


async def test_trigger_exits_with_1_if_the_job_becomes_a_dead_letter(
    database: Database, resources: Resources, environ: Environ
) -> None:
    await execute_as_owner(database, "alter table daily_stats rename to missing")
    try:
        async with live_worker(resources):
            code, output = await trigger(environ, "stats:daily")
    finally:
        await execute_as_owner(database, "alter table missing rename to daily_stats")
    assert 1 == code
    assert "stats:daily dead" in output


async def test_number_of_objects_that_the_cleanup_may_remove_is_an_option(
    database: Database, environ: Environ
) -> None:
    arguments = ("cleanup:daily", "--max-orphans")
    code, output = await trigger(environ, *arguments, "0", "--no-wait")
    assert (2, True) == (code, "--max-orphans" in output)
    code, _ = await trigger(environ, *arguments, "1234", "--no-wait")
    assert 0 == code
    assert 1234 == await database.fetchval("select (payload->>'max_orphans')::int from jobs")

"""Making exports, through everything that can happen in the middle."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from app.exports import requests
from app.exports.export import Export, Filters, Format
from app.jobs.admin.dead_letters import retry_job
from app.jobs.admin.jobs import cancel_job
from app.jobs.reclaim import reclaim, release
from app.pdf import open_renderer
from app.postgres.database import Database
from app.resources import Resources
from app.s3 import open_bucket
from app.settings import Settings
from tests.support.exports import add_activities, add_megabytes
from tests.support.http import anybody
from tests.support.outages import frozen, lapse
from tests.support.people import Person, person
from tests.support.processes import WORKER, program
from tests.support.raw_s3 import UNHURRIED
from tests.support.s3_proxy import Call, S3Proxy, passes, s3_proxy
from tests.support.working import eventually, run_jobs, until, working


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[S3Proxy]:
    assert settings.bucket.endpoint_url is not None
    async with s3_proxy(settings.bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def barred(resources: Resources, proxy: S3Proxy) -> AsyncIterator[Resources]:
    """The resources of a worker whose way to S3 is the proxy."""
    section = replace(resources.settings.bucket, endpoint_url=proxy.url)
    async with open_bucket(section, timeouts=UNHURRIED) as bucket:
        yield replace(resources, bucket=bucket)


@pytest.fixture
async def kim(database: Database) -> Person:
    """Somebody with 20 MB of activities: three parts."""
    kim = await person(database, "kim")
    await add_megabytes(database, kim.id, 20)
    return kim


class Exports:
    """What there is of a person's exports."""

    def __init__(self, resources: Resources, who: Person) -> None:
        self.database, self.bucket, self.who = resources.database, resources.bucket, who

    async def ask(self, format: Format = "csv") -> Export:
        async with self.database.transaction() as tx:
            return await requests.request(tx, self.who.id, format, Filters())

    async def now(self, export: Export) -> Export:
        return await requests.status(self.database, self.who.id, export.id)

    async def status(self, export: Export) -> str:
        return (await self.now(export)).status

    async def left(self) -> tuple[int, int]:
        """How many objects there are, and how many uploads that are not complete."""
        prefix = f"exports/{self.who.id}/"
        return len(await self.bucket.keys(prefix)), len(
            await self.bucket.incomplete_uploads(prefix)
        )

    async def jobs(self) -> dict[str, str]:
        """The states of all jobs, by their kinds."""
        rows = await self.database.fetch("select kind, state from jobs")
        return {row["kind"]: row["state"] for row in rows}


@pytest.fixture
def exports(resources: Resources, kim: Person) -> Exports:
    return Exports(resources, kim)


def hold(proxy: S3Proxy, part: int) -> asyncio.Event:
    """Keep this part waiting; set once it does."""
    reached = asyncio.Event()

    async def rule(call: Call) -> int | None:
        if call.part != part:
            return None
        reached.set()
        return await proxy.hold()

    proxy.before = rule
    return reached


def hold_after_first(proxy: S3Proxy) -> None:
    """Keep all parts waiting but the first."""

    async def rule(call: Call) -> int | None:
        return await proxy.hold() if call.part > 1 else None

    proxy.before = rule


async def wake(database: Database) -> None:
    """What is snoozed is due now."""
    await database.execute(
        "update jobs set state = 'queued', run_at = now(), blocked_on = null, dispatched_at = null"
        " where state = 'snoozed'"
    )


async def test_an_export_of_many_parts_is_recorded_as_it_is(
    resources: Resources, exports: Exports
) -> None:
    export = await exports.ask()

    await run_jobs(resources)

    made = await exports.now(export)
    key = f"exports/{exports.who.id}/{export.id}.csv"
    async with anybody() as client:
        answer = await client.get(await resources.bucket.presigned_url(key, "activities.csv"))
    content = answer.content
    assert made.status == "completed"
    assert made.row_count == 4000
    assert made.size_bytes == len(content) > 20_000_000
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    kept = await resources.database.fetchval("select etag from exports")
    assert kept == answer.headers["ETag"]
    assert await exports.left() == (1, 0)


async def test_it_tells_how_far_it_is(barred: Resources, proxy: S3Proxy, exports: Exports) -> None:
    await add_megabytes(barred.database, exports.who.id, 40)
    hold_after_first(proxy)
    async with working(barred, grace=0):
        export = await exports.ask()

        async def told() -> bool:
            progress = (await exports.now(export)).progress
            return progress is not None and progress.total == 12000 and 0 < progress.done < 12000

        await eventually(told, True)


async def test_it_never_tells_less_than_before_once_all_is_read(
    barred: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    # Four parts and half a megabyte: sockets hold that, so Postgres ends before the fourth is sent.
    await add_megabytes(barred.database, exports.who.id, 14)
    hold_after_first(proxy)
    async with working(barred, grace=0):
        export = await exports.ask()

        async def told() -> tuple[int, int | None] | None:
            return (await exports.now(export)).progress

        await eventually(told, (6800, 6800))
        for _ in range(2):
            await next_report(barred.database)
            assert await told() == (6800, 6800)


async def next_report(database: Database) -> None:
    """Wait until the job has reported its progress once more."""
    version = "select xmin::text from jobs where kind = 'export:generate'"
    before = await database.fetchval(version)

    async def has_reported() -> bool:
        return bool(await database.fetchval(version) != before)

    await eventually(has_reported, True)


async def test_whoever_asked_is_told_by_letter_when_it_is_there(
    resources: Resources, exports: Exports
) -> None:
    await exports.ask()

    await run_jobs(resources)

    rows = await resources.database.fetch("select user_id from jobs where kind = $1", READY)
    assert [row["user_id"] for row in rows] == [exports.who.id]


READY, FAILED = "email:export_ready", "email:export_failed"


@pytest.mark.parametrize("status", [503, 0])
async def test_an_outage_of_s3_in_the_middle_is_waited_out(
    barred: Resources, proxy: S3Proxy, exports: Exports, status: int
) -> None:
    async def fail(call: Call) -> int | None:
        return status if call.part == 2 or (call.method == "DELETE" and not status) else None

    proxy.before = fail
    export = await exports.ask()
    await run_jobs(barred, may_fail=True)
    assert await exports.status(export) == "pending"
    assert (await exports.left())[0] == 0

    proxy.before = passes
    await wake(barred.database)
    await run_jobs(barred)

    assert await exports.status(export) == "completed"
    assert await exports.left() == (1, 0)


async def test_a_completion_whose_answer_is_lost_is_made_good(
    barred: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    async def lose(call: Call) -> int | None:
        return 0 if call.completes else None

    proxy.after = lose
    export = await exports.ask()
    await run_jobs(barred, may_fail=True)
    assert await exports.status(export) == "pending"
    proxy.after = passes
    await wake(barred.database)
    await run_jobs(barred)

    assert await exports.status(export) == "completed"
    assert await exports.left() == (1, 0)


async def test_a_cancel_ends_it_and_takes_back_what_was_sent(
    barred: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    reached = hold(proxy, 2)
    async with working(barred):
        export = await exports.ask()
        await until(reached.is_set)
        async with barred.database.transaction() as tx:
            await cancel_job(tx, export.job_id, by="test")
        await eventually(lambda: exports.status(export), "failed")

    why = "select error from jobs where kind = 'export:generate'"
    assert await barred.database.fetchval(why) == "cancelled on request"
    assert (await exports.now(export)).error == "It was cancelled. Request it again."
    assert await exports.left() == (0, 0)


async def test_a_cancel_ends_the_drawing_of_a_pdf(resources: Resources) -> None:
    exports = Exports(resources, await person(resources.database, "sam"))
    await add_activities(resources.database, exports.who.id, 40_000)
    async with open_renderer(1) as renderer, working(replace(resources, renderer=renderer)):
        export = await exports.ask("pdf")
        await until(lambda: bool(renderer.busy))
        (process,) = renderer.busy

        async def has_begun() -> bool:
            progress = (await exports.now(export)).progress
            return progress is not None and progress.done > 0

        with frozen(process.pid):  # so that it cannot finish first
            await eventually(has_begun, True)
            async with resources.database.transaction() as tx:
                await cancel_job(tx, export.job_id, by="test")
            await eventually(lambda: exports.status(export), "failed")
            await until(lambda: process.returncode is not None)

    assert await exports.left() == (0, 0)


async def test_one_that_is_deleted_while_it_is_made_leaves_nothing(
    barred: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    reached = hold(proxy, 2)
    async with working(barred):
        export = await exports.ask()
        await until(reached.is_set)
        async with barred.database.transaction() as tx:
            await requests.delete(tx, exports.who.id, export.id)
        await eventually(exports.jobs, {"export:generate": "cancelled", FAILED: "done"})

    assert await exports.left() == (0, 0)
    assert 0 == await barred.database.fetchval("select count(*) from emails")  # nobody is told


@pytest.mark.parametrize(
    "change",
    [
        "update exports set deleted_at = now(), open = false",
        "update users set deleted_at = now()",
        "delete from users",
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["before it appears", "after it appeared"])
async def test_an_object_that_nobody_wants_any_more_goes(
    barred: Resources, proxy: S3Proxy, exports: Exports, change: str, *, late: bool
) -> None:
    async def change_meanwhile(call: Call) -> int | None:
        if call.completes if late else call.part == 3:
            await barred.database.execute(change)
        return None

    proxy.after = change_meanwhile
    await exports.ask()

    await run_jobs(barred)

    assert await exports.jobs() == {"export:generate": "done"}
    assert await exports.left() == (0, 0)


async def test_whoever_has_lost_the_job_completes_nothing(
    barred: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    async def lose_lease(call: Call) -> int | None:
        if call.part == 3:
            await barred.database.execute("update jobs set token = uuidv7()")
        return None

    proxy.after = lose_lease
    await exports.ask()
    async with working(barred):
        await until(lambda: any(call.method == "DELETE" for call in proxy.calls))

    assert not any(call.completes for call in proxy.calls)
    assert await exports.left() == (0, 0)


async def test_a_worker_that_drains_gives_it_back_and_takes_back_what_was_sent(
    barred: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    reached = hold(proxy, 2)
    async with working(barred, grace=0):
        export = await exports.ask()
        await until(reached.is_set)

    assert await exports.jobs() == {"export:generate": "queued"}
    assert await exports.left() == (0, 0)
    proxy.before = passes
    await run_jobs(barred)
    assert await exports.status(export) == "completed"


async def test_a_worker_killed_in_the_middle_leaves_one_object_and_nothing_incomplete(
    environ: dict[str, str], barred: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    async with program(*WORKER, environ={**environ, "S3_ENDPOINT_URL": proxy.url}) as worker:
        await worker.says("worker.started")

        async def kill_at_second(call: Call) -> int | None:
            if call.part != 2:
                return None
            worker.send(signal.SIGKILL)
            return await proxy.hold()

        proxy.before = kill_at_second
        export = await exports.ask()
        await worker.ended()
    assert await exports.left() == (0, 1)

    proxy.before = passes
    await lapse(barred.database, worker.process.pid)
    await run_jobs(barred)

    assert await exports.status(export) == "completed"
    assert await exports.left() == (1, 0)


async def test_a_pdf_of_too_many_rows_fails_for_good_and_says_what_to_do(
    resources: Resources, exports: Exports
) -> None:
    await add_activities(resources.database, exports.who.id, 50_001 - 4000)
    export = await exports.ask("pdf")

    await run_jobs(resources, may_fail=True)

    failed = await exports.now(export)
    assert failed.status == "failed"
    assert failed.error == (
        "A PDF can hold 50,000 activities, and this export has 50,001."
        " Choose CSV, or a shorter period."
    )
    states = await exports.jobs()
    assert states["export:generate"] == "dead"
    assert FAILED in states


async def test_one_that_killed_its_worker_alone_fails_and_a_letter_follows(
    resources: Resources, exports: Exports
) -> None:
    export = await exports.ask()
    await resources.database.execute(
        "update jobs set state = 'running', alone = true, token = uuidv7(), worker_id = uuidv7(),"
        " started_at = now() - interval '1 minute'"
    )

    await reclaim(resources.database)

    assert await exports.status(export) == "failed"
    assert await exports.jobs() == {"export:generate": "dead", FAILED: "queued"}


async def test_one_that_was_cancelled_before_it_began_fails_and_a_letter_follows(
    resources: Resources, exports: Exports
) -> None:
    export = await exports.ask()
    token = await resources.database.fetchval(
        "update jobs set state = 'running', token = uuidv7(), worker_id = uuidv7(), attempt = 1,"
        " started_at = now(), cancel_requested_at = now() returning token"
    )

    await release(resources.database, export.job_id, token)

    assert await exports.status(export) == "failed"
    assert await exports.jobs() == {"export:generate": "cancelled", FAILED: "queued"}


async def test_one_that_failed_can_be_made_after_all(
    resources: Resources, exports: Exports
) -> None:
    export = await exports.ask()
    await resources.database.execute(
        "update jobs set state = 'dead', finished_at = now(), fingerprint = 'f'"
    )
    await resources.database.execute("update exports set error = 'It was raining.'")
    assert (await exports.now(export)).error == "It was raining."

    await retry_job(resources.database, export.job_id, by="test")
    await run_jobs(resources)

    made = await exports.now(export)
    assert (made.status, made.error) == ("completed", None)


async def test_while_all_connections_are_taken_it_waits(
    resources: Resources, exports: Exports
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(resources.settings.database.export_pool_size):
            await stack.enter_async_context(resources.snapshots.pool.acquire())
        export = await exports.ask()
        await run_jobs(resources, may_fail=True)
        assert await exports.status(export) == "pending"
        assert await exports.left() == (0, 0)

    await wake(resources.database)
    await run_jobs(resources)

    assert await exports.status(export) == "completed"

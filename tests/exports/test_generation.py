"""The creation of exports, and what can go wrong on the way."""

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
from app.jobs.reclaim import release
from app.pdf import open_renderer
from app.postgres.database import Database
from app.resources import Resources
from app.s3 import open_bucket
from app.settings import Settings
from tests.support.exports import add_activities, add_megabytes
from tests.support.http import anonymous_client
from tests.support.outages import expire_lease, frozen
from tests.support.people import Person, person
from tests.support.processes import WORKER, program
from tests.support.raw_s3 import LONG_TIMEOUTS
from tests.support.s3_proxy import Call, S3Proxy, pass_on, s3_proxy
from tests.support.working import eventually, run_jobs, running_worker, until


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[S3Proxy]:
    assert settings.bucket.endpoint_url is not None
    async with s3_proxy(settings.bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def proxied(resources: Resources, proxy: S3Proxy) -> AsyncIterator[Resources]:
    """The resources of a worker that reaches S3 through the proxy."""
    section = replace(resources.settings.bucket, endpoint_url=proxy.url)
    async with open_bucket(section, timeouts=LONG_TIMEOUTS) as bucket:
        yield replace(resources, bucket=bucket)


@pytest.fixture
async def kim(database: Database) -> Person:
    """A user with 20 MB of activities, which are uploaded in three parts."""
    kim = await person(database, "kim")
    await add_megabytes(database, kim.id, 20)
    return kim


class Exports:
    """Requests and inspects a user's exports."""

    def __init__(self, resources: Resources, who: Person) -> None:
        self.database, self.bucket, self.who = resources.database, resources.bucket, who

    async def request(self, format: Format = "csv") -> Export:
        async with self.database.transaction() as tx:
            return await requests.request(tx, self.who.id, format, Filters())

    async def read(self, export: Export) -> Export:
        return await requests.find(self.database, self.who.id, export.id)

    async def status(self, export: Export) -> str:
        return (await self.read(export)).status

    async def stored(self) -> tuple[int, int]:
        """Count the objects and the incomplete uploads."""
        prefix = f"exports/{self.who.id}/"
        return len(await self.bucket.keys(prefix)), len(
            await self.bucket.incomplete_uploads(prefix)
        )

    async def jobs(self) -> dict[str, str]:
        """Return the states of all jobs by kind."""
        rows = await self.database.fetch("select kind, state from jobs")
        return {row["kind"]: row["state"] for row in rows}


@pytest.fixture
def exports(resources: Resources, kim: Person) -> Exports:
    return Exports(resources, kim)


def hold(proxy: S3Proxy, part: int) -> asyncio.Event:
    """Make the proxy hold this part. Return an event that is set once the proxy does so."""
    reached = asyncio.Event()

    async def rule(call: Call) -> int | None:
        if call.part != part:
            return None
        reached.set()
        return await proxy.hold()

    proxy.before = rule
    return reached


def hold_after_first(proxy: S3Proxy) -> None:
    """Make the proxy hold all parts but the first."""

    async def rule(call: Call) -> int | None:
        return await proxy.hold() if call.part > 1 else None

    proxy.before = rule


async def make_snoozed_jobs_due(database: Database) -> None:
    await database.execute(
        "update jobs set state = 'queued', run_at = now(), blocked_on = null, dispatched_at = null"
        " where state = 'snoozed'"
    )


async def test_multipart_export_is_recorded_with_size_hash_and_etag(
    resources: Resources, exports: Exports
) -> None:
    export = await exports.request()

    await run_jobs(resources)

    made = await exports.read(export)
    key = f"exports/{exports.who.id}/{export.id}.csv"
    async with anonymous_client() as client:
        answer = await client.get(await resources.bucket.presigned_url(key, "activities.csv"))
    content = answer.content
    assert made.status == "completed"
    assert made.row_count == 4000
    assert made.size_bytes == len(content) > 20_000_000
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    kept = await resources.database.fetchval("select etag from exports")
    assert kept == answer.headers["ETag"]
    assert await exports.stored() == (1, 0)


async def test_progress_of_an_export_is_reported_while_it_runs(
    proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    await add_megabytes(proxied.database, exports.who.id, 40)
    hold_after_first(proxy)
    async with running_worker(proxied, grace=0):
        export = await exports.request()

        async def is_partial() -> bool:
            progress = (await exports.read(export)).progress
            return progress is not None and progress.total == 12000 and 0 < progress.done < 12000

        await eventually(is_partial, True)


async def test_progress_does_not_fall_after_the_copy_ends(
    proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    # Four parts and half a megabyte. Socket buffers hold that half megabyte, so the COPY ends
    # before the fourth part is sent.
    await add_megabytes(proxied.database, exports.who.id, 14)
    hold_after_first(proxy)
    async with running_worker(proxied, grace=0):
        export = await exports.request()

        async def progress() -> tuple[int, int | None] | None:
            return (await exports.read(export)).progress

        await eventually(progress, (6800, 6800))
        for _ in range(2):
            await next_report(proxied.database)
            assert await progress() == (6800, 6800)


async def next_report(database: Database) -> None:
    """Wait until the job has reported its progress again."""
    version = "select xmin::text from jobs where kind = 'export:generate'"
    before = await database.fetchval(version)

    async def has_reported() -> bool:
        return bool(await database.fetchval(version) != before)

    await eventually(has_reported, True)


async def test_finished_export_enqueues_the_ready_email(
    resources: Resources, exports: Exports
) -> None:
    await exports.request()

    await run_jobs(resources)

    rows = await resources.database.fetch("select user_id from jobs where kind = $1", READY)
    assert [row["user_id"] for row in rows] == [exports.who.id]


READY, FAILED = "email:export_ready", "email:export_failed"


@pytest.mark.parametrize("status", [503, 0])
async def test_export_waits_during_an_s3_outage_and_is_completed_afterwards(
    proxied: Resources, proxy: S3Proxy, exports: Exports, status: int
) -> None:
    async def fail(call: Call) -> int | None:
        return status if call.part == 2 or (call.method == "DELETE" and not status) else None

    proxy.before = fail
    export = await exports.request()
    await run_jobs(proxied, may_fail=True)
    assert await exports.status(export) == "pending"
    assert (await exports.stored())[0] == 0

    proxy.before = pass_on
    await make_snoozed_jobs_due(proxied.database)
    await run_jobs(proxied)

    assert await exports.status(export) == "completed"
    assert await exports.stored() == (1, 0)


async def test_next_attempt_succeeds_if_the_response_to_completing_the_upload_is_lost(
    proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    async def lose(call: Call) -> int | None:
        return 0 if call.completes else None

    proxy.after = lose
    export = await exports.request()
    await run_jobs(proxied, may_fail=True)
    assert await exports.status(export) == "pending"
    proxy.after = pass_on
    await make_snoozed_jobs_due(proxied.database)
    await run_jobs(proxied)

    assert await exports.status(export) == "completed"
    assert await exports.stored() == (1, 0)


async def test_cancelling_an_export_aborts_its_upload(
    proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    reached = hold(proxy, 2)
    async with running_worker(proxied):
        export = await exports.request()
        await until(reached.is_set)
        async with proxied.database.transaction() as tx:
            await cancel_job(tx, export.job_id, by="test")
        await eventually(lambda: exports.status(export), "failed")

    why = "select error from jobs where kind = 'export:generate'"
    assert await proxied.database.fetchval(why) == "cancelled on request"
    assert (await exports.read(export)).error == "It was cancelled. Request it again."
    assert await exports.stored() == (0, 0)


async def test_cancelling_an_export_kills_its_pdf_process(resources: Resources) -> None:
    exports = Exports(resources, await person(resources.database, "sam"))
    await add_activities(resources.database, exports.who.id, 40_000)
    async with open_renderer(1) as renderer, running_worker(replace(resources, renderer=renderer)):
        export = await exports.request("pdf")
        await until(lambda: bool(renderer.busy))
        (process,) = renderer.busy

        async def has_begun() -> bool:
            progress = (await exports.read(export)).progress
            return progress is not None and progress.done > 0

        with frozen(process.pid):  # so that the export cannot finish first
            await eventually(has_begun, True)
            async with resources.database.transaction() as tx:
                await cancel_job(tx, export.job_id, by="test")
            await eventually(lambda: exports.status(export), "failed")
            await until(lambda: process.returncode is not None)

    assert await exports.stored() == (0, 0)


async def test_export_deleted_while_it_runs_leaves_no_object_and_sends_no_email(
    proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    reached = hold(proxy, 2)
    async with running_worker(proxied):
        export = await exports.request()
        await until(reached.is_set)
        async with proxied.database.transaction() as tx:
            await requests.delete(tx, exports.who.id, export.id)
        await eventually(exports.jobs, {"export:generate": "cancelled", FAILED: "done"})

    assert await exports.stored() == (0, 0)
    assert 0 == await proxied.database.fetchval("select count(*) from emails")  # nobody is emailed


@pytest.mark.parametrize(
    "change",
    [
        "update exports set deleted_at = now(), open = false",
        "update users set deleted_at = now()",
        "delete from users",
    ],
)
@pytest.mark.parametrize(
    "late", [False, True], ids=["before the object appears", "after the object has appeared"]
)
async def test_job_removes_the_object_if_the_export_or_its_owner_is_deleted_meanwhile(
    proxied: Resources, proxy: S3Proxy, exports: Exports, change: str, *, late: bool
) -> None:
    async def change_meanwhile(call: Call) -> int | None:
        if call.completes if late else call.part == 3:
            await proxied.database.execute(change)
        return None

    proxy.after = change_meanwhile
    await exports.request()

    await run_jobs(proxied)

    assert await exports.jobs() == {"export:generate": "done"}
    assert await exports.stored() == (0, 0)


async def test_attempt_that_lost_its_job_does_not_complete_its_upload(
    proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    async def lose_job(call: Call) -> int | None:
        if call.part == 3:
            await proxied.database.execute("update jobs set token = uuidv7()")
        return None

    proxy.after = lose_job
    await exports.request()
    async with running_worker(proxied):
        await until(lambda: any(call.method == "DELETE" for call in proxy.calls))

    assert not any(call.completes for call in proxy.calls)
    assert await exports.stored() == (0, 0)


async def test_draining_worker_releases_the_job_and_aborts_the_upload(
    proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    reached = hold(proxy, 2)
    async with running_worker(proxied, grace=0):
        export = await exports.request()
        await until(reached.is_set)

    assert await exports.jobs() == {"export:generate": "queued"}
    assert await exports.stored() == (0, 0)
    proxy.before = pass_on
    await run_jobs(proxied)
    assert await exports.status(export) == "completed"


async def test_export_whose_worker_was_killed_leaves_one_object_and_no_incomplete_upload(
    environ: dict[str, str], proxied: Resources, proxy: S3Proxy, exports: Exports
) -> None:
    async with program(*WORKER, environ={**environ, "S3_ENDPOINT_URL": proxy.url}) as worker:
        await worker.wait_for_output("worker.started")

        async def kill_at_second_part(call: Call) -> int | None:
            if call.part != 2:
                return None
            worker.send(signal.SIGKILL)
            return await proxy.hold()

        proxy.before = kill_at_second_part
        export = await exports.request()
        await worker.ended()
    assert await exports.stored() == (0, 1)

    proxy.before = pass_on
    await expire_lease(proxied.database, worker.process.pid)
    await run_jobs(proxied)

    assert await exports.status(export) == "completed"
    assert await exports.stored() == (1, 0)


async def test_pdf_export_with_too_many_rows_fails_and_the_error_says_what_to_do(
    resources: Resources, exports: Exports
) -> None:
    await add_activities(resources.database, exports.who.id, 50_001 - 4000)
    export = await exports.request("pdf")

    await run_jobs(resources, may_fail=True)

    failed = await exports.read(export)
    assert failed.status == "failed"
    assert failed.error == (
        "A PDF can hold 50,000 activities, but this export has 50,001."
        " Choose CSV, or a shorter period."
    )
    states = await exports.jobs()
    assert states["export:generate"] == "dead"
    assert FAILED in states


async def test_export_that_crashes_its_workers_ten_times_fails_and_its_failure_email_is_enqueued(
    resources: Resources, exports: Exports
) -> None:
    export = await exports.request()
    await resources.database.execute(
        "insert into workers (id, host, pid, slots) values (uuidv7(), 'test', 1, 10)"
    )
    await resources.database.execute(
        "update jobs set state = 'running', crashes = 9, token = uuidv7(), started_at = now(),"
        " worker_id = (select id from workers)"
    )

    await expire_lease(resources.database, 1)

    assert await exports.status(export) == "failed"
    assert await exports.jobs() == {"export:generate": "dead", FAILED: "queued"}


async def test_export_released_after_a_cancel_request_fails_and_its_failure_email_is_enqueued(
    resources: Resources, exports: Exports
) -> None:
    export = await exports.request()
    token = await resources.database.fetchval(
        "update jobs set state = 'running', token = uuidv7(), worker_id = uuidv7(), attempt = 1,"
        " started_at = now(), cancel_requested_at = now() returning token"
    )

    await release(resources.database, export.job_id, token)

    assert await exports.status(export) == "failed"
    assert await exports.jobs() == {"export:generate": "cancelled", FAILED: "queued"}


async def test_failed_export_can_be_retried(resources: Resources, exports: Exports) -> None:
    export = await exports.request()
    await resources.database.execute(
        "update jobs set state = 'dead', finished_at = now(), fingerprint = 'f'"
    )
    await resources.database.execute("update exports set error = 'It was raining.'")
    assert (await exports.read(export)).error == "It was raining."

    await retry_job(resources.database, export.job_id, by="test")
    await run_jobs(resources)

    made = await exports.read(export)
    assert (made.status, made.error) == ("completed", None)


async def test_export_waits_while_all_export_connections_are_in_use_and_is_completed_afterwards(
    resources: Resources, exports: Exports
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(resources.settings.database.export_pool_size):
            await stack.enter_async_context(resources.snapshots.pool.acquire())
        export = await exports.request()
        await run_jobs(resources, may_fail=True)
        assert await exports.status(export) == "pending"
        assert await exports.stored() == (0, 0)

    await make_snoozed_jobs_due(resources.database)
    await run_jobs(resources)

    assert await exports.status(export) == "completed"

"""Failed and lost attempts leave an earlier report intact. The cleanup removes their objects."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import httpx
import msgspec
import pytest

from app.cleanup.jobs import remove_old_data
from app.embedded.inbox import Inbox
from app.jobs import JobId, Run, statements
from app.jobs.outcomes import LeaseLost
from app.postgres.database import Database, Transaction
from app.reports import requests
from app.reports.emails import SendReportReadyEmail
from app.reports.jobs import GenerateReport, create_report
from app.resources import Resources
from app.s3 import Bucket
from app.settings import Settings
from app.users.user import UserId
from tests.email.sending import attempt
from tests.pdf.reading import words
from tests.reports.months import NOVEMBER, add_activity, confirmed_user, current_key, enqueue_report
from tests.support.http import anonymous_client
from tests.support.outages import expire_lease
from tests.support.people import Person
from tests.support.processes import WORKER, program
from tests.support.s3_proxy import Call, s3_proxy
from tests.support.schedules import trigger_run
from tests.support.working import RunJobs


async def downloaded(database: Database, bucket: Bucket, user_id: UserId) -> bytes:
    url = await requests.download(database, bucket, user_id, NOVEMBER)
    async with anonymous_client() as client:
        answer: httpx.Response = await client.get(url)
    assert answer.status_code == 200
    return answer.content


@pytest.fixture
async def ada(database: Database, run_jobs: RunJobs) -> Person:
    """A user with a report on one activity, who has since recorded another activity."""
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00")
    await enqueue_report(database, ada.id)
    await run_jobs()
    await add_activity(database, ada.id, "2025-11-04T10:00")
    return ada


async def claimed_report_job(database: Database, user_id: UserId, run_type: type[Run] = Run) -> Run:
    """Enqueue a job that creates the report again, and claim it."""
    await enqueue_report(database, user_id)
    job_id = await database.fetchval(
        "select id from jobs where kind = 'report:generate' and state = 'queued'"
    )
    return await attempt(database, JobId(job_id), run_type)


async def keys(bucket: Bucket, user_id: UserId) -> set[str]:
    return set(await bucket.keys(f"reports/{user_id}/"))


class FailsBeforeCommit(Run):
    """An attempt that fails just before the commit."""

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        async with super().completion(note) as tx:
            yield tx
            raise ConnectionError


class LosesJobAfterUpload(Run):
    """An attempt that loses its job once its object is in the bucket."""

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        await self._database.execute("update jobs set token = uuidv7() where id = $1", self.job_id)
        async with super().completion(note) as tx:
            yield tx


async def test_crash_between_upload_and_commit_leaves_the_earlier_report_intact(
    database: Database,
    bucket: Bucket,
    ada: Person,
    settings: Settings,
    environ: Mapping[str, str],
    run_jobs: RunJobs,
) -> None:
    before = await downloaded(database, bucket, ada.id)
    assert settings.bucket.endpoint_url is not None
    async with s3_proxy(settings.bucket.endpoint_url) as proxy:
        with_proxy = {**environ, "S3_ENDPOINT_URL": proxy.url}
        async with program(*WORKER, environ=with_proxy) as worker:
            await worker.wait_for_output("worker.started")

            async def kill_after_put(call: Call) -> int | None:
                if call.method == "PUT" and "/reports/" in call.path:
                    worker.send(signal.SIGKILL)
                return None

            proxy.after = kill_after_put
            await enqueue_report(database, ada.id)
            await worker.ended()
    assert len(await keys(bucket, ada.id)) == 2
    assert before == await downloaded(database, bucket, ada.id)

    await expire_lease(database, worker.process.pid)
    await run_jobs()
    assert "Activities 2" in words(await downloaded(database, bucket, ada.id))


@pytest.mark.parametrize(
    ("run_type", "failure"),
    [(FailsBeforeCommit, ConnectionError), (LosesJobAfterUpload, LeaseLost)],
)
async def test_failed_completion_leaves_the_earlier_report_intact_and_the_next_attempt_succeeds(
    database: Database,
    bucket: Bucket,
    inbox: Inbox,
    ada: Person,
    resources: Resources,
    run_jobs: RunJobs,
    run_type: type[Run],
    failure: type[Exception],
) -> None:
    before = await downloaded(database, bucket, ada.id)
    run = await claimed_report_job(database, ada.id, run_type)
    with pytest.raises(failure):
        await create_report(run, bucket, resources.renderer, ada.id, NOVEMBER)
    assert before == await downloaded(database, bucket, ada.id)

    again = await attempt(database, run.job_id)
    await create_report(again, bucket, resources.renderer, ada.id, NOVEMBER)
    await run_jobs()
    assert "Activities 2" in words(await downloaded(database, bucket, ada.id))
    assert len(inbox.emails()) == 1


async def test_cleanup_removes_the_object_of_a_lost_attempt_after_a_day(
    database: Database, bucket: Bucket, ada: Person, resources: Resources
) -> None:
    lost = await claimed_report_job(database, ada.id, LosesJobAfterUpload)
    with pytest.raises(LeaseLost):
        await create_report(lost, bucket, resources.renderer, ada.id, NOVEMBER)
    current = await current_key(database, ada.id)
    (stray,) = await keys(bucket, ada.id) - {current}
    objects = [found async for page in bucket.pages("reports/") for found in page]
    put_at = next(found.modified_at for found in objects if found.key == stray)

    async def cleanup(hours: int) -> None:
        job_id = await trigger_run(database, "cleanup:daily")
        (claimed,) = await statements.claim(database, ids=[job_id], worker_id=job_id, token=job_id)
        now = put_at + timedelta(hours=hours)
        await remove_old_data(Run(database, claimed), bucket, resources.settings.retention, now=now)

    await cleanup(23)
    assert {current, stray} == await keys(bucket, ada.id)
    await cleanup(25)
    assert {current} == await keys(bucket, ada.id)


async def test_report_from_before_migration_0012_can_be_replaced(
    database: Database, bucket: Bucket, ada: Person, run_jobs: RunJobs
) -> None:
    await bucket.delete([await current_key(database, ada.id)])
    await database.execute("update reports set object_id = null, etag = null")
    old = await current_key(database, ada.id)
    assert old == f"reports/{ada.id}/2025-11.pdf"
    await bucket.put(old, b"%PDF", "application/pdf")
    await enqueue_report(database, ada.id)
    await run_jobs()
    assert {old, await current_key(database, ada.id)} == await keys(bucket, ada.id)


async def test_replaced_object_remains_for_downloads_in_progress(
    database: Database, bucket: Bucket, ada: Person, resources: Resources
) -> None:
    first = await current_key(database, ada.id)
    run = await claimed_report_job(database, ada.id)
    await create_report(run, bucket, resources.renderer, ada.id, NOVEMBER)
    assert {first, await current_key(database, ada.id)} == await keys(bucket, ada.id)


@pytest.mark.parametrize("job_type", [GenerateReport, SendReportReadyEmail])
def test_report_jobs_accept_only_the_first_day_of_a_month(
    job_type: type[GenerateReport | SendReportReadyEmail],
) -> None:
    wrong = {"user_id": "01900000-0000-7000-8000-000000000001", "month": "2025-11-17"}
    message = "a month must be given as its first day, 2025-11-01, not 2025-11-17"
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(wrong, job_type, strict=False)
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.json.decode(msgspec.json.encode(wrong), type=job_type)
    with pytest.raises(ValueError, match=message):
        job_type(UserId(UUID(wrong["user_id"])), NOVEMBER.replace(day=17))


async def test_report_job_with_an_invalid_month_becomes_a_dead_letter_and_uploads_nothing(
    database: Database, bucket: Bucket, ada: Person, run_jobs: RunJobs
) -> None:
    before = await downloaded(database, bucket, ada.id)
    await enqueue_report(database, ada.id)
    await database.execute(
        "update jobs set payload = jsonb_set(payload, '{month}', '\"2025-11-17\"')"
        " where state = 'queued'"
    )
    await run_jobs(may_fail=True)
    error = await database.fetchval("select error from jobs where state = 'dead'")
    assert "a month must be given as its first day, 2025-11-01, not 2025-11-17" in error
    assert before == await downloaded(database, bucket, ada.id)
    assert 1 == len(await keys(bucket, ada.id))

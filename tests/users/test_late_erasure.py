"""The cleanup enqueues another erasure if an account's first one failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import msgspec

from app.cleanup.statements import enqueue_erasures
from app.postgres.database import Database
from app.resources import Resources
from app.users.jobs import EraseUser
from app.users.user import UserId
from tests.support.many_users import add_users
from tests.support.schedules import finish_jobs, run_schedule
from tests.support.working import RunJobs
from tests.users.people import sign_in
from tests.users.test_erasure import columns_with_id, delete_account, kim_with_data


async def test_cleanup_erases_a_deleted_account_after_a_month_if_its_erasure_failed(
    api: httpx.AsyncClient, resources: Resources, run_jobs: RunJobs
) -> None:
    database, bucket = resources.database, resources.bucket
    kim = await kim_with_data(api, database, run_jobs)
    await delete_account(api, await sign_in(api))
    await finish_jobs(database, "dead")
    assert 0 == await erasures_enqueued_by_a_cleanup(resources)
    for table, column in (
        ("users", "deleted_at"), ("jobs", "enqueued_at"),
        ("friend_requests", "created_at"), ("reset_requests", "created_at"),
    ):  # fmt: skip
        await database.execute(f"update {table} set {column} = {column} - interval '31 days'")  # noqa: S608 # the names above
    assert 1 == len(await bucket.keys(f"photos/{kim}/"))
    assert 1 == await erasures_enqueued_by_a_cleanup(resources)
    assert set() == await columns_with_id(database, kim)
    assert [] == await bucket.keys(f"photos/{kim}/")
    assert 0 == await database.fetchval(
        "select count(*) from friend_requests where email = 'kim@example.com'"
    )


async def erasures_enqueued_by_a_cleanup(resources: Resources) -> int:
    return (await run_schedule(resources, "cleanup:daily")).counts["erasures"]


async def test_each_account_gets_at_most_one_erasure_job_a_night(
    database: Database,
) -> None:
    await add_users(database, 3)
    await database.execute("update users set deleted_at = now() - interval '31 days'")
    month_ago = datetime.now(UTC) - timedelta(days=30)

    async def enqueued() -> int:
        return await enqueue_erasures(
            database, kind="user:erase", queue="low", before=month_ago, limit=2, dry_run=False
        )

    assert [2, 1, 0] == [await enqueued() for _ in range(3)]
    await finish_jobs(database, "dead")
    assert 0 == await enqueued()
    await database.execute("update jobs set enqueued_at = now() - interval '13 hours'")
    assert 2 == await enqueued()
    (job,) = await database.fetch(
        "select payload::text, unique_key, user_id from jobs where state = 'queued' limit 1"
    )
    same = EraseUser(user_id=UserId(job["user_id"]))
    assert same == msgspec.json.decode(job["payload"], type=EraseUser)
    assert (same.queue, same.unique_key) == ("low", job["unique_key"])

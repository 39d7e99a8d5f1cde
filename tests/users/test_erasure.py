"""Deleting an account: it is gone at once, and a job then erases its data."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app import jobs
from app.embedded.inbox import Inbox
from app.jobs import JobId, Run, statements
from app.jobs.outcomes import LeaseLost
from app.postgres.database import Database
from app.reports.jobs import GenerateReport
from app.resources import Resources
from app.s3 import Bucket
from app.users.jobs import erase
from app.users.user import UserId
from tests.activities.drawing import saved
from tests.support.moments import recently
from tests.support.working import RunJobs
from tests.users.people import PASSWORD, new_user, sign_in, signed_in

ME = "/api/v1/users/me"


def recent_run() -> dict[str, object]:
    """Return an activity recent enough to be news for friends."""
    return {"type": "run", "started_at": recently(), "duration_s": 60}


ID_COLUMNS = """
select table_name, column_name from information_schema.columns
where table_schema = 'public' and table_name not in ('jobs', 'schema_migrations')
    and data_type = 'uuid'
"""


async def delete_account(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await api.request("DELETE", ME, json={"password": PASSWORD}, headers=headers)
    assert answer.status_code == 204


async def columns_with_id(database: Database, user_id: UUID) -> set[str]:
    """Return the columns that still contain the id."""
    found = set()
    for table, column in await database.fetch(ID_COLUMNS):
        query = f"select exists (select from {table} where {column} = $1)"  # noqa: S608 # from the catalog
        if await database.fetchval(query, user_id):
            found.add(f"{table}.{column}")
    return found


async def kim_with_data(api: httpx.AsyncClient, database: Database, run_jobs: RunJobs) -> UserId:
    """Create Kim with data in many tables, and her friend Sam. Return Kim's id."""
    kim, sam = await signed_in(api), await signed_in(api, "sam@example.com")
    await database.execute("update users set confirmed_at = now()")
    with_key = {**kim, "Idempotency-Key": "one"}
    activity = (await api.post("/api/v1/activities", json=recent_run(), headers=with_key)).json()[
        "id"
    ]
    photo = {"photo": ("a.jpg", saved("JPEG"), "image/jpeg")}
    added = await api.post(f"/api/v1/activities/{activity}/photos", files=photo, headers=kim)
    assert added.status_code == 201, added.text
    await api.post("/api/v1/friends/requests", json={"email": "sam@example.com"}, headers=kim)
    await api.post("/api/v1/friends/requests", json={"email": "kim@example.com"}, headers=sam)
    await api.post("/api/v1/friends/requests", json={"email": "eve@example.com"}, headers=kim)
    await api.post("/api/v1/password-resets", json={"email": "kim@example.com"})
    requested = await api.post("/api/v1/export/request", json={"format": "csv"}, headers=kim)
    assert requested.status_code == 202, requested.text
    kim_id = await database.fetchval("select id from users where email = 'kim@example.com'")
    async with database.transaction() as tx:
        month = await tx.fetchval("select min(started_at)::date from activities")
        await jobs.enqueue(tx, GenerateReport(kim_id, month.replace(day=1)))
    await run_jobs()
    user_id = await database.fetchval("select id from users where email = 'kim@example.com'")
    return UserId(user_id)


async def test_erasure_removes_the_users_objects_and_their_id_from_all_tables_but_jobs(
    api: httpx.AsyncClient,
    database: Database,
    bucket: Bucket,
    inbox: Inbox,
    run_jobs: RunJobs,
) -> None:
    kim = await kim_with_data(api, database, run_jobs)
    await bucket.put(f"exports/{kim}/one.csv", b"x", "text/csv")
    for attempt in ("2026-10.pdf", f"2026-10/{uuid4()}.pdf", f"2026-10/{uuid4()}.pdf"):
        await bucket.put(f"reports/{kim}/{attempt}", b"x", "application/pdf")
    others = f"reports/{uuid4()}/2026-10.pdf"
    await bucket.put(others, b"x", "application/pdf")
    seen = await columns_with_id(database, kim)
    assert seen >= {
        "users.id", "sessions.user_id", "account_tokens.user_id", "activities.user_id",
        "friend_requests.requester_id", "friends.user_id", "friends.friend_id",
        "emails.recipient_id", "idempotency_keys.user_id", "exports.user_id", "reports.user_id",
    }  # fmt: skip
    await delete_account(api, await sign_in(api))
    await run_jobs()
    assert set() == await columns_with_id(database, kim)
    assert [] == await bucket.keys(f"photos/{kim}/") + await bucket.keys(f"exports/{kim}/")
    assert [] == await bucket.keys(f"reports/{kim}/")
    assert [others] == await bucket.keys(others)
    addresses = "select email from friend_requests union all select email from reset_requests"
    assert [] == await database.fetch(addresses)
    assert 1 == await database.fetchval("select count(*) from users")


async def test_deleted_account_is_signed_out_and_its_address_is_free_at_once(
    api: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    headers = await signed_in(api)
    second = await sign_in(api)
    await delete_account(api, headers)
    for session in (headers, second):
        assert (await api.get(ME, headers=session)).status_code == 401
    answer = await api.post(
        "/api/v1/sessions", json={"email": "kim@example.com", "password": PASSWORD}
    )
    assert answer.status_code == 401
    await signed_in(api)
    await run_jobs()
    assert 1 == await database.fetchval("select count(*) from users")
    assert (await api.get(ME, headers=await sign_in(api))).status_code == 200


async def test_deleting_an_account_requires_its_password(
    api: httpx.AsyncClient, database: Database
) -> None:
    headers = await signed_in(api)
    wrong = await api.request("DELETE", ME, json={"password": "wrong"}, headers=headers)
    none = await api.request("DELETE", ME, json={}, headers=headers)
    assert [403, 400] == [wrong.status_code, none.status_code]
    assert 0 == await database.fetchval("select count(*) from jobs where kind = 'user:erase'")
    assert (await api.get(ME, headers=headers)).status_code == 200


async def claimed_erasure(database: Database, user_id: UserId) -> Run:
    job_id = JobId(await database.fetchval("select id from jobs where kind = 'user:erase'"))
    await database.execute("update jobs set state = 'queued', run_at = now() where id = $1", job_id)
    (claimed,) = await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    return Run(database, claimed)


async def test_interrupted_erasure_continues_and_a_lost_attempt_erases_nothing(
    api: httpx.AsyncClient,
    database: Database,
    bucket: Bucket,
    run_jobs: RunJobs,
) -> None:
    kim = await kim_with_data(api, database, run_jobs)
    headers = await sign_in(api)
    for _ in range(5):
        await api.post("/api/v1/activities", json=recent_run(), headers=headers)
    assert 5 == await database.fetchval("select count(*) from news")
    await delete_account(api, headers)

    class InterruptedRun(Run):
        transactions = 0

        @asynccontextmanager
        async def transaction(self) -> Any:
            self.transactions += 1
            if self.transactions == 3:
                raise RuntimeError("the process dies here")
            async with super().transaction() as tx:
                yield tx

    lost = await claimed_erasure(database, kim)
    interrupted = InterruptedRun(database, lost.claimed)
    with pytest.raises(RuntimeError):
        await erase(interrupted, bucket, kim, batch_size=2)
    assert 4 == await database.fetchval("select count(*) from activities")
    assert "users.id" in await columns_with_id(database, kim)

    again = await claimed_erasure(database, kim)
    with pytest.raises(LeaseLost):
        await erase(lost, bucket, kim, batch_size=2)
    assert 4 == await database.fetchval("select count(*) from activities")
    await erase(again, bucket, kim, batch_size=2)
    assert again.finished
    assert set() == await columns_with_id(database, kim)


async def test_account_that_is_not_deleted_is_never_erased(
    api: httpx.AsyncClient, database: Database, bucket: Bucket, resources: Resources
) -> None:
    headers = await signed_in(api)
    await delete_account(api, headers)
    user_id = UserId(await database.fetchval("select id from users"))
    await bucket.put(f"photos/{user_id}/one.jpg", b"x", "image/jpeg")
    await database.execute("update users set deleted_at = null")
    await erase(await claimed_erasure(database, user_id), bucket, user_id)
    assert 1 == await database.fetchval("select count(*) from users")
    assert 1 == len(await bucket.keys(f"photos/{user_id}/"))


async def test_objects_of_an_account_that_is_already_gone_are_removed(
    api: httpx.AsyncClient, database: Database, bucket: Bucket
) -> None:
    await delete_account(api, await signed_in(api))
    user_id = UserId(await database.fetchval("delete from users returning id"))
    await bucket.put(f"photos/{user_id}/one.jpg", b"x", "image/jpeg")
    run = await claimed_erasure(database, user_id)
    await erase(run, bucket, user_id)
    assert run.finished
    assert [] == await bucket.keys(f"photos/{user_id}/")


async def test_only_the_stored_response_to_the_users_own_sign_up_is_erased(
    api: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    for email in ("kim@example.com", "sam@example.com"):
        key = {"Idempotency-Key": email}
        assert (await api.post("/api/v1/users", json=new_user(email), headers=key)).is_success
    await delete_account(api, await sign_in(api))
    await run_jobs()
    kept = await database.fetch("select key from idempotency_keys")
    assert ["sam@example.com"] == [row["key"] for row in kept]

"""The nightly cleanup removes only data past its retention period."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from app.cleanup import jobs as cleanup
from app.cleanup import marker
from app.cleanup.orphans import ORPHAN_KINDS
from app.cleanup.statements import database_id
from app.errors import Unavailable
from app.jobs import Run, statements
from app.jobs.schedules import history, trigger
from app.jobs.schedules.statements import clock
from app.postgres.database import Database
from app.reports.report import key
from app.resources import Resources
from app.s3 import Bucket, open_bucket
from app.settings import Retention
from app.settings.environment import SettingsError, read
from tests.reports.months import NOVEMBER, report_without_etag, stored_report
from tests.support.many_users import add_users
from tests.support.sample_jobs import job_row
from tests.support.schedules import run_schedule, trigger_run
from tests.support.working import run_jobs

OLD = """
insert into users (email, name, password_hash, deleted_at)
    select 'old' || n || '@example.com', 'Old', 'no hash',
           now() - interval '1 day' * (29.9 + n / 10.0)
    from generate_series(0, 2) as n;
insert into activities (user_id, type, started_at, duration_s, deleted_at)
    select id, 'run', now(), 60, now() - interval '1 day' * (29.9 + n / 10.0)
    from users, generate_series(0, 2) as n where deleted_at is null;
insert into friend_requests (requester_id, email, status, answered_at, created_at)
    select id, n::text, status, case when status <> 'pending' then at end, at
    from users, unnest(array[29, 31, 89, 91]) as n,
        unnest(array['pending', 'accepted', 'declined']) as status,
        lateral (select now() - interval '1 day' * n) as t (at)
    where email like 'user1@%';
insert into unconfirmed_emails (address, message_id, created_at)
    select 'a@example.com', n::text, now() - interval '1 hour' * n
    from generate_series(23, 25, 2) as n;
insert into sessions (token_hash, user_id, expires_at)
    select sha256(n::text::bytea), id, now() + interval '1 hour' * n
    from users, generate_series(-1, 1) as n where n <> 0 and deleted_at is null;
insert into account_tokens (token_hash, user_id, purpose, expires_at)
    select sha256(n::text::bytea), id, 'confirm', now() - interval '1 hour' * n
    from users, generate_series(23, 25, 2) as n where deleted_at is null;
insert into reset_requests (email, created_at)
    select 'old@example.com', now() - interval '1 hour' * n from generate_series(1, 3, 2) as n;
insert into news (user_id, activity_id, created_at)
    select id, uuidv7(), now() - interval '1 hour' * n
    from users, generate_series(23, 25, 2) as n where deleted_at is null;
insert into idempotency_keys (user_id, route, key, fingerprint, status, body, created_at)
    select id, 'POST /', n::text, sha256(''), 201, '', now() - interval '1 hour' * n
    from users, generate_series(23, 25, 2) as n where deleted_at is null;
insert into exports (user_id, format, open, completed_at, expires_at, row_count, size_bytes,
                     sha256, etag)
    select id, 'csv', false, now(), now() - interval '1 hour' * n, 1, 1, repeat('0', 64), 'etag'
    from users, generate_series(-1, 1, 2) as n where deleted_at is null;
insert into exports (user_id, format, open, requested_at)
    select id, 'pdf', false, now() - interval '1 day' * n
    from users, generate_series(29, 31, 2) as n where deleted_at is null;
insert into emails (recipient_id, template, unique_key, job_id, message_id, state, attempts,
                    sent_at, written_at, created_at)
    select id, 'welcome', n::text, id, n::text, 'sent', 1, now(), now(),
           now() - interval '1 day' * n
    from users, generate_series(399, 401, 2) as n where deleted_at is null;
insert into jobs (id, kind, queue, payload, state, finished_at, fingerprint)
    select uuidv7(interval '-1 day' * n), 'test', 'low', '{}', state, now() - interval '1 day' * n,
           case when state = 'dead' then 'f' end
    from unnest(array['done', 'cancelled', 'dead']) as state, unnest(array[6, 8, 91]) as n;
insert into job_attempts (job_id, attempt, started_at, outcome)
    select id, 1, now(), 'done' from jobs;
insert into schedule_runs (schedule, tick, day, fired_by, state, job_id, finished_at)
    select 'test', now() - interval '1 day' * n, now(), 'schedule', 'done', uuidv7(),
           now() - interval '1 day' * n
    from unnest(array[399, 401]) as n;
insert into workers (id, host, pid, slots, seen_at)
    select uuidv7(), 'host', n, 1, now() - interval '1 hour' * n from unnest(array[1, 25]) as n;
"""
REMOVED = {
    "confirmation_reminders": 0,
    "unconfirmed_accounts": 0,
    "unconfirmed_emails": 1,
    "friend_requests": 7,
    "erasures": 2,
    "activities": 2,
    "sessions": 1,
    "account_tokens": 1,
    "reset_requests": 1,
    "idempotency_keys": 1,
    "news": 1,
    "exports": 2,
    "jobs": 4,
    "dead_letters": 1,
    "runs": 1,
    "emails": 1,
    "workers": 1,
    "photos": 0,
    "export_files": 0,
    "report_files": 0,
}
DEFAULT_RETENTION = Retention()
OCTOBER = date(2025, 10, 1)
TABLES = (
    *(
        set(REMOVED)
        - {"confirmation_reminders", "unconfirmed_accounts", "erasures", "dead_letters", "runs"}
        - {"photos", "export_files", "report_files"}
    ),
    "users",
    "schedule_runs",
    "job_attempts",
)


@pytest.fixture
async def old_rows(database: Database, bucket: Bucket) -> UUID:
    """Insert rows inside and outside every retention period; return the id of the user to keep."""
    await empty(bucket, "exports/", "photos/", "reports/")
    (user_id,) = await add_users(database, 1)
    await database.execute(OLD)
    return user_id


async def count_rows(database: Database) -> dict[str, int]:
    return {table: await database.fetchval(f"select count(*) from {table}") for table in TABLES}  # noqa: S608 # our own table names


async def test_cleanup_removes_only_data_past_its_retention(
    database: Database, resources: Resources, old_rows: UUID
) -> None:
    before = await count_rows(database)
    run = await run_schedule(resources, "cleanup:daily")
    assert ("done", REMOVED) == (run.state, run.counts)
    after = await count_rows(database)
    # The cleanup has added its own job and run, and the jobs of two erasures.
    new = {"jobs": 3, "schedule_runs": 1}
    removed = {table: before[table] - after[table] + new.get(table, 0) for table in TABLES}
    expected = {**REMOVED, "users": 2, "jobs": 5, "schedule_runs": 1, "job_attempts": 5}
    assert {table: expected[table] for table in TABLES} == removed


async def test_dry_run_of_the_cleanup_counts_rows_but_removes_none(
    database: Database, resources: Resources, old_rows: UUID
) -> None:
    before = await count_rows(database)
    run = await run_schedule(resources, "cleanup:daily", dry_run=True)
    assert ("done", REMOVED) == (run.state, run.counts)
    after = await count_rows(database)
    new = {"jobs": 1, "schedule_runs": 1}
    assert before == {table: count - new.get(table, 0) for table, count in after.items()}


async def test_many_rows_are_removed_in_batches_and_counted(
    database: Database, resources: Resources
) -> None:
    await database.execute(
        "insert into jobs (id, kind, queue, payload, state, finished_at)"
        " select uuidv7(interval '-8 days'), 'test', 'low', '{}', 'done', now() - interval '8 days'"
        " from generate_series(1, $1::int)",
        2 * cleanup.BATCH_ROWS + 1,
    )
    run = await run_schedule(resources, "cleanup:daily")
    assert 2 * cleanup.BATCH_ROWS + 1 == run.counts["jobs"]


async def insert_photo(database: Database, user_id: UUID) -> str:
    """Insert a row for a photo, and return the photo's key."""
    photo_id = await database.fetchval(
        "with a as (insert into activities (user_id, type, started_at, duration_s)"
        " values ($1, 'run', now(), 60) returning id)"
        " insert into photos (activity_id, content_type, size_bytes)"
        " select id, 'image/png', 1 from a returning id",
        user_id,
    )
    return f"photos/{user_id}/{photo_id}.png"


async def keys_in(bucket: Bucket, prefix: str = "photos/") -> set[str]:
    return {entry.key async for page in bucket.pages(prefix) for entry in page}


async def empty(bucket: Bucket, *prefixes: str) -> None:
    """Remove the objects that other tests have left under these prefixes."""
    for prefix in prefixes:
        while keys := await bucket.keys(prefix):
            await bucket.delete(keys)


async def last_modified_at(bucket: Bucket, prefix: str = "photos/") -> datetime:
    """Return when the last object was put. The bucket's clock may differ from ours."""
    return max([entry.modified_at async for page in bucket.pages(prefix) for entry in page])


@pytest.fixture
async def photos(database: Database, bucket: Bucket) -> dict[str, str]:
    """Empty `photos/`, put one object for each case into it, and return the keys by case."""
    await empty(bucket, "photos/")
    (user_id,) = await add_users(database, 1)
    referenced = await insert_photo(database, user_id)
    keys = {
        "referenced": referenced,
        "orphan": f"photos/{user_id}/{uuid4()}.png",
        "another format": referenced.replace(".png", ".jpg"),
        "another user": referenced.replace(str(user_id), str(uuid4())),
        "not a photo": "photos/readme.txt",
    }
    for photo in keys.values():
        await bucket.put(photo, b"x", "image/png")
    return keys


async def claimed_cleanup(database: Database) -> Run:
    job_id = await trigger_run(database, "cleanup:daily")
    (claimed,) = await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    return Run(database, claimed)


async def test_orphaned_photos_are_removed_after_a_day(
    database: Database, bucket: Bucket, photos: dict[str, str]
) -> None:
    now = await last_modified_at(bucket)
    await cleanup.remove_old_data(
        await claimed_cleanup(database), bucket, DEFAULT_RETENTION, now=now + timedelta(hours=23)
    )
    assert set(photos.values()) == await keys_in(bucket)
    tomorrow = now + timedelta(hours=25)
    await cleanup.count_old_data(
        await claimed_cleanup(database), database, bucket, DEFAULT_RETENTION, now=tomorrow
    )
    assert set(photos.values()) == await keys_in(bucket)
    await cleanup.remove_old_data(
        await claimed_cleanup(database), bucket, DEFAULT_RETENTION, now=tomorrow
    )
    assert {photos["referenced"]} == await keys_in(bucket)
    counts = await database.fetch("select (counts->>'photos')::int from schedule_runs order by id")
    assert [0, 4, 4] == [row[0] for row in counts]


async def test_orphaned_reports_are_removed_after_a_day(database: Database, bucket: Bucket) -> None:
    await empty(bucket, "reports/")
    (kim, sam) = await add_users(database, 2)
    before_0012 = await report_without_etag(database, kim, OCTOBER)
    referenced = {await stored_report(database, bucket, kim), before_0012}
    others = {
        key(kim, NOVEMBER, uuid4()),
        key(kim, NOVEMBER, None),
        key(kim, OCTOBER, uuid4()),
        key(sam, NOVEMBER, uuid4()),
        f"reports/{kim}/2025-11/readme.txt",
        "reports/readme.txt",
    }
    for object_key in {*others, before_0012}:
        await bucket.put(object_key, b"x", "application/pdf")
    now = await last_modified_at(bucket, "reports/")

    await cleanup.remove_old_data(
        await claimed_cleanup(database), bucket, DEFAULT_RETENTION, now=now + timedelta(hours=23)
    )
    assert referenced | others == await keys_in(bucket, "reports/")
    tomorrow = now + timedelta(hours=25)
    await cleanup.count_old_data(
        await claimed_cleanup(database), database, bucket, DEFAULT_RETENTION, now=tomorrow
    )
    assert referenced | others == await keys_in(bucket, "reports/")
    await cleanup.remove_old_data(
        await claimed_cleanup(database), bucket, DEFAULT_RETENTION, now=tomorrow
    )
    assert referenced == await keys_in(bucket, "reports/")
    counts = "select (counts->>'report_files')::int from schedule_runs order by id"
    assert [0, 6, 6] == [row[0] for row in await database.fetch(counts)]


async def test_bucket_listing_can_start_after_a_key_and_all_orphans_on_a_page_are_found(
    database: Database, bucket: Bucket, photos: dict[str, str]
) -> None:
    keys = sorted(photos.values())
    found = [entry.key async for page in bucket.pages("photos/", after=keys[1]) for entry in page]
    assert keys[2:] == found
    pages = [page async for page in bucket.pages("photos/")]
    tomorrow = await last_modified_at(bucket) + timedelta(hours=25)
    (kind,) = [kind for kind in ORPHAN_KINDS if kind.name == "photos"]
    assert [key for key in keys if key != photos["referenced"]] == await kind.orphans(
        database, pages[0], tomorrow
    )


async def test_interrupted_cleanup_keeps_its_counts(
    database: Database, resources: Resources, old_rows: UUID, closed_port: int
) -> None:
    run = await claimed_cleanup(database)
    now = await clock(database)
    section = resources.settings.bucket
    unreachable = replace(section, endpoint_url=f"http://127.0.0.1:{closed_port}")
    async with open_bucket(unreachable) as bucket:
        with pytest.raises(Unavailable):
            await cleanup.remove_old_data(run, bucket, DEFAULT_RETENTION, now=now)
    await database.execute(
        "update jobs set state = 'queued', token = null, worker_id = null where id = $1", run.job_id
    )
    (claimed,) = await statements.claim(
        database, ids=[run.job_id], worker_id=uuid4(), token=uuid4()
    )
    await cleanup.remove_old_data(
        Run(database, claimed), resources.bucket, DEFAULT_RETENTION, now=now
    )
    assert REMOVED["activities"] == await database.fetchval(
        "select (counts->>'activities')::int from schedule_runs where job_id = $1", run.job_id
    )


async def test_retention_settings_change_what_the_cleanup_removes_and_cannot_be_zero(
    database: Database, bucket: Bucket, old_rows: UUID
) -> None:
    days = {"RETENTION_JOBS": "5", "RETENTION_EMAILS": "398", "RETENTION_DEAD_LETTERS": "7"}
    longer = {"RETENTION_DELETED": "31", "RETENTION_RUNS": "402"}
    retention = read(Retention, {**days, **longer})
    run = await claimed_cleanup(database)
    await cleanup.remove_old_data(run, bucket, retention, now=await clock(database))
    counts = await database.fetchval("select counts::text from schedule_runs where counts <> '{}'")
    changed = {"jobs": 6, "emails": 2, "dead_letters": 2}
    assert {**REMOVED, **changed, "erasures": 0, "activities": 0, "runs": 0} == json.loads(counts)
    with pytest.raises(SettingsError, match=r"^RETENTION_JOBS must be a whole number from 1 to"):
        read(Retention, {"RETENTION_JOBS": "0"})


@pytest.fixture
async def marked_bucket(database: Database, bucket: Bucket) -> AsyncIterator[Bucket]:
    """Return a bucket without objects that belongs to this database."""
    await empty(bucket, "exports/", "photos/", "reports/")
    ours = await database_id(database)
    await marker.adopt(bucket, ours)
    yield bucket
    await marker.adopt(bucket, ours)


async def put_orphans(bucket: Bucket, count: int) -> None:
    """Put exports without rows, which count as orphans at once."""
    for number in range(count):
        await bucket.put(f"exports/{number}/{number}.csv", b"x", "text/csv")


async def cleanup_error(resources: Resources) -> str:
    """Run the cleanup, which must fail at its first attempt, and return the error."""
    job_id = await trigger_run(resources.database, "cleanup:daily")
    await run_jobs(resources, may_fail=True)
    run = await history.run_of_job(resources.database, job_id)
    assert run is not None
    assert "dead" == run.state
    assert 1 == (await job_row(resources.database, job_id))["attempt"]
    return run.error or ""


async def test_cleanup_of_a_bucket_of_another_database_removes_no_object_and_names_both(
    resources: Resources, marked_bucket: Bucket
) -> None:
    theirs = uuid4()
    await put_orphans(marked_bucket, 1)
    await marker.adopt(marked_bucket, theirs)
    error = await cleanup_error(resources)
    ours = await database_id(resources.database)
    assert f"bucket {marked_bucket.name} belongs to database {theirs}" in error
    assert f"this is database {ours}" in error
    assert "python -m app bucket adopt" in error
    assert 1 == len(await keys_in(marked_bucket, "exports/"))

    await marker.adopt(marked_bucket, ours)
    run = await run_schedule(resources, "cleanup:daily")
    assert ("done", 1) == (run.state, run.counts["export_files"])


async def test_cleanup_marks_a_bucket_without_a_marker(
    resources: Resources, marked_bucket: Bucket
) -> None:
    await marked_bucket.delete([marker.KEY])
    assert "done" == (await run_schedule(resources, "cleanup:daily")).state
    ours = await database_id(resources.database)
    assert f"{ours}\n".encode() == await marked_bucket.read(marker.KEY)


async def test_too_many_objects_without_a_row_are_removed_only_with_an_operators_permission(
    resources: Resources, marked_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "MAX_ORPHANS", 3)
    await put_orphans(marked_bucket, 4)
    error = await cleanup_error(resources)
    assert error.startswith("Dead: 4 of the 4 objects in the bucket")
    assert "`just trigger cleanup:daily --max-orphans 4`" in error
    assert 4 == len(await keys_in(marked_bucket, "exports/"))

    async with resources.database.transaction() as tx:
        await trigger(tx, "cleanup:daily", by="test", fields={"max_orphans": 4})
    await run_jobs(resources)
    assert set() == await keys_in(marked_bucket, "exports/")


@pytest.mark.parametrize(("orphans", "left"), [(3, 0), (4, 4)])
async def test_limit_is_a_tenth_of_the_objects_if_that_is_more(
    database: Database,
    resources: Resources,
    marked_bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    orphans: int,
    left: int,
) -> None:
    monkeypatch.setattr(cleanup, "MAX_ORPHANS", 1)
    (user_id,) = await add_users(database, 1)
    for _ in range(30 - orphans):
        await marked_bucket.put(await insert_photo(database, user_id), b"x", "image/png")
    await put_orphans(marked_bucket, orphans)
    await trigger_run(database, "cleanup:daily")
    await run_jobs(resources, may_fail=True)
    assert left == len(await keys_in(marked_bucket, "exports/"))
    assert 30 - orphans == len(await keys_in(marked_bucket, "photos/"))


async def test_objects_that_lose_their_rows_in_the_same_cleanup_do_not_count(
    database: Database,
    resources: Resources,
    marked_bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cleanup, "MAX_ORPHANS", 0)
    (user_id,) = await add_users(database, 1)
    for _ in range(3):
        await marked_bucket.put(await insert_photo(database, user_id), b"x", "image/png")
    await database.execute("update activities set deleted_at = now() - interval '31 days'")
    expired = await database.fetchval(
        "insert into exports (user_id, format, open, completed_at, expires_at, row_count,"
        " size_bytes, sha256, etag) values ($1, 'csv', false, now(), now() - interval '1 hour', 1,"
        " 1, repeat('0', 64), 'etag') returning id",
        user_id,
    )
    await marked_bucket.put(f"exports/{user_id}/{expired}.csv", b"x", "text/csv")
    # The bucket's clock may not be the one by which rows are dated.
    tomorrow = max(await last_modified_at(marked_bucket), datetime.now(UTC)) + timedelta(hours=25)
    await cleanup.remove_old_data(
        await claimed_cleanup(database), marked_bucket, DEFAULT_RETENTION, now=tomorrow
    )
    for prefix in ("photos/", "exports/"):
        assert set() == await keys_in(marked_bucket, prefix)

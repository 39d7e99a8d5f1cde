"""Erasing the data of deleted accounts."""

from __future__ import annotations

from datetime import timedelta

from app import jobs
from app.jobs import Job, Run, handles
from app.postgres.database import Transaction
from app.s3 import Bucket
from app.users import statements
from app.users.user import UserId


class EraseUser(Job, frozen=True):
    """Erase the data of a deleted account."""

    kind = "user:erase"
    queue = "low"
    timeout = timedelta(minutes=30)
    retries = 10
    backoff = timedelta(minutes=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


async def delete_unconfirmed(tx: Transaction, user_id: UserId) -> str | None:
    """Delete an account whose address is not confirmed, and enqueue the erasure of its data.

    Returns:
        The address; None if it is confirmed, or if the account is already deleted.
    """
    email = await statements.mark_unconfirmed_deleted(tx, user_id=user_id)
    if email is not None:
        await statements.remove_sessions(tx, user_id=user_id)
        await jobs.enqueue(tx, EraseUser(user_id=user_id))
    return email


USER_FOLDERS = ("photos", "exports", "reports")
"""The folders in the bucket that have a subfolder for each user, named after the user's id."""

ACTIVITIES_PER_BATCH = 1000


async def erase(
    run: Run, bucket: Bucket, user_id: UserId, *, batch_size: int = ACTIVITIES_PER_BATCH
) -> None:
    """Remove a deleted account's objects, its rows and the account itself.

    An account that is not deleted is left alone. Objects are removed first: an interrupted attempt
    leaves the account in place, so that the next attempt can continue. If the account is already
    gone, its remaining objects are still removed.

    Jobs are kept, with the id of the erased account. So is the suppression of its address, which
    must outlive the account.

    Args:
        batch_size: the most activities that one transaction removes.

    Raises:
        Unavailable: the bucket is unavailable.
        LeaseLost: this attempt has lost its job.
    """
    async with run.transaction() as tx:
        is_active = await statements.account_is_active(tx, user_id=user_id)
    if is_active:
        await run.finish_with_note("the account still exists, and only its owner can delete it")
        return
    await _erase_objects(run, bucket, user_id)
    removed = batch_size
    while removed == batch_size:
        async with run.transaction() as tx:
            removed = await statements.erase_activities(tx, user_id=user_id, limit=batch_size)
    async with run.completion() as tx:
        await statements.erase_requests(tx, user_id=user_id)
        await statements.erase_idempotency_keys(tx, user_id=user_id)
        await statements.erase_user(tx, user_id=user_id)


async def _erase_objects(run: Run, bucket: Bucket, user_id: UserId) -> None:
    for folder in USER_FOLDERS:
        while keys := await bucket.keys(f"{folder}/{user_id}/"):
            await run.assert_lease()
            await bucket.delete(keys)


@handles(EraseUser)
async def erase_user(job: EraseUser, run: Run, bucket: Bucket) -> None:
    await erase(run, bucket, job.user_id)

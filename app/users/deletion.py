"""Leaving: the account is gone at once, and a job removes all that it leaves."""

from __future__ import annotations

from app import jobs
from app.errors import Forbidden
from app.jobs import Run
from app.postgres.database import Transaction
from app.s3 import Bucket
from app.users import statements
from app.users.jobs import EraseUser
from app.users.statements import Credentials
from app.users.user import UserId

FOLDERS = ("photos", "exports", "reports")
"""Of the bucket: what a person has lies in `<folder>/<user id>/`."""
BATCH = 1000


async def leave(tx: Transaction, checked: Credentials) -> None:
    """Delete an account whose password was checked: nobody can sign in to it any more, its sessions
    end, and its address is free.

    Raises:
        Forbidden: the account was deleted or its password changed since the check.
    """
    if not await statements.mark_deleted(tx, checked.id, checked.password_hash):
        raise Forbidden("The password is wrong.")
    await statements.remove_sessions(tx, checked.id)
    await jobs.enqueue(tx, EraseUser(user_id=checked.id))


async def erase(run: Run, bucket: Bucket, user_id: UserId, *, batch: int = BATCH) -> None:
    """Remove the objects, the rows, and the account itself. An account that lives is left alone.

    Objects go first, so that an attempt that is cut short leaves the account, and the next goes on;
    where the account is gone all the same, what it left in the bucket goes.
    What stays: jobs, which bear the id of an account that is no more, and a suppression of its
    address, which has to outlive it.

    Args:
        batch: the most activities that one transaction removes.

    Raises:
        Unavailable: the bucket is away.
        LeaseLost: the job is another worker's now.
    """
    async with run.transaction() as tx:
        lives = await statements.lives(tx, user_id)
    if lives:
        await run.had_nothing_to_do("the account exists, and only its owner can delete it")
        return
    await _erase_objects(run, bucket, user_id)
    removed = batch
    while removed == batch:
        async with run.transaction() as tx:
            removed = await statements.erase_activities(tx, user_id, batch)
    async with run.completion() as tx:
        await statements.erase_requests(tx, user_id)
        await statements.erase_answers(tx, user_id)
        await statements.erase_user(tx, user_id)


async def _erase_objects(run: Run, bucket: Bucket, user_id: UserId) -> None:
    for folder in FOLDERS:
        while keys := await bucket.keys(f"{folder}/{user_id}/"):
            await run.held()
            await bucket.delete(keys)

"""What may be taken over from a worker, and by whom."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from app.jobs import statements
from app.resources import Resources
from app.transaction import Database
from tests.kit.ledger import effects_of
from tests.kit.trials import Effect, put, row
from tests.kit.working import eventually, until, working
from worker.beat import take_over_until_cancelled


async def test_a_worker_that_was_cut_off_takes_nothing_over_on_its_return(
    effects: Database, resources: Resources
) -> None:
    async with working(resources, grace=0) as process:
        job_id = await put(effects, Effect(seconds=60))
        await until(lambda: job_id in process.slots.running)
        await asyncio.sleep(0.5)
        apart = take_over_until_cancelled(effects, process._relay, process._lease)
        relay = asyncio.create_task(apart)  # so that it is not always the beat that comes first
        await asyncio.sleep(0.7)
        time.sleep(10.5)  # noqa: ASYNC251 # the whole process stands still
        await asyncio.sleep(1)
        relay.cancel()
        assert (await row(effects, job_id))["crashes"] == 0


async def test_a_job_that_comes_back_while_it_still_runs_here_displaces_itself(
    effects: Database, resources: Resources
) -> None:
    async with working(resources, grace=0) as process:
        job_id = await put(effects, Effect(at_first=60))
        await until(lambda: job_id in process.slots.running)
        await effects.execute("update workers set seen_at = '-infinity'")
        await statements.take_over(effects)
        await eventually(lambda: effects_of(effects), (1, 0))
        await until(lambda: not process.slots.running)
        assert [] == [task for task in asyncio.all_tasks() if "test:effect" in task.get_name()]


async def test_a_claim_that_comes_before_the_first_beat_is_left_alone(effects: Database) -> None:
    job_id = await put(effects, Effect())
    await statements.claim(effects, [job_id], uuid4(), uuid4())
    assert [] == await statements.take_over(effects)

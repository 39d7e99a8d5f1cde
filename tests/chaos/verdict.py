"""The results of a chaos run, and whether they meet the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from app.postgres.database import Database
from tests.bench.table import Row
from tests.chaos.crew import Crew, Orphan
from tests.support.ledger import count_effects

RESTART_P99_S = 12.0
"""The target for the time from a worker's kill to the next start of its jobs."""

NEXT_START = """
select extract(epoch from min(at) - $3)::float8
from (
    select at from starts where job_id = $1 and attempt > $2
    union all select started_at from job_attempts where job_id = $1 and attempt > $2
) as later (at)
"""
UNFINISHED = "select count(*) from jobs where state <> 'done'"
WITHOUT_EFFECT = """
select count(*) from jobs where state = 'done' and kind <> 'chaos:no-op'
    and not exists (select from effects where effects.job_id = jobs.id)
"""
ATTEMPTS = "select sum(attempt) as made, max(attempt) as most, max(crashes) as crashes from jobs"


@dataclass(frozen=True, slots=True)
class Restarts:
    """Seconds from a worker's kill to the next start of each of its jobs, sorted."""

    seconds: Sequence[float]

    def percentile(self, part: float) -> float:
        """Return the percentile (nearest rank); 0 if there were no restarts."""
        found = self.seconds
        return found[max(0, ceil(part * len(found)) - 1)] if found else 0.0

    def __str__(self) -> str:
        p50, p99 = self.percentile(0.5), self.percentile(0.99)
        return f"{p50:.1f} / {p99:.1f} / {self.percentile(1):.1f} s, {len(self.seconds)} restarts"


async def compute_figures(database: Database, crew: Crew, enqueued: int) -> list[Row]:
    """Compute the figures for the run; those with a target come first."""
    rows = await database.fetchval("select count(*) from jobs")
    lost = enqueued - rows + await database.fetchval(UNFINISHED)
    lost += await database.fetchval(WITHOUT_EFFECT)
    effects, twice = await count_effects(database)
    first = await _restarts(database, [orphan for orphan in crew.orphans if orphan.crashes == 0])
    later = await _restarts(database, [orphan for orphan in crew.orphans if orphan.crashes > 0])
    attempts = await database.fetchrow(ATTEMPTS)
    assert attempts is not None
    p99 = first.percentile(0.99)
    exited = len(crew.exited_unexpectedly)
    return [
        Row("jobs lost", "", f"{lost} of {enqueued}", "0", lost == 0),
        Row("repeated effects", "", f"{twice} of {effects}", "0", twice == 0),
        Row("workers that exited without being killed", "", str(exited), "0", exited == 0),
        Row(
            "restart, p50 / p99 / max",
            "first crash",
            str(first),
            "p99 <= 12 s",
            p99 <= RESTART_P99_S,
        ),
        Row("", "later crashes, with delay", str(later)),
        Row("workers killed", "", str(crew.kills)),
        Row("attempts", "", f"{attempts['made']}, at most {attempts['most']} for one job"),
        Row("most crashes of one job", "", str(attempts["crashes"])),
        Row("leases lost", "", str(crew.count_events("job.lease_lost"))),
        Row("runs in a process of their own", "", str(crew.count_events("job.suspected"))),
    ]


async def _restarts(database: Database, orphans: Sequence[Orphan]) -> Restarts:
    found = [
        await database.fetchval(NEXT_START, orphan.job_id, orphan.attempt, orphan.at)
        for orphan in orphans
    ]
    return Restarts(sorted(seconds for seconds in found if seconds is not None))

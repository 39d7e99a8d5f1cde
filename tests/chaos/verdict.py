"""The results of a chaos run, and whether they meet the targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from app.jobs.redis_queue import queue_key
from app.postgres.database import Database
from app.resources import Resources
from app.users.emails import SendWelcomeEmail
from tests.bench.table import Row
from tests.chaos.crew import Crew, Orphan
from tests.chaos.load import Feed, Requests
from tests.chaos.servers import Sink
from tests.chaos.timeline import MAX_RESTART_S, Timeline
from tests.chaos.work import OBJECTS, NoOp, Store
from tests.support.ledger import count_effects

BACKLOG_KIND = "chaos:backlog"
"""The jobs that only wait: nothing runs them."""

NEXT_STARTS = """
select extract(epoch from at)::float8 as real, null::float8 as of_postgres
from starts where job_id = $1 and attempt > $2
union all
select null, extract(epoch from started_at)::float8
from job_attempts where job_id = $1 and attempt > $2
"""
STATES = f"select id, state from jobs where kind <> '{BACKLOG_KIND}'"  # noqa: S608 # a constant
WITHOUT_EFFECT = """
select count(*) from jobs where state = 'done' and kind not in ($1, $2)
    and not exists (select from effects where effects.job_id = jobs.id)
"""
STORED = "select id from jobs where kind = $1 and state = 'done'"
RECIPIENTS = """
select jobs.id, users.email, exists (
    select from job_attempts where job_id = jobs.id and outcome = 'crashed'
) as crashed
from jobs join users on users.id = (payload ->> 'user_id')::uuid
where jobs.kind = $1 and jobs.state = 'done'
"""
STARTS = "select extract(epoch from at)::float8 as at from starts order by at"
ATTEMPTS = f"""
select sum(attempt) as made, max(attempt) as most, max(crashes) as crashes
from jobs where kind <> '{BACKLOG_KIND}'
"""  # noqa: S608 # a constant


@dataclass(frozen=True, slots=True)
class Restarts:
    """Seconds until lost jobs started again, sorted: see `Timeline.restart_seconds`."""

    seconds: Sequence[float]

    def percentile(self, part: float) -> float:
        """Return the percentile (nearest rank); 0 if there were no restarts."""
        found = self.seconds
        return found[max(0, ceil(part * len(found)) - 1)] if found else 0.0

    def __str__(self) -> str:
        p50, p99 = self.percentile(0.5), self.percentile(0.99)
        return f"{p50:.1f} / {p99:.1f} / {self.percentile(1):.1f} s, {len(self.seconds)} restarts"


def target_of_zero(what: str, count: int, of: int | None = None) -> Row:
    result = str(count) if of is None else f"{count} of {of}"
    return Row(what, "", result, "0", count == 0)


async def job_rows(resources: Resources, feed: Feed) -> list[Row]:
    """Tell whether each accepted job has had its effect exactly once."""
    database = resources.database
    states = {row["id"]: row["state"] for row in await database.fetch(STATES)}
    unfinished = sum(states.get(job_id) != "done" for job_id in feed.accepted)
    unfinished += sum(states.get(job_id, "done") != "done" for job_id in feed.unknown)
    existing = sum(job_id in states for job_id in feed.failed)
    without = await database.fetchval(WITHOUT_EFFECT, NoOp.kind, SendWelcomeEmail.kind)
    effects, twice = await count_effects(database)
    keys = set(await resources.bucket.keys(OBJECTS))
    stored = {f"{OBJECTS}{row['id']}" for row in await database.fetch(STORED, Store.kind)}
    committed = sum(job_id in states for job_id in feed.unknown)
    return [
        target_of_zero("accepted jobs lost", unfinished + without, len(feed.accepted)),
        target_of_zero("jobs that exist although their transaction failed", existing),
        target_of_zero("effects in Postgres repeated", twice, effects),
        target_of_zero("objects missing from the bucket", len(stored - keys), len(stored)),
        Row("jobs not accepted: failed / unknown", "", f"{len(feed.failed) + feed.refused} / "
            f"{len(feed.unknown)}, of which {committed} committed"),
    ]  # fmt: skip


async def email_rows(database: Database, sink: Sink) -> list[Row]:
    """Count the emails. A second copy may follow if the worker died while sending the first."""
    missing, twice, unexplained = 0, 0, 0
    rows = await database.fetch(RECIPIENTS, SendWelcomeEmail.kind)
    for row in rows:
        arrivals = sink.arrivals[row["email"]]
        missing += not arrivals
        twice += arrivals > 1
        unexplained += arrivals > 1 and not row["crashed"]
    return [
        target_of_zero("emails missing", missing, len(rows)),
        target_of_zero("emails sent twice although no worker died", unexplained),
        Row("emails sent twice after a worker died", "", f"{twice - unexplained} of {len(rows)}"),
    ]


async def crew_rows(
    database: Database, crew: Crew, timeline: Timeline, *, with_target: bool
) -> list[Row]:
    """Tell how soon the jobs of lost workers started again."""
    first = await _restarts(database, timeline, (o for o in crew.orphans if o.crashes == 0))
    later = await _restarts(database, timeline, (o for o in crew.orphans if o.crashes > 0))
    starts = await database.fetch(STARTS)
    gap = max(
        (later - earlier for earlier, later in pairwise(row["at"] for row in starts)), default=0
    )
    attempts = await database.fetchrow(ATTEMPTS)
    assert attempts is not None
    met = first.percentile(0.99) <= MAX_RESTART_S if with_target else None
    target = f"p99 <= {MAX_RESTART_S:.0f} s" if with_target else ""
    exited = sum(not timeline.disturbed(at) for at, _ in crew.exited)
    return [
        target_of_zero("workers that exited with an error", exited),
        Row("restart, p50 / p99 / max", "first crash", str(first), target, met),
        Row("", "later crashes, with delay", str(later)),
        Row("longest time without a start of a job", "", f"{gap:.1f} s"),
        Row("workers killed or frozen", "", str(len(crew.killed_at))),
        Row("workers that drained after two SIGTERMs", "", str(crew.drained)),
        Row("workers that exited during an outage", "", str(len(crew.exited) - exited)),
        Row("attempts", "", f"{attempts['made']}, at most {attempts['most']} for one job"),
        Row("most crashes of one job", "", str(attempts["crashes"])),
        Row("leases lost", "", str(crew.count_events("job.lease_lost"))),
        Row("runs in a process of their own", "", str(crew.count_events("job.suspected"))),
    ]


async def request_rows(database: Database, requests: Requests) -> list[Row]:
    """Tell whether each activity that the API confirmed exists."""
    found = await database.fetchval(
        "select count(*) from activities where id = any($1)", list(requests.created)
    )
    lost = len(requests.created) - int(found)
    answers = ", ".join(f"{count} x {answer}" for answer, count in requests.answers.most_common())
    return [
        target_of_zero("activities missing although the API answered 201", lost,
                       len(requests.created)),
        Row("API responses", "", answers),
        Row("longest time without a 201", "", f"{requests.longest_gap_s:.1f} s"),
    ]  # fmt: skip


async def redis_row(resources: Resources) -> Row:
    """Count the ids in the queues, except the one that holds the backlog."""
    sizes = [await resources.redis.zcard(queue_key(queue)) for queue in ("critical", "default")]
    return target_of_zero("ids left in Redis", sum(sizes))


async def _restarts(database: Database, timeline: Timeline, orphans: Iterable[Orphan]) -> Restarts:
    found = []
    for orphan in orphans:
        rows = await database.fetch(NEXT_STARTS, orphan.job_id, orphan.attempt)
        starts = [row["real"] or timeline.real_time(row["of_postgres"]) for row in rows]
        if starts:
            found.append(timeline.restart_seconds(orphan.at, min(starts), orphan.kind))
    return Restarts(sorted(found))

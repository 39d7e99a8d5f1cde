-- name: blocked_kinds
-- Return what blocks which kinds: paused kinds and open breakers.
select kind, blocked_on, since, dependency from blocked_kinds;

-- name: blocking
-- Return what blocks this job: a paused kind before a breaker. A breaker's probe is not blocked.
select blocked_on from blocked_kinds
where kind = :kind and probe_id is distinct from :job_id
order by dependency is not null, blocked_on
limit 1;

-- name: park
-- Block these jobs if they are still waiting and this blocks their kind, and return which were
-- blocked.
-- Their `run_at` does not change. A breaker's probe is left out, and so are
-- locked rows: their jobs are blocked when they are claimed.
with parkable as (
    select id from jobs
    where id = any(:ids::uuid[])
        and state in ('queued', 'retrying', 'snoozed') and blocked_on is null
        and kind in (select kind from blocked_kinds where blocked_on = :blocked_on)
        and id not in (select probe_id from breakers where probe_id is not null)
    for no key update skip locked
)
update jobs set blocked_on = :blocked_on from parkable where jobs.id = parkable.id
returning jobs.id;

-- name: unblocked
-- Return what jobs are blocked on although it no longer blocks any kind.
with recursive causes as (
    (
        select blocked_on from jobs
        where state in ('queued', 'retrying', 'snoozed') and blocked_on is not null
        order by blocked_on limit 1
    )
    union all
    select (
        select jobs.blocked_on from jobs
        where jobs.state in ('queued', 'retrying', 'snoozed')
            and jobs.blocked_on is not null and jobs.blocked_on > causes.blocked_on
        order by jobs.blocked_on limit 1
    )
    from causes
    where causes.blocked_on is not null
)
select blocked_on from causes
where blocked_on is not null and blocked_on not in (select blocked_on from blocked_kinds);

-- name: wake
-- Unblock up to 5,000 jobs that are blocked on this, oldest first. Return each, and whether it is
-- due.
-- A job that something else blocks stays blocked, on that.
with batch as (
    select id from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on = :blocked_on
    order by run_at, id
    limit 5000
    for no key update skip locked
)
update jobs set
    blocked_on = (select min(blocked_kinds.blocked_on) from blocked_kinds where blocked_kinds.kind = jobs.kind),
    ready_at = clock_timestamp()
from batch
where jobs.id = batch.id
returning jobs.id, jobs.queue, jobs.run_at, jobs.blocked_on is null and jobs.run_at <= now() as due;

-- name: next_probes
-- Let the next job through for each open breaker whose wait is over, and return these jobs.
-- If a probe has not ended after 30 seconds and is not running, another job is let through.
with due as (
    select dependency from breakers
    where next_probe_at <= clock_timestamp()
        and not exists (select from jobs where id = probe_id and state = 'running')
    for no key update skip locked
),
oldest as (
    select due.dependency, candidate.id from due
    cross join lateral (
        select id from (
            select id, queue, kind, run_at from jobs
            where state in ('queued', 'retrying', 'snoozed') and blocked_on = due.dependency
            order by run_at, id
            limit 1000
        ) as first
        where not exists (
            select from pauses
            where what = 'queue' and name = first.queue or what = 'kind' and name = first.kind
        )
        order by run_at, id
        limit 1
    ) as candidate
),
probes as (
    update jobs set blocked_on = null, ready_at = clock_timestamp(), run_at = least(run_at, now())
    from oldest
    where jobs.id = oldest.id and jobs.blocked_on = oldest.dependency
        and jobs.state in ('queued', 'retrying', 'snoozed')
    returning jobs.id, jobs.queue, jobs.run_at, oldest.dependency
),
let_through as (
    update breakers set
        probe_id = probes.id, next_probe_at = clock_timestamp() + interval '30 seconds'
    from probes
    where breakers.dependency = probes.dependency
)
select id, queue, run_at from probes;

-- name: report_outage
-- Record that a job ran into an outage of this dependency, and return true if its breaker is open.
-- It opens if another worker reported the outage in the last 30 seconds, or if no other worker got
-- an answer in that time. If the job was the probe, the wait for the next one doubles, up to five
-- minutes.
with report as (
    insert into dependency_reports (dependency, worker_id, outage_at)
    select :dependency, id, clock_timestamp() from workers where id = :worker_id
    on conflict (dependency, worker_id) do update set outage_at = excluded.outage_at
),
others as (
    select
        coalesce(bool_or(outage_at > clock_timestamp() - interval '30 seconds'), false)
            as found_outage,
        coalesce(bool_or(answered_at > clock_timestamp() - interval '30 seconds'), false)
            as got_answer
    from dependency_reports
    where dependency = :dependency and worker_id <> :worker_id
),
breaker as (
    insert into breakers (dependency)
    select :dependency from others
    where found_outage or not got_answer
        or exists (select from breakers where dependency = :dependency)
    on conflict (dependency) do update set
        wait = case
            when breakers.probe_id = :job_id then least(breakers.wait * 2, interval '5 minutes')
            else breakers.wait
        end,
        next_probe_at = case
            when breakers.probe_id = :job_id
                then clock_timestamp() + least(breakers.wait * 2, interval '5 minutes')
            else breakers.next_probe_at
        end,
        probe_id = nullif(breakers.probe_id, :job_id)
    returning dependency
)
insert into breaker_kinds (kind, dependency)
select :kind, dependency from breaker
on conflict (kind, dependency) do update set kind = excluded.kind
returning true;

-- name: report_answers
-- Record that this worker has got answers from these dependencies.
insert into dependency_reports (dependency, worker_id, answered_at)
select dependency, workers.id, clock_timestamp()
from workers, unnest(:dependencies::text[]) as answered (dependency)
where workers.id = :worker_id
on conflict (dependency, worker_id) do update set answered_at = excluded.answered_at;

-- name: close_breaker
-- Close a breaker, unless a worker has reported an outage since the dependency answered.
delete from breakers
where dependency = :dependency
    and not exists (
        select from dependency_reports
        where dependency_reports.dependency = :dependency
            and outage_at > :answered_at::timestamptz
    )
returning true;

-- name: end_probe
-- Let the next job through at once: this probe has ended without calling the dependency.
update breakers set probe_id = null, next_probe_at = clock_timestamp()
where probe_id = :job_id;

-- name: queues
-- Return the state of each of these queues, in the given order.
-- Includes job counts, the throughput over the last five minutes, and whether the queue is paused.
with waiting as (
    -- One query for each partial index, so that finished jobs, perhaps millions, are not read.
    select queue, run_at <= now() as due, count(*) as jobs, min(run_at) as oldest from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is null
    group by queue, due
    union all
    select queue, false, count(*), null from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is not null
    group by queue
),
summed as (
    select
        queue,
        sum(jobs) filter (where due) as waiting,
        sum(jobs) filter (where not due) as scheduled,
        min(oldest) filter (where due) as oldest
    from waiting
    group by queue
),
running as (
    select queue, count(*) as jobs from jobs where state = 'running' and worker_id is not null
    group by queue
),
finished as (
    select queue, count(*) as jobs from jobs
    where finished_at > now() - interval '5 minutes' and state in ('done', 'dead')
    group by queue
)
select
    requested.name,
    coalesce(summed.waiting, 0)::bigint as waiting,
    coalesce(summed.scheduled, 0)::bigint as scheduled,
    extract(epoch from now() - summed.oldest)::float8 as oldest_age_s,
    coalesce(running.jobs, 0) as running,
    coalesce(finished.jobs, 0)::float8 / 5 as finished_per_minute,
    paused_at is not null as paused,
    paused_at,
    requested.weight
from unnest(:names::text[], :weights::int[]) with ordinality as requested (name, weight, place)
left join summed on summed.queue = requested.name
left join running on running.queue = requested.name
left join finished on finished.queue = requested.name
left join pauses on pauses.what = 'queue' and pauses.name = requested.name
order by place;

-- name: kinds
-- Return the state of these kinds, and of all that are paused or have unfinished or dead jobs.
with present as (
    select
        kind, case when run_at <= now() then 'waiting' else 'scheduled' end as status,
        count(*) as jobs
    from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is null
    group by kind, status
    union all
    select kind, 'scheduled', count(*) from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is not null
    group by kind
    union all
    select kind, 'running', count(*) from jobs
    where state = 'running' and worker_id is not null
    group by kind
    union all
    select kind, 'dead', count(*) from jobs where state = 'dead' group by kind
),
requested (name) as (
    select unnest(:names::text[])
    union
    select name from pauses where what = 'kind'
    union
    select kind from present
)
select
    requested.name,
    coalesce(sum(jobs) filter (where status = 'waiting'), 0)::bigint as waiting,
    coalesce(sum(jobs) filter (where status = 'scheduled'), 0)::bigint as scheduled,
    coalesce(sum(jobs) filter (where status = 'running'), 0)::bigint as running,
    coalesce(sum(jobs) filter (where status = 'dead'), 0)::bigint as dead,
    paused_at is not null as paused,
    paused_at
from requested
left join present on present.kind = requested.name
left join pauses on pauses.what = 'kind' and pauses.name = requested.name
group by requested.name, paused_at
order by requested.name;

-- name: blocked_jobs
-- Return what blocks waiting jobs: dependencies and paused kinds.
-- Each comes with the number of jobs that it blocks, and when a dependency is next probed.
select blocked_on, count(*) as jobs, min(next_probe_at) as next_probe_at from jobs
left join breakers on dependency = blocked_on
where state in ('queued', 'retrying', 'snoozed') and blocked_on is not null
group by blocked_on
order by blocked_on;

-- name: kind_exists
-- Tell whether this kind has any job or is paused. If neither, this reads all jobs.
select
    exists (select from pauses where what = 'kind' and name = :name)
    or exists (select from jobs where kind = :name);

-- name: pause
-- Pause this queue or kind. Repeating it keeps the time of the first pause.
insert into pauses (what, name) values (:what, :name) on conflict do nothing;

-- name: resume
-- Resume this queue or kind.
delete from pauses where what = :what and name = :name;

-- name: queues
-- Every queue of these names, in their order: what waits in it and runs, how fast it empties, and its pause.
with waiting as (
    -- In two parts, one for each partial index: the finished jobs, which may be millions, stay unread.
    select queue, run_at <= now() as due, count(*) as jobs, min(run_at) as oldest from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null
    group by queue, due
    union all
    select queue, run_at <= now() as due, count(*), min(run_at) from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is not null
    group by queue, due
),
summed as (
    select
        queue,
        sum(jobs) filter (where due) as size,
        sum(jobs) filter (where not due) as scheduled,
        min(oldest) filter (where due) as oldest
    from waiting
    group by queue
),
running as (
    select queue, count(*) as jobs from jobs where state = 'running' group by queue
),
finished as (
    select queue, count(*) as jobs from jobs
    where finished_at > now() - interval '5 minutes' and state in ('done', 'dead')
    group by queue
)
select
    asked.name,
    coalesce(summed.size, 0)::bigint as size,
    coalesce(summed.scheduled, 0)::bigint as scheduled,
    extract(epoch from now() - summed.oldest)::float8 as oldest_age_s,
    coalesce(running.jobs, 0) as running,
    coalesce(finished.jobs, 0)::float8 / 5 as finished_per_minute,
    paused_at is not null as paused,
    paused_at,
    asked.weight
from unnest(:names::text[], :weights::int[]) with ordinality as asked (name, weight, place)
left join summed on summed.queue = asked.name
left join running on running.queue = asked.name
left join finished on finished.queue = asked.name
left join pauses on pauses.what = 'queue' and pauses.name = asked.name
order by place;

-- name: kinds
-- These kinds, and all that are paused, unfinished or dead: what waits, runs and died, and whether it is paused.
with present as (
    select kind, case when run_at <= now() then 'waiting' else 'scheduled' end as how, count(*) as jobs
    from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null
    group by kind, how
    union all
    select kind, case when run_at <= now() then 'waiting' else 'scheduled' end as how, count(*)
    from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is not null
    group by kind, how
    union all
    select kind, 'running', count(*) from jobs where state = 'running' group by kind
    union all
    select kind, 'dead', count(*) from jobs where state = 'dead' group by kind
),
asked (name) as (
    select unnest(:names::text[])
    union
    select name from pauses where what = 'kind'
    union
    select kind from present
)
select
    asked.name,
    coalesce(sum(jobs) filter (where how = 'waiting'), 0)::bigint as waiting,
    coalesce(sum(jobs) filter (where how = 'scheduled'), 0)::bigint as scheduled,
    coalesce(sum(jobs) filter (where how = 'running'), 0)::bigint as running,
    coalesce(sum(jobs) filter (where how = 'dead'), 0)::bigint as dead,
    paused_at is not null as paused,
    paused_at
from asked
left join present on present.kind = asked.name
left join pauses on pauses.what = 'kind' and pauses.name = asked.name
group by asked.name, paused_at
order by asked.name;

-- name: outages
-- The dependencies that snoozed jobs wait for, with the next time at which one of the jobs tries again.
select blocked_on, count(*) as jobs, min(run_at) as next_try_at from jobs
where state = 'snoozed' and blocked_on is not null
group by blocked_on
order by blocked_on;

-- name: kind_was_seen
-- Whether there is any job of this kind, or a pause of it. Reads all jobs when there is none.
select
    exists (select from pauses where what = 'kind' and name = :name)
    or exists (select from jobs where kind = :name);

-- name: pause
-- This queue or kind is paused. Pausing it twice keeps the first time.
insert into pauses (what, name) values (:what, :name) on conflict do nothing;

-- name: resume
-- This queue or kind is not paused.
delete from pauses where what = :what and name = :name;

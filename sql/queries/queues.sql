-- name: queues
-- Every queue of these names, in their order: what waits in it and runs, and whether it is paused.
with unfinished as (
    -- In three parts, one for each partial index: the finished jobs, which may be millions, stay unread.
    select queue, run_at, false as running from jobs
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is null
    union all
    select queue, run_at, false from jobs
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is not null
    union all
    select queue, run_at, true from jobs where state = 'running'
)
select
    asked.name,
    count(*) filter (where not running and run_at <= now()) as size,
    count(*) filter (where not running and run_at > now()) as scheduled,
    extract(epoch from now() - min(run_at) filter (where not running and run_at <= now()))::float8
        as oldest_age_s,
    count(*) filter (where running) as running,
    paused_at is not null as paused,
    paused_at,
    asked.weight
from unnest(:names::text[], :weights::int[]) with ordinality as asked (name, weight, place)
left join unfinished on unfinished.queue = asked.name
left join pauses on pauses.what = 'queue' and pauses.name = asked.name
group by asked.name, asked.weight, place, paused_at
order by place;

-- name: kinds
-- These kinds, and all that are paused, unfinished or dead: what waits, runs and died, and whether it is paused.
with present as (
    select kind, run_at, state from jobs
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is null
    union all
    select kind, run_at, state from jobs
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is not null
    union all
    select kind, run_at, state from jobs where state = 'running'
    union all
    select kind, run_at, state from jobs where state = 'dead'
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
    count(*) filter (where state not in ('running', 'dead') and run_at <= now()) as waiting,
    count(*) filter (where state not in ('running', 'dead') and run_at > now()) as scheduled,
    count(*) filter (where state = 'running') as running,
    count(*) filter (where state = 'dead') as dead,
    paused_at is not null as paused,
    paused_at
from asked
left join present on present.kind = asked.name
left join pauses on pauses.what = 'kind' and pauses.name = asked.name
group by asked.name, paused_at
order by asked.name;

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

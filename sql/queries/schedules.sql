-- name: clock
-- Return the time by Postgres's clock, the only one that schedules use.
select clock_timestamp();

-- name: register_schedule
-- Register a schedule. Ticks up to now are not fired. Repeating it changes nothing.
insert into schedules (name, decided_until)
values (:name, :now)
on conflict (name) do nothing;

-- name: lock_schedule
-- Lock a schedule to decide what happens at its ticks. Returns no row if it is already locked.
select decided_until, paused_at is not null as paused
from schedules
where name = :name
for update skip locked;

-- name: decide_until
-- Record that the ticks up to now have been decided.
update schedules set decided_until = greatest(decided_until, :now) where name = :name;

-- name: unfinished_job
-- Return this schedule's oldest unfinished job, not counting runs triggered by hand.
select job_id from schedule_runs
where schedule = :schedule and state = 'running' and fired_by = 'schedule'
order by id
limit 1;

-- name: unfired_ticks
-- Return which of these ticks have had no run, oldest first.
-- Also returns the skipped ticks that are not older than this time (null: no skipped ticks).
select tick from unnest(:ticks::timestamptz[]) as due (tick)
where not exists (
    select from schedule_runs as r
    where r.schedule = :schedule and r.tick = due.tick and r.state <> 'skipped'
)
union
select tick from schedule_runs
where schedule = :schedule and state = 'skipped' and tick >= :skipped_since::timestamptz
order by tick;

-- name: insert_run
-- Record a tick's run and the job that carries it out. Returns no row if the tick has already had
-- a run.
-- A tick that was skipped may still get a run.
insert into schedule_runs (schedule, tick, day, fired_by, job_id, state)
values (:schedule, :tick, :day, :fired_by, :job_id, 'running')
on conflict (schedule, tick) do update set
    state = 'running', job_id = excluded.job_id, note = null, fired_at = now(), finished_at = null
where schedule_runs.state = 'skipped'
returning id;

-- name: insert_skipped_run
-- Record that a tick is skipped, and why.
insert into schedule_runs (schedule, tick, day, fired_by, state, note, finished_at)
values (:schedule, :tick, :day, 'schedule', 'skipped', :note, now())
on conflict (schedule, tick) do nothing;

-- name: save_counts
-- Record what a job's run has done so far. Does nothing if the job belongs to no run.
update schedule_runs set counts = :counts::jsonb where job_id = :job_id;

-- name: pause_schedule
-- Pause the schedule: no tick is fired until it is resumed.
-- Repeating it keeps the time of the first pause.
insert into schedules (name, decided_until, paused_at)
values (:name, :now, :now)
on conflict (name) do update set paused_at = coalesce(schedules.paused_at, excluded.paused_at);

-- name: resume_schedule
-- Resume the schedule from now on. Ticks missed during the pause will not be fired.
update schedules set paused_at = null, decided_until = greatest(decided_until, :now)
where name = :name and paused_at is not null;

-- name: schedule_summaries
-- Return each schedule's pause, last run, last success, last duration and consecutive failures.
select
    requested.name,
    s.paused_at,
    last.id as last_run_id,
    succeeded.finished_at as last_success_at,
    extract(epoch from finished.finished_at - coalesce(finished.started_at, finished.fired_at))::float8
        as last_duration_s,
    (
        select count(*) from schedule_runs as r
        where r.schedule = requested.name and r.state = 'dead'
            and (succeeded.id is null or r.id > succeeded.id)
    ) as consecutive_failures
from unnest(:names::text[]) with ordinality as requested (name, place)
left join schedules as s on s.name = requested.name
left join lateral (
    select id from schedule_runs as r where r.schedule = requested.name order by id desc limit 1
) as last on true
left join lateral (
    select fired_at, started_at, finished_at from schedule_runs as r
    where r.schedule = requested.name and r.state in ('done', 'dead') order by id desc limit 1
) as finished on true
left join lateral (
    select id, finished_at from schedule_runs as r
    where r.schedule = requested.name and r.state = 'done' order by id desc limit 1
) as succeeded on true
order by place;

-- name: runs_by_id
-- Return the runs with these ids.
select
    id, schedule, tick, day, fired_by, state, note, job_id, fired_at, started_at, finished_at,
    extract(epoch from finished_at - coalesce(started_at, fired_at))::float8 as duration_s,
    error, counts::text as counts
from schedule_runs
where id = any(:ids::uuid[]);

-- name: runs_before
-- Return a page of a schedule's runs, newest first, after the cursor.
select
    id, schedule, tick, day, fired_by, state, note, job_id, fired_at, started_at, finished_at,
    extract(epoch from finished_at - coalesce(started_at, fired_at))::float8 as duration_s,
    error, counts::text as counts
from schedule_runs
where schedule = :schedule and (:before::uuid is null or id < :before)
order by id desc
limit :limit;

-- name: run_of_job
-- Return the run that a job belongs to, or no row if it belongs to no run.
select
    id, schedule, tick, day, fired_by, state, note, job_id, fired_at, started_at, finished_at,
    extract(epoch from finished_at - coalesce(started_at, fired_at))::float8 as duration_s,
    error, counts::text as counts
from schedule_runs
where job_id = :job_id;

-- name: unfinished_runs
-- Return the age in seconds of each schedule's oldest unfinished run.
select schedule, extract(epoch from now() - min(fired_at))::float8 as seconds from schedule_runs
where state = 'running'
group by schedule;

-- name: run_outcomes
-- Count the finished and skipped runs in the history by schedule and state.
select schedule, state, count(*) as runs from schedule_runs
where state <> 'running'
group by schedule, state;

-- name: waiting_in_queue
-- Count the jobs in a queue that are due or blocked, up to a limit.
-- Reads the partial indexes of the waiting jobs, not the finished jobs.
select count(*) from (
    (
        select 1 from jobs
        where queue = :queue and state in ('queued', 'retrying', 'snoozed') and blocked_on is null
            and greatest(run_at, ready_at) <= now()
        limit :limit
    )
    union all
    (
        select 1 from jobs
        where queue = :queue and state in ('queued', 'retrying', 'snoozed')
            and blocked_on is not null
        limit :limit
    )
    limit :limit
) as waiting;

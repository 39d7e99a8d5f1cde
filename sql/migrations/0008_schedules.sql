-- migrate:up

create table schedules (
    name text primary key,
    decided_until timestamptz not null, -- every tick up to this time has been decided
    paused_at timestamptz
);

-- Every run, and every tick that was skipped.
create table schedule_runs (
    id uuid primary key default uuidv7(),
    schedule text not null,
    slot timestamptz not null, -- the tick, or the time when a manual run was triggered
    day date not null, -- the day that the run covers, or the last day of its period
    fired_by text not null, -- 'schedule', or who triggered it
    state text not null check (state in ('going', 'done', 'dead', 'cancelled', 'skipped')),
    note text, -- why the tick was skipped
    job_id uuid, -- no foreign key: the history outlives the jobs
    fired_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    counts jsonb not null default '{}',
    error text,
    unique (schedule, slot),
    check ((state = 'skipped') <= (note is not null and finished_at is not null)),
    check ((state = 'skipped') or (job_id is not null)),
    check ((state = 'going') = (finished_at is null))
);

create index schedule_runs_of_a_job on schedule_runs (job_id);
create index schedule_runs_by_id on schedule_runs (schedule, id desc);
create index schedule_runs_counted on schedule_runs (day)
    where schedule = 'stats:daily' and state = 'done';

-- A run ends when its job ends, whether the handler, an operator or the loss of the worker ends the
-- job. If an operator retries the job, the run is running again. Only the keys of runs' jobs begin
-- with 'slot ', so the trigger costs other jobs nothing.
create function tell_schedule_run() returns trigger language plpgsql as $$
begin
    update schedule_runs set
        state = case when new.state in ('done', 'dead', 'cancelled') then new.state else 'going' end,
        started_at = coalesce(started_at, new.started_at),
        finished_at = new.finished_at,
        error = case when new.state in ('dead', 'cancelled') then new.error end
    where job_id = new.id;
    return null;
end $$;

create trigger jobs_tell_schedule_run after update of state on jobs
    for each row
    when (new.occasion like 'slot %' and new.state is distinct from old.state)
    execute function tell_schedule_run();

-- migrate:down

drop trigger jobs_tell_schedule_run on jobs;
drop function tell_schedule_run;
drop table schedule_runs;
drop table schedules;

-- migrate:up

-- When the job last began to wait. It is due from `greatest(run_at, ready_at)`: the relay compares
-- with Redis the jobs that became due since its mark. Jobs that have waited since before this
-- migration have none.
alter table jobs add column ready_at timestamptz;
alter table jobs alter column ready_at set default clock_timestamp();

-- The waiting jobs whose ids belong in Redis once they are due, and those that something blocks.
drop index jobs_never_dispatched;
drop index jobs_dispatched;
drop index jobs_blocked_on;
create index jobs_ready on jobs (queue, greatest(run_at, ready_at), id)
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is null;
create index jobs_blocked on jobs (blocked_on, run_at, id)
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is not null;

-- `dispatched_at` and `alone` are no longer used. They are dropped in the next release, since
-- workers of the previous one may still be running.

-- The worker that runs the relay; its mark, which is the time up to which Redis was given the ids of
-- all due jobs; and when a worker last asked for a comparison of all due jobs with Redis.
create table relay (
    only_row boolean primary key default true check (only_row),
    worker_id uuid,
    held_until timestamptz not null default 'epoch',
    mark timestamptz not null default 'epoch',
    compare_requested_at timestamptz not null default 'epoch'
);
insert into relay default values;

-- When any worker last sent a heartbeat, and when the last gap between two of them ended.
create table heartbeats (
    only_row boolean primary key default true check (only_row),
    last_at timestamptz not null default 'epoch',
    gap_ended_at timestamptz not null default 'epoch'
);
insert into heartbeats default values;

-- migrate:down
drop table heartbeats;
drop table relay;
drop index jobs_blocked;
drop index jobs_ready;
create index jobs_blocked_on on jobs (blocked_on) where state = 'snoozed' and blocked_on is not null;
create index jobs_dispatched on jobs (dispatched_at)
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is not null;
create index jobs_never_dispatched on jobs (run_at)
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null;
alter table jobs drop column ready_at;

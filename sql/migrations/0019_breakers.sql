-- migrate:up

-- The open breakers. While a dependency is unavailable, the jobs of the kinds that need it are
-- blocked, and one at a time is let through as a probe.
create table breakers (
    dependency text primary key,
    opened_at timestamptz not null default clock_timestamp(),
    wait interval not null default '5 seconds', -- from the end of a failed probe to the next
    next_probe_at timestamptz not null default clock_timestamp() + interval '5 seconds',
    probe_id uuid -- the job that was last let through, while its attempt may be running
);

-- The kinds whose jobs have run into the outage.
create table breaker_kinds (
    kind text not null,
    dependency text not null references breakers on delete cascade,
    added_at timestamptz not null default clock_timestamp(),
    primary key (kind, dependency)
);

-- When each worker last found each dependency unavailable, and when it last got an answer.
create table dependency_reports (
    dependency text not null,
    worker_id uuid not null references workers on delete cascade,
    outage_at timestamptz,
    answered_at timestamptz,
    primary key (dependency, worker_id)
);

-- Why the jobs of a kind must wait: an operator has paused the kind, or a breaker is open.
create view blocked_kinds as
select
    name as kind, 'kind ' || name as blocked_on, paused_at as since,
    null as dependency, null::uuid as probe_id
from pauses
where what = 'kind'
union all
select kind, dependency, added_at, dependency, probe_id
from breaker_kinds join breakers using (dependency);

-- migrate:down
drop view blocked_kinds;
drop table dependency_reports;
drop table breaker_kinds;
drop table breakers;

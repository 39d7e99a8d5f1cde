-- migrate:up
create table jobs (
    id uuid primary key default uuidv7(),
    kind text not null,
    queue text not null check (queue in ('critical', 'default', 'low')),
    payload jsonb not null,
    state text not null default 'queued'
        check (state in ('queued', 'running', 'retrying', 'snoozed', 'done', 'dead', 'cancelled')),
    occasion text,
    concerns uuid, -- a user id, but no foreign key: the record of a job outlives the user
    request_id text, -- the HTTP request that caused the job
    traceparent text, -- the trace of that request, in the W3C format
    enqueued_at timestamptz not null default now(),
    run_at timestamptz not null default now(),
    useful_until timestamptz,
    handed_over_at timestamptz, -- when the job was last recorded as held by Redis
    waits_for text, -- the dependency or paused kind that the snoozed job is blocked on
    attempt int not null default 0,
    failures int not null default 0,
    crashes int not null default 0,
    alone boolean not null default false, -- the job runs alone in its worker, after two crashes
    worker_id uuid,
    token uuid, -- of the claim: an attempt with another token commits nothing
    started_at timestamptz,
    finished_at timestamptz,
    cancel_requested_at timestamptz,
    progress jsonb,
    position jsonb, -- where the job resumes after a snooze or a crash
    error text,
    fingerprint text, -- of a dead letter: a hash of its kind and error, without ids and numbers
    check ((state = 'running') <= (token is not null and worker_id is not null and started_at is not null)),
    check ((state in ('done', 'dead', 'cancelled')) = (finished_at is not null)),
    check ((state = 'dead') = (fingerprint is not null))
);

create unique index jobs_one_unfinished_an_occasion on jobs (kind, occasion)
    where occasion is not null and state in ('queued', 'running', 'retrying', 'snoozed');

-- For the relay's two queries: due jobs that were never recorded as held by Redis, and due jobs
-- whose last record is more than five seconds old.
create index jobs_never_handed_over on jobs (run_at)
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is null;
create index jobs_handed_over on jobs (handed_over_at)
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is not null;

create index jobs_running on jobs (worker_id) where state = 'running';

-- Jobs that finished at the same time are close together in the table. A BRIN index has few pages
-- and does not slow down finishing.
create index jobs_finished on jobs using brin (finished_at) with (pages_per_range = 32, autosummarize);

-- Dead letters are few, and operators group and search them.
create index jobs_dead on jobs (fingerprint, finished_at) where state = 'dead';
create index jobs_to_look_at on jobs (state, id) where state in ('retrying', 'snoozed', 'dead', 'cancelled');
create index jobs_waits_for on jobs (waits_for) where state = 'snoozed' and waits_for is not null;
create index jobs_concerns on jobs (concerns, id) where concerns is not null;

create table job_attempts (
    job_id uuid not null references jobs on delete cascade,
    attempt int not null,
    worker_id uuid,
    started_at timestamptz not null,
    finished_at timestamptz not null default now(),
    outcome text not null
        check (outcome in ('done', 'retried', 'snoozed', 'dead', 'cancelled', 'crashed')),
    error text,
    traceback text,
    primary key (job_id, attempt)
);

create table workers (
    id uuid primary key,
    host text not null,
    pid int not null,
    slots int not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now()
);

-- Queues and kinds that operators have paused. The jobs in a paused queue wait in Redis. Jobs of a
-- paused kind are snoozed when they are claimed.
create table pauses (
    what text not null check (what in ('queue', 'kind')),
    name text not null,
    paused_at timestamptz not null default now(),
    primary key (what, name)
);

-- migrate:down
drop table pauses;
drop table workers;
drop table job_attempts;
drop table jobs;

-- migrate:up
create table jobs (
    id uuid primary key default uuidv7(),
    kind text not null,
    queue text not null check (queue in ('critical', 'default', 'low')),
    payload jsonb not null,
    state text not null default 'queued'
        check (state in ('queued', 'running', 'retrying', 'snoozed', 'done', 'dead', 'cancelled')),
    occasion text,
    concerns uuid, -- a user, but no foreign key: the record of a job outlives whom it was about
    request_id text, -- of the request that caused it
    traceparent text, -- the trace that the request was part of, in W3C's form
    enqueued_at timestamptz not null default now(),
    run_at timestamptz not null default now(),
    useful_until timestamptz,
    handed_over_at timestamptz, -- when Redis was last seen to hold it
    waits_for text, -- the dependency whose outage snoozed it
    attempt int not null default 0,
    failures int not null default 0,
    crashes int not null default 0,
    alone boolean not null default false, -- it runs with no other job beside it, after two crashes
    worker_id uuid,
    token uuid, -- the fence: whoever does not hold it commits nothing
    started_at timestamptz,
    finished_at timestamptz,
    cancel_requested_at timestamptz,
    progress jsonb,
    position jsonb, -- where a job that goes on after a pause or a crash has got to
    error text,
    fingerprint text, -- of a dead letter: kind, exception and message without ids and numbers
    check ((state = 'running') <= (token is not null and worker_id is not null and started_at is not null)),
    check ((state in ('done', 'dead', 'cancelled')) = (finished_at is not null)),
    check ((state = 'dead') = (fingerprint is not null))
);

create unique index jobs_one_unfinished_an_occasion on jobs (kind, occasion)
    where occasion is not null and state in ('queued', 'running', 'retrying', 'snoozed');

-- The relay's two questions: which due rows has Redis never been seen to hold, and which not lately.
create index jobs_never_handed_over on jobs (run_at)
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is null;
create index jobs_handed_over on jobs (handed_over_at)
    where state in ('queued', 'retrying', 'snoozed') and handed_over_at is not null;

create index jobs_running on jobs (worker_id) where state = 'running';

-- What has finished lately lies together: an index of a few pages, which costs the finishing nothing.
create index jobs_finished on jobs using brin (finished_at) with (pages_per_range = 32, autosummarize);

-- Dead letters are few, and grouped and searched by people.
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

-- What operators have stopped: a queue's jobs wait in Redis, a kind's are snoozed when their turn comes.
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

-- name: insert_job
-- One job, or no row when an unfinished one of its kind and unique key exists.
insert into jobs
    (kind, queue, payload, unique_key, user_id, request_id, traceparent, run_at, expires_at)
select
    :kind, :queue, :payload::jsonb, :unique_key, :user_id, :request_id, :traceparent, due,
    due + :expires_in::interval
from (select greatest(:run_at::timestamptz, now()) as due) as timing
on conflict (kind, unique_key)
    where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
    do nothing
returning id, run_at <= now() as due;

-- name: claim
-- Of these jobs, those that are due and free are mine under this token; asking again gives them again.
-- It does not wait for the disk. A crash of Postgres that forgets a claim forgets all that was fenced
-- by it, since a later commit takes every earlier one to the disk; the job then waits as before.
with unhurried as materialized (
    select set_config('synchronous_commit', 'off', true)
),
claimable as (
    select id from jobs
    where id = any(:ids::uuid[])
        and (
            (state in ('queued', 'retrying', 'snoozed') and run_at <= now())
            or (state = 'running' and worker_id = :worker_id and token = :token)
        )
    for no key update skip locked
)
update jobs set
    state = 'running',
    attempt = attempt + case when state = 'running' then 0 else 1 end,
    worker_id = :worker_id,
    token = :token,
    started_at = now(),
    blocked_on = null,
    progress = null
from claimable, unhurried
where jobs.id = claimable.id
returning jobs.id, kind, queue, payload::text as payload, position::text as position,
    attempt, failures, crashes, token,
    user_id, request_id, traceparent, run_at, started_at, coalesce(expires_at < now(), false) as expired;

-- name: still_waiting
-- Of these jobs, those that are due and free, though their rows may be locked for a moment.
select id, queue, attempt from jobs
where id = any(:ids::uuid[])
    and state in ('queued', 'retrying', 'snoozed') and run_at <= now();

-- name: hold
-- The job is still mine, and stays mine until this transaction ends: its token cannot change before.
select true from jobs
where id = :id and token = :token and state = 'running'
for share;

-- name: finish
-- This job is done, if it is mine. An attempt that succeeded at once is told by the job alone.
with done as (
    update jobs set state = 'done', finished_at = now(), error = null, progress = null, note = :note
    where id = :id and token = :token and state = 'running'
    returning id, attempt, worker_id, started_at
),
told as (
    insert into job_attempts (job_id, attempt, worker_id, started_at, outcome)
    select id, attempt, worker_id, started_at, 'done' from done where attempt > 1
    on conflict do nothing
)
select true from done;

-- name: finish_many
-- The ids, of these jobs, that are done under these tokens: by this statement or by an earlier one.
with mine as (
    select jobs.id, jobs.state
    from unnest(:ids::uuid[], :tokens::uuid[]) as finished (id, token)
    join jobs on jobs.id = finished.id and jobs.token = finished.token
    where jobs.state in ('running', 'done')
    for no key update of jobs
),
done as (
    update jobs set state = 'done', finished_at = now(), error = null, progress = null
    from mine
    where jobs.id = mine.id and mine.state = 'running'
    returning jobs.id, attempt, worker_id, started_at
),
told as (
    insert into job_attempts (job_id, attempt, worker_id, started_at, outcome)
    select id, attempt, worker_id, started_at, 'done' from done where attempt > 1
    on conflict do nothing
)
select id from mine;

-- name: reschedule
-- The job will be tried again after the delay, if it is mine. Failures count, snoozes do not, and
-- what was not even tried was no attempt. One whose end was asked for meanwhile is cancelled.
update jobs set
    state = case when cancel_requested_at is null then :state else 'cancelled' end,
    finished_at = case when cancel_requested_at is not null then now() end,
    run_at = now() + :delay::interval,
    attempt = attempt - :untried::int,
    failures = failures + :failed::int,
    blocked_on = :blocked_on,
    error = :error,
    alone = false,
    dispatched_at = null,
    worker_id = null,
    token = null
where id = :id and token = :token and state = 'running'
returning state;

-- name: fail_or_cancel
-- The job ends as dead or cancelled, if it is mine.
update jobs set
    state = :state,
    finished_at = now(),
    failures = failures + :failed::int,
    error = :error,
    fingerprint = :fingerprint
where id = :id and token = :token and state = 'running'
returning true;

-- name: insert_attempt
-- How an attempt ended. Repeating it changes nothing.
insert into job_attempts (job_id, attempt, worker_id, started_at, outcome, error, traceback)
values (:job_id, :attempt, :worker_id, :started_at, :outcome, :error, :traceback)
on conflict do nothing;

-- name: report_progress
-- What those who watch will see, if the job is mine.
update jobs set progress = :progress::jsonb
where id = :id and token = :token and state = 'running'
returning true;

-- name: keep_position
-- Where the job goes on if it is interrupted, and what those who watch see, if the job is mine.
update jobs set position = :position::jsonb, progress = :progress::jsonb
where id = :id and token = :token and state = 'running'
returning true;

-- name: never_dispatched
-- Due jobs that Redis was never seen to hold, oldest first; younger than a second may be on their way.
select id, queue, attempt from jobs
where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null
    and run_at <= now() and (enqueued_at <= now() - interval '1 second' or attempt > 0)
order by run_at
limit :most;

-- name: not_seen_lately
-- Due jobs that Redis was last seen to hold more than five seconds ago.
select id, queue, attempt from jobs
where state in ('queued', 'retrying', 'snoozed') and run_at <= now()
    and dispatched_at <= now() - interval '5 seconds'
order by dispatched_at
limit :most;

-- name: has_work
-- Whether this worker runs a job, or one is due in a queue that is not paused.
select
    exists (select from jobs where state = 'running' and worker_id = :worker_id)
    -- Two parts, one for each partial index: the finished jobs, which may be millions, stay unread.
    or exists (
        select from jobs
        where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null
            and run_at <= now()
            and queue not in (select name from pauses where what = 'queue')
    )
    or exists (
        select from jobs
        where state in ('queued', 'retrying', 'snoozed') and dispatched_at is not null
            and run_at <= now()
            and queue not in (select name from pauses where what = 'queue')
    );

-- name: forget_dispatched
-- No waiting job counts as held by Redis any more; one whose row is locked is just being claimed.
with waiting as (
    select id from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is not null
    for no key update skip locked
)
update jobs set dispatched_at = null from waiting where jobs.id = waiting.id;

-- name: mark_dispatched
-- Redis holds these jobs as of now, unless an attempt was made since they were read.
-- A locked row is skipped: waiting for it while holding others would be a deadlock with a finish.
with waiting as (
    select jobs.id
    from unnest(:ids::uuid[], :attempts::int[]) as seen (id, attempt)
    join jobs on jobs.id = seen.id and jobs.attempt = seen.attempt
    where jobs.state in ('queued', 'retrying', 'snoozed')
    for no key update of jobs skip locked
)
update jobs set dispatched_at = clock_timestamp() from waiting where jobs.id = waiting.id;

-- name: heartbeat
-- This worker is alive by Postgres's clock.
insert into workers (id, host, pid, slots)
values (:id, :host, :pid, :slots)
on conflict (id) do update set seen_at = clock_timestamp();

-- name: end_worker
-- This worker has drained and gone.
delete from workers where id = :id;

-- name: running_here
-- The jobs that run in this worker's name, and whether someone asked for their end.
select id, token, cancel_requested_at is not null as cancelled from jobs
where state = 'running' and worker_id = :worker_id;

-- name: reclaim
-- The jobs of workers that have not been seen for ten seconds wait again, after a growing pause;
-- one that ran alone in its worker has killed it, and is a dead letter.
with lost as (
    select jobs.id, jobs.attempt, jobs.worker_id, jobs.started_at, jobs.alone
    from jobs
    left join workers on workers.id = jobs.worker_id
    where jobs.state = 'running'
        and coalesce(workers.seen_at, jobs.started_at) < clock_timestamp() - interval '10 seconds'
    order by jobs.id
    limit 1000
    for no key update of jobs skip locked
),
crashed as (
    insert into job_attempts (job_id, attempt, worker_id, started_at, outcome, error)
    select id, attempt, worker_id, started_at, 'crashed', 'the worker was lost' from lost
    on conflict do nothing
)
update jobs set
    state = case
        when cancel_requested_at is not null then 'cancelled'
        when lost.alone then 'dead'
        else 'queued'
    end,
    finished_at = case when lost.alone or cancel_requested_at is not null then now() end,
    error = case when lost.alone then 'its worker was lost while it ran alone' else error end,
    fingerprint = case
        when lost.alone and cancel_requested_at is null then left(encode(sha256((kind || ': lost alone')::bytea), 'hex'), 16)
    end,
    alone = false,
    run_at = now() + case when crashes = 0 then interval '0' else interval '5 seconds' * (2 ^ least(crashes, 6)) end,
    crashes = crashes + 1,
    dispatched_at = null,
    worker_id = null,
    token = null
from lost
where jobs.id = lost.id
returning jobs.id, jobs.queue, jobs.attempt, state, kind, payload::text as payload;

-- name: release
-- These jobs, claimed under this token, were not run: they wait again as if never claimed. One whose
-- end was asked for meanwhile is cancelled.
update jobs set
    state = case when cancel_requested_at is null then 'queued' else 'cancelled' end,
    finished_at = case when cancel_requested_at is not null then now() end,
    attempt = attempt - 1,
    alone = false,
    dispatched_at = null,
    worker_id = null,
    token = null
where id = any(:ids::uuid[]) and token = :token and state = 'running'
returning id, queue, attempt, state, kind, payload::text as payload;

-- name: mark_alone
-- The job, if it is mine, runs with no other beside it: if its worker is lost now, it is to blame.
update jobs set alone = true
where id = :id and token = :token and state = 'running'
returning true;

-- name: pauses
-- The queues and kinds that operators have stopped.
select what, name from pauses;

-- name: wake_blocked
-- The jobs that were waiting for this are due now.
update jobs set run_at = now(), blocked_on = null, dispatched_at = null
where state = 'snoozed' and blocked_on = :blocked_on;

-- name: queue_stats
-- The unfinished and the dead jobs of each queue, kind, and dependency that they wait for, in figures.
with present as (
    -- In a part for each partial index: the finished jobs, which may be millions, stay unread.
    select queue, kind, blocked_on, state, run_at, true as unseen from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null
    union all
    select queue, kind, blocked_on, state, run_at, false from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is not null
    union all
    select queue, kind, null, state, run_at, false from jobs where state = 'running'
    union all
    select queue, kind, null, state, run_at, false from jobs where state = 'dead'
)
select
    queue,
    kind,
    blocked_on,
    count(*) filter (where state not in ('running', 'dead')) as unfinished,
    count(*) filter (where state not in ('running', 'dead') and run_at <= now()) as due,
    count(*) filter (where state = 'running') as running,
    count(*) filter (where state = 'dead') as dead,
    coalesce(extract(epoch from now() - min(run_at) filter (
        where state not in ('running', 'dead') and run_at <= now()
    )), 0)::float8 as oldest_age,
    coalesce(extract(epoch from now() - min(run_at) filter (
        where unseen and run_at <= now()
    )), 0)::float8 as outbox_lag
from present
group by queue, kind, blocked_on;

-- name: insert_jobs
-- Many jobs at once; those whose kind and unique key are taken by an unfinished one are left out.
insert into jobs
    (kind, queue, payload, unique_key, user_id, request_id, traceparent, run_at, expires_at)
select
    kind, queue, payload::jsonb, unique_key, user_id, :request_id, :traceparent,
    greatest(:run_at::timestamptz, now()), greatest(:run_at::timestamptz, now()) + expires_in
from unnest(
    :kinds::text[], :queues::text[], :payloads::text[], :unique_keys::text[], :user_id::uuid[],
    :useful_fors::interval[]
) as many (kind, queue, payload, unique_key, user_id, expires_in)
on conflict (kind, unique_key)
    where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
    do nothing
returning id, queue, attempt;

-- name: insert_job
-- Insert a job, and return its id and whether it is due.
-- No row if an unfinished job has its kind and unique key.
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
-- Claim the given jobs that are due and unlocked, for this worker under this token.
-- Repeating it returns the same jobs.
-- The commit does not wait for the disk. If Postgres crashes and loses a claim, it also loses every
-- later commit, and so everything that was committed under this token: commits reach the disk in
-- order. The job then waits as before.
with async_commit as materialized (
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
from claimable, async_commit
where jobs.id = claimable.id
returning jobs.id, kind, queue, payload::text as payload, position::text as position,
    attempt, failures, crashes, token,
    user_id, request_id, traceparent, run_at, started_at, coalesce(expires_at < now(), false) as expired;

-- name: still_waiting
-- Return which of these jobs are due and unclaimed, even those whose rows are locked at the moment.
select id, queue, attempt from jobs
where id = any(:ids::uuid[])
    and state in ('queued', 'retrying', 'snoozed') and run_at <= now();

-- name: lock_job
-- Check that the job still has this token, and keep it from changing until the transaction ends.
select true from jobs
where id = :id and token = :token and state = 'running'
for share;

-- name: finish
-- Mark the job as done, if it still has this token.
-- A first attempt that succeeds gets no attempt row: the job's row already records it.
with done as (
    update jobs set state = 'done', finished_at = now(), error = null, progress = null, note = :note
    where id = :id and token = :token and state = 'running'
    returning id, attempt, worker_id, started_at
),
attempt_recorded as (
    insert into job_attempts (job_id, attempt, worker_id, started_at, outcome)
    select id, attempt, worker_id, started_at, 'done' from done where attempt > 1
    on conflict do nothing
)
select true from done;

-- name: finish_many
-- Mark these jobs as done under their tokens; return the ids of those that are done.
-- Repeating it returns the same ids.
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
attempt_recorded as (
    insert into job_attempts (job_id, attempt, worker_id, started_at, outcome)
    select id, attempt, worker_id, started_at, 'done' from done where attempt > 1
    on conflict do nothing
)
select id from mine;

-- name: reschedule
-- Reschedule the job to run after the delay, if it still has this token; return its new state.
-- A failed attempt counts as a failure, but a snoozed one does not; one that did not start does not
-- even count as an attempt. A job whose cancellation has been requested is cancelled instead.
update jobs set
    state = case when cancel_requested_at is null then :state else 'cancelled' end,
    finished_at = case when cancel_requested_at is not null then now() end,
    run_at = now() + :delay::interval,
    attempt = attempt - :untried::bool::int,
    failures = failures + :failed::bool::int,
    blocked_on = :blocked_on,
    error = :error,
    alone = false,
    dispatched_at = null,
    worker_id = null,
    token = null
where id = :id and token = :token and state = 'running'
returning state;

-- name: fail_or_cancel
-- End the job as dead or cancelled, if it still has this token.
update jobs set
    state = :state,
    finished_at = now(),
    failures = failures + :failed::bool::int,
    error = :error,
    fingerprint = :fingerprint
where id = :id and token = :token and state = 'running'
returning true;

-- name: insert_attempt
-- Record how an attempt ended. Repeating it changes nothing.
insert into job_attempts (job_id, attempt, worker_id, started_at, outcome, error, traceback)
values (:job_id, :attempt, :worker_id, :started_at, :outcome, :error, :traceback)
on conflict do nothing;

-- name: report_progress
-- Store the progress that is shown to users and operators, if the job still has this token.
update jobs set progress = :progress::jsonb
where id = :id and token = :token and state = 'running'
returning true;

-- name: save_position
-- Store where the next attempt continues, if the job still has this token.
-- Also stores the job's progress.
update jobs set position = :position::jsonb, progress = :progress::jsonb
where id = :id and token = :token and state = 'running'
returning true;

-- name: undispatched
-- Return due jobs that are not marked as dispatched, oldest first.
-- Leaves out new jobs enqueued in the last second: their dispatch may still be under way.
select id, queue, attempt from jobs
where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null
    and run_at <= now() and (enqueued_at <= now() - interval '1 second' or attempt > 0)
order by run_at
limit :limit;

-- name: due_for_redis_check
-- Return due jobs that were last marked as dispatched more than five seconds ago.
select id, queue, attempt from jobs
where state in ('queued', 'retrying', 'snoozed') and run_at <= now()
    and dispatched_at <= now() - interval '5 seconds'
order by dispatched_at
limit :limit;

-- name: has_work
-- Tell whether this worker is running a job, or a job is due in a queue that is not paused.
select
    exists (select from jobs where state = 'running' and worker_id = :worker_id)
    -- One query for each partial index, so that finished jobs, perhaps millions, are not read.
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

-- name: reset_dispatched
-- Mark all waiting jobs as not dispatched. Locked rows are skipped: most are being claimed, and the
-- relay finds the others in `due_for_redis_check`.
with waiting as (
    select id from jobs
    where state in ('queued', 'retrying', 'snoozed') and dispatched_at is not null
    for no key update skip locked
)
update jobs set dispatched_at = null from waiting where jobs.id = waiting.id;

-- name: mark_dispatched
-- Mark these jobs as dispatched now, unless they have been attempted since they were read.
-- Locked rows are skipped: waiting for one while locking others could deadlock with `finish_many`.
with waiting as (
    select jobs.id
    from unnest(:ids::uuid[], :attempts::int[]) as seen (id, attempt)
    join jobs on jobs.id = seen.id and jobs.attempt = seen.attempt
    where jobs.state in ('queued', 'retrying', 'snoozed')
    for no key update of jobs skip locked
)
update jobs set dispatched_at = clock_timestamp() from waiting where jobs.id = waiting.id;

-- name: heartbeat
-- Record a heartbeat of this worker, by Postgres's clock.
insert into workers (id, host, pid, slots)
values (:id, :host, :pid, :slots)
on conflict (id) do update set seen_at = clock_timestamp();

-- name: remove_worker
-- Remove this worker, which has drained and is stopping.
delete from workers where id = :id;

-- name: running_on_worker
-- Return the jobs running under this worker's id, and whether their cancellation was requested.
select id, token, cancel_requested_at is not null as cancel_requested from jobs
where state = 'running' and worker_id = :worker_id;

-- name: reclaim
-- Reclaim the jobs of workers that have sent no heartbeat for ten seconds.
-- The jobs are requeued: without a delay after the first crash, with a growing delay after later
-- ones. A job that ran alone in its worker is to blame and becomes a dead letter. A job whose
-- cancellation was requested is cancelled.
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
-- Release jobs that were claimed under this token, without counting the attempt.
-- A job whose cancellation has been requested is cancelled instead.
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

-- name: mark_running_alone
-- Record that the job runs alone in its worker, if it still has this token.
-- If the worker is then lost, the job is to blame.
update jobs set alone = true
where id = :id and token = :token and state = 'running'
returning true;

-- name: pauses
-- Return the queues and kinds that operators have paused.
select what, name from pauses;

-- name: wake_blocked
-- Make the jobs that are blocked on this dependency or paused kind due now.
update jobs set run_at = now(), blocked_on = null, dispatched_at = null
where state = 'snoozed' and blocked_on = :blocked_on;

-- name: queue_stats
-- Count the unfinished and dead jobs by queue, kind and what they are blocked on.
-- Waiting jobs are the unfinished ones that are not running. Ages are in seconds.
with present as (
    -- One query for each partial index, so that finished jobs, perhaps millions, are not read.
    select queue, kind, blocked_on, state, run_at, true as undispatched from jobs
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
    count(*) filter (where state not in ('running', 'dead')) as waiting,
    count(*) filter (where state not in ('running', 'dead') and run_at <= now()) as due,
    count(*) filter (where state = 'running') as running,
    count(*) filter (where state = 'dead') as dead,
    coalesce(extract(epoch from now() - min(run_at) filter (
        where state not in ('running', 'dead') and run_at <= now()
    )), 0)::float8 as oldest_age,
    coalesce(extract(epoch from now() - min(run_at) filter (
        where undispatched and run_at <= now()
    )), 0)::float8 as outbox_lag
from present
group by queue, kind, blocked_on;

-- name: insert_jobs
-- Insert many jobs, and return those that were inserted.
-- Leaves out a job if an unfinished one has the same kind and unique key.
insert into jobs
    (kind, queue, payload, unique_key, user_id, request_id, traceparent, run_at, expires_at)
select
    kind, queue, payload::jsonb, unique_key, user_id, :request_id, :traceparent,
    greatest(:run_at::timestamptz, now()), greatest(:run_at::timestamptz, now()) + expires_in
from unnest(
    :kinds::text[], :queues::text[], :payloads::text[], :unique_keys::text[], :user_ids::uuid[],
    :expires_in::interval[]
) as given (kind, queue, payload, unique_key, user_id, expires_in)
on conflict (kind, unique_key)
    where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
    do nothing
returning id, queue, attempt;

-- name: insert_job
-- Insert a job, and return its id, when it is due, and whether it is due already.
-- It is inserted parked if something blocks its kind.
-- No row if an unfinished job has its kind and unique key. If that job is waiting, it expires no
-- earlier than the new one would have. A difference of a minute is ignored, so that a burst of
-- events does not update the row each time.
with timing as materialized (
    select due, due + :expires_in::interval as expires_at
    from (select greatest(:run_at::timestamptz, now()) as due) as given
),
extended as (
    update jobs set expires_at = timing.expires_at
    from timing
    where kind = :kind and unique_key = :unique_key
        and state in ('queued', 'retrying', 'snoozed')
        and jobs.expires_at
        < coalesce(timing.expires_at, 'infinity'::timestamptz) - interval '1 minute'
)
insert into jobs
    (
        kind, queue, payload, unique_key, user_id, request_id, traceparent, run_at, expires_at,
        blocked_on
    )
select
    :kind, :queue, :payload::jsonb, :unique_key, :user_id, :request_id, :traceparent, due,
    expires_at,
    (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = :kind)
from timing
on conflict (kind, unique_key)
    where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
    do nothing
returning id, run_at, blocked_on is null and run_at <= now() as due;

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
            (
                state in ('queued', 'retrying', 'snoozed') and run_at <= now()
                -- Not `is null`, so that the index on ready jobs is not read: while a
                -- long snapshot is open, it has an entry for every job that has ended since.
                and coalesce(blocked_on, '') = ''
            )
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
    progress = null
from claimable, async_commit
where jobs.id = claimable.id
returning jobs.id, kind, queue, payload::text as payload, position::text as position,
    attempt, failures, crashes, token,
    user_id, request_id, traceparent, run_at, started_at, coalesce(expires_at < now(), false) as expired;

-- name: still_waiting
-- Return which of these jobs are due and unclaimed, even those whose rows are locked at the moment.
select id, queue, run_at from jobs
where id = any(:ids::uuid[])
    and state in ('queued', 'retrying', 'snoozed') and run_at <= now()
    and coalesce(blocked_on, '') = ''; -- as in `claim`

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
-- A job that is blocked keeps its `run_at`, and so its place among the others.
-- A failed attempt counts as a failure, but a snoozed one does not; one that did not start does not
-- even count as an attempt. One that did start resets the count of crashes in a row. A job whose
-- cancellation has been requested is cancelled instead.
update jobs set
    state = case when cancel_requested_at is null then :state else 'cancelled' end,
    finished_at = case when cancel_requested_at is not null then now() end,
    run_at = case when :blocked_on::text is null then now() + :delay::interval else run_at end,
    ready_at = clock_timestamp(),
    attempt = attempt - :untried::bool::int,
    failures = failures + :failed::bool::int,
    crashes = case when :untried then crashes else 0 end,
    blocked_on = :blocked_on,
    error = :error,
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

-- name: relay_state
-- Return whether this worker runs the relay, whether no worker does, the relay's mark, and the time.
-- A worker must confirm every few seconds that it runs the relay: see `move_mark`.
select
    worker_id = :worker_id and held_until > now() as leads,
    held_until <= now() as vacant,
    mark,
    compare_requested_at,
    now() as now
from relay;

-- name: take_relay
-- Let this worker run the relay for five seconds, if no other worker does.
update relay set worker_id = :worker_id, held_until = clock_timestamp() + interval '5 seconds'
where held_until <= clock_timestamp()
returning true;

-- name: move_mark
-- Set the relay's mark, and let this worker run the relay for five more seconds.
-- Nothing changes if another worker runs it.
with async_commit as materialized (
    select set_config('synchronous_commit', 'off', true)
)
update relay set mark = :mark, held_until = clock_timestamp() + interval '5 seconds'
from async_commit
where worker_id = :worker_id;

-- name: request_comparison
-- Ask the worker that runs the relay to compare all due jobs with Redis.
update relay set compare_requested_at = clock_timestamp();

-- name: due_jobs
-- Return a page of the jobs in a queue that became due in this period, in that order.
-- `after` and `after_id` are the last job of the previous page, or the start of the period.
select id, queue, run_at, kind, greatest(run_at, ready_at) as due_at from jobs
where state in ('queued', 'retrying', 'snoozed') and blocked_on is null and queue = :queue
    and (greatest(run_at, ready_at), id) > (:after::timestamptz, :after_id::uuid)
    and greatest(run_at, ready_at) <= :until
order by greatest(run_at, ready_at), id
limit :limit;

-- name: count_due_jobs
-- Count the jobs in a queue that have been due for five seconds, up to a limit.
select count(*) from (
    select from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is null and queue = :queue
        and greatest(run_at, ready_at) <= now() - interval '5 seconds'
    limit :limit
) as due;

-- name: has_work
-- Tell whether this worker is running a job, or a job is due in a queue that is not paused.
select
    exists (select from jobs where state = 'running' and worker_id = :worker_id)
    or exists (
        select from jobs
        where state in ('queued', 'retrying', 'snoozed') and blocked_on is null
            and greatest(run_at, ready_at) <= now()
            and queue = any(array['critical', 'default', 'low'])
            and queue not in (select name from pauses where what = 'queue')
    );

-- name: heartbeat
-- Record a heartbeat of this worker, and whether it ends a gap, by Postgres's clock.
-- The commit does not wait for the disk: after a crash of Postgres, there has been a gap anyway.
with async_commit as materialized (
    select set_config('synchronous_commit', 'off', true)
),
this_worker as (
    insert into workers (id, host, pid, slots)
    select :id, :host, :pid, :slots from async_commit
    on conflict (id) do update set seen_at = clock_timestamp()
)
-- Workers that send heartbeats at the same time need not all update this row.
update heartbeats set
    gap_ended_at = case
        when last_at < clock_timestamp() - interval '3 seconds' then clock_timestamp()
        else gap_ended_at
    end,
    last_at = clock_timestamp()
from async_commit
where last_at < clock_timestamp() - interval '0.5 seconds';

-- name: remove_worker
-- Remove this worker, which has drained and is stopping, and let another run the relay.
with released as (
    update relay set held_until = 'epoch' where worker_id = :id
)
delete from workers where id = :id;

-- name: running_on_worker
-- Return the jobs running under this worker's id, and whether their cancellation was requested.
-- While a long snapshot is open, this reads the entry of every job that the worker has ended since.
select id, token, cancel_requested_at is not null as cancel_requested from jobs
where state = 'running' and worker_id = :worker_id;

-- name: running_by_id
-- Return which of these jobs are running under this worker's id, as `running_on_worker` does.
with given as materialized ( -- so that the index on running jobs is not read
    select id, token, cancel_requested_at, state, worker_id from jobs where id = any(:ids::uuid[])
)
select id, token, cancel_requested_at is not null as cancel_requested from given
where state = 'running' and worker_id = :worker_id;

-- name: reclaim
-- Reclaim the jobs of dead workers: those that have sent no heartbeat for ten seconds.
-- If no worker sent one for three seconds, Postgres may have been unavailable to all of them: no
-- worker is dead until ten seconds after such a gap. Heartbeats are compared with the time at which
-- this statement arrived, since Postgres may be stopped while it executes.
-- The jobs are requeued: without a delay after the first crash, with a growing delay after later
-- ones. After ten crashes a job becomes a dead letter. A job whose cancellation was requested is
-- cancelled. A worker with more jobs than slots had claimed the last ones in advance: they had not
-- started, so neither the attempt nor the crash counts.
with dead as (
    select workers.id, workers.slots from workers, heartbeats
    where workers.seen_at < statement_timestamp() - interval '10 seconds'
        and heartbeats.last_at > statement_timestamp() - interval '3 seconds'
        and heartbeats.gap_ended_at < statement_timestamp() - interval '10 seconds'
),
taken as (
    -- Reads the jobs of each dead worker: while a long snapshot is open, the index has an
    -- entry for every job that has ended since.
    select running.id, running.attempt, running.worker_id, running.started_at, dead.slots
    from dead, lateral (
        select id, attempt, worker_id, started_at from jobs
        where worker_id = dead.id and state = 'running'
        for no key update skip locked
    ) as running
),
lost as (
    select
        id, attempt, worker_id, started_at,
        count(*) over (partition by worker_id order by started_at) <= slots as started
    from taken
),
crashed as (
    insert into job_attempts (job_id, attempt, worker_id, started_at, outcome, error)
    select id, attempt, worker_id, started_at, 'crashed', 'the worker was lost'
    from lost
    where started
    on conflict do nothing
)
update jobs set
    state = case
        when cancel_requested_at is not null then 'cancelled'
        when started and crashes >= 9 then 'dead'
        else 'queued'
    end,
    finished_at = case
        when cancel_requested_at is not null or started and crashes >= 9 then now()
    end,
    error = case when started and crashes >= 9 then 'its worker was lost ten times' else error end,
    fingerprint = case
        when started and crashes >= 9 and cancel_requested_at is null
            then left(encode(sha256((kind || ': ten crashes')::bytea), 'hex'), 16)
    end,
    attempt = jobs.attempt - (not started)::int,
    run_at = case
        when started and crashes > 0 then now() + interval '5 seconds' * (2 ^ least(crashes, 6))
        else run_at
    end,
    ready_at = clock_timestamp(),
    crashes = crashes + started::int,
    worker_id = null,
    token = null
from lost
where jobs.id = lost.id
    -- Reads these jobs alone, even if the planner expects many dead workers.
    and jobs.id = any(array(select id from lost))
returning jobs.id, jobs.queue, state, kind, payload::text as payload, run_at,
    state = 'queued' and run_at <= now() as due;

-- name: dead_workers
-- Return the workers that are dead as `reclaim` defines it and no longer hold any jobs.
select workers.id from workers, heartbeats
where workers.seen_at < statement_timestamp() - interval '10 seconds'
    and heartbeats.last_at > statement_timestamp() - interval '3 seconds'
    and heartbeats.gap_ended_at < statement_timestamp() - interval '10 seconds'
    and not exists (select from jobs where jobs.state = 'running' and jobs.worker_id = workers.id);

-- name: remove_dead_worker
-- Remove this worker, unless it has sent a heartbeat again.
delete from workers where id = :id and seen_at < clock_timestamp() - interval '10 seconds';

-- name: worker_ids
-- Return the ids of all workers, alive or dead.
select id from workers;

-- name: add_missing_workers
-- Add a dead worker for each id under which jobs run although no worker has it.
-- `reclaim` then finds these jobs. A worker is missing if its claim was delayed until others had
-- removed it.
insert into workers (id, host, pid, slots, seen_at)
select worker_id, 'unknown', 0, count(*), '-infinity' from jobs
where state = 'running' and started_at < clock_timestamp() - interval '10 seconds'
    and worker_id is not null and worker_id not in (select id from workers)
group by worker_id
on conflict do nothing;

-- name: release
-- Release jobs that were claimed under this token, without counting the attempt.
-- A job whose cancellation has been requested is cancelled instead.
update jobs set
    state = case when cancel_requested_at is null then 'queued' else 'cancelled' end,
    finished_at = case when cancel_requested_at is not null then now() end,
    attempt = attempt - 1,
    ready_at = clock_timestamp(),
    worker_id = null,
    token = null
where id = any(:ids::uuid[]) and token = :token and state = 'running'
returning id, queue, state, kind, payload::text as payload, run_at,
    state = 'queued' as due;

-- name: pauses
-- Return the queues and kinds that operators have paused.
select what, name from pauses;

-- name: queue_stats
-- Count the unfinished and dead jobs by queue, kind and what they are blocked on.
-- Waiting jobs are the unfinished ones that are not running. Ages are in seconds.
with present as (
    -- One query for each partial index, so that finished jobs, perhaps millions, are not read.
    select queue, kind, null as blocked_on, state, run_at, enqueued_at from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is null
    union all
    select queue, kind, blocked_on, state, run_at, enqueued_at from jobs
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is not null
    union all
    select queue, kind, null, state, run_at, enqueued_at from jobs
    where state = 'running' and worker_id is not null
    union all
    select queue, kind, null, state, run_at, enqueued_at from jobs where state = 'dead'
)
select
    queue,
    kind,
    blocked_on,
    count(*) filter (where state not in ('running', 'dead')) as waiting,
    count(*) filter (
        where state not in ('running', 'dead') and blocked_on is null and run_at <= now()
    ) as due,
    count(*) filter (where state = 'running') as running,
    count(*) filter (where state = 'dead') as dead,
    coalesce(extract(epoch from now() - min(run_at) filter (
        where state not in ('running', 'dead') and blocked_on is null and run_at <= now()
    )), 0)::float8 as oldest_age,
    coalesce(extract(epoch from now() - min(enqueued_at) filter (
        where state = 'snoozed' and blocked_on is distinct from 'kind ' || kind
    )), 0)::float8 as snoozed_age
from present
group by queue, kind, blocked_on;

-- name: insert_jobs
-- Insert many jobs, and return those that were inserted.
-- A job is inserted parked if something blocks its kind.
-- Leaves out a job if an unfinished one has the same kind and unique key. If that one is waiting, it
-- expires no earlier than the new one would have, as with `insert_job`.
with given as materialized (
    select
        kind, queue, payload, unique_key, user_id, due, due + expires_in as expires_at
    from unnest(
        :kinds::text[], :queues::text[], :payloads::text[], :unique_keys::text[],
        :user_ids::uuid[], :expires_in::interval[]
    ) as job (kind, queue, payload, unique_key, user_id, expires_in),
        (select greatest(:run_at::timestamptz, now()) as due) as timing
),
short as (
    -- Locked in the order of their ids: two transactions may extend the same jobs.
    select jobs.id, given.expires_at
    from given
    join jobs on jobs.kind = given.kind and jobs.unique_key = given.unique_key
    where jobs.state in ('queued', 'retrying', 'snoozed')
        and jobs.expires_at
        < coalesce(given.expires_at, 'infinity'::timestamptz) - interval '1 minute'
    order by jobs.id
    for no key update of jobs
),
extended as (
    update jobs set expires_at = short.expires_at from short where jobs.id = short.id
)
insert into jobs
    (
        kind, queue, payload, unique_key, user_id, request_id, traceparent, run_at, expires_at,
        blocked_on
    )
select
    kind, queue, payload::jsonb, unique_key, user_id, :request_id, :traceparent, due, expires_at,
    (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = given.kind)
from given
on conflict (kind, unique_key)
    where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
    do nothing
returning id, queue, run_at, blocked_on is null and run_at <= now() as due;

-- name: jobs_before
-- Return a page of jobs, newest first, after the cursor.
-- Limited to this state, kind, queue, user and fingerprint (null: any). A search matches a request
-- id, a unique key, or part of an error.
select
    id, kind, queue, state, attempt, failures, user_id, enqueued_at, run_at, started_at,
    finished_at, left(error, 200) as error
from jobs
where
    (:state::text is null or state = :state)
    and (:kind::text is null or kind = :kind)
    and (:queue::text is null or queue = :queue)
    and (:user_id::uuid is null or user_id = :user_id)
    and (:fingerprint::text is null or fingerprint = :fingerprint)
    and (
        :search::text is null
        or request_id = :search
        or unique_key = :search
        or strpos(lower(error), lower(:search)) > 0
    )
    and (:before::uuid is null or id < :before)
order by id desc
limit :limit;

-- name: job
-- Return what operators see of a job, except its attempts.
select
    id, kind, queue, state, attempt, failures, crashes, user_id, unique_key, request_id,
    split_part(traceparent, '-', 2) as trace_id, enqueued_at, run_at, expires_at, started_at,
    finished_at, cancel_requested_at, blocked_on, worker_id, error, note, fingerprint,
    payload::text as payload, progress::text as progress
from jobs
where id = :id;

-- name: attempts
-- Return a job's recorded attempts in order. A first attempt that succeeds is not recorded.
select attempt, worker_id, started_at, finished_at, outcome, error, traceback
from job_attempts
where job_id = :job_id
order by attempt;

-- name: cancel
-- Cancel a waiting job, or request the cancellation of a running one.
-- No row if the job has finished or does not exist.
update jobs set
    state = case when state = 'running' then 'running' else 'cancelled' end,
    finished_at = case when state = 'running' then null else now() end,
    error = case when state = 'running' then error else :why end,
    cancel_requested_at = coalesce(cancel_requested_at, now())
where id = :id and state in ('queued', 'retrying', 'snoozed', 'running')
returning state, kind, payload::text as payload;

-- name: workers
-- Return the workers that have not shut down, including lost ones, oldest first.
-- A worker is alive while its lease lasts.
select
    id, host, pid, slots, started_at, seen_at as last_heartbeat_at,
    seen_at > clock_timestamp() - interval '10 seconds' as alive
from workers
order by started_at, id;

-- name: running_jobs
-- Return the running jobs with the ids of their workers, in the order in which they started.
select worker_id, id, kind, attempt, started_at from jobs
where state = 'running' and worker_id is not null
order by started_at, id;

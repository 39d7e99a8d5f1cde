-- name: jobs_before
-- The jobs of this state, kind, queue, user and fingerprint (null: any) that follow the cursor, newest
-- first; of a search, those of this request or unique key and those whose error has these words.
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
-- Everything that is known of a job, its attempts aside.
select
    id, kind, queue, state, attempt, failures, crashes, user_id, unique_key, request_id,
    split_part(traceparent, '-', 2) as trace_id, enqueued_at, run_at, expires_at, started_at,
    finished_at, cancel_requested_at, blocked_on, worker_id, error, note, fingerprint,
    payload::text as payload, progress::text as progress
from jobs
where id = :id;

-- name: attempts
-- The attempts of a job that were not a success at once, in their order.
select attempt, worker_id, started_at, finished_at, outcome, error, traceback
from job_attempts
where job_id = :job_id
order by attempt;

-- name: cancel
-- A waiting job is cancelled, and a running one asked to end; no row when it is finished or unknown.
update jobs set
    state = case when state = 'running' then 'running' else 'cancelled' end,
    finished_at = case when state = 'running' then null else now() end,
    error = case when state = 'running' then error else :why end,
    cancel_requested_at = coalesce(cancel_requested_at, now())
where id = :id and state in ('queued', 'retrying', 'snoozed', 'running')
returning state, kind, payload::text as payload;

-- name: workers
-- The workers that have not said goodbye, oldest first; alive are those whose lease holds.
select
    id, host, pid, slots, started_at, seen_at,
    seen_at > clock_timestamp() - interval '10 seconds' as alive
from workers
order by started_at, id;

-- name: running_jobs
-- What runs, oldest first, and in whose name.
select worker_id, id, kind, attempt, started_at from jobs
where state = 'running'
order by started_at, id;

-- name: dead_letter_groups
-- Return a page of dead-letter groups, the one with the most recent dead letter first.
-- Each group comes with its latest job as a sample. The page starts after the cursor and is limited
-- to this fingerprint (null: any).
select
    letters.fingerprint, sample.kind, letters.count, letters.first_seen, letters.last_seen,
    sample.id as sample_job_id, sample.error
from (
    select
        fingerprint, count(*) as count, min(finished_at) as first_seen, max(finished_at) as last_seen
    from jobs
    where state = 'dead' and fingerprint = coalesce(:fingerprint::text, fingerprint)
    group by fingerprint
    having (max(finished_at), fingerprint) < (
        coalesce(:before::timestamptz, 'infinity'), coalesce(:before_fingerprint::text, '')
    )
) as letters
cross join lateral (
    select id, kind, error from jobs
    where state = 'dead' and jobs.fingerprint = letters.fingerprint
    order by finished_at desc
    limit 1
) as sample
order by letters.last_seen desc, letters.fingerprint desc
limit :limit;

-- name: count_dead_letters
-- Count the dead letters and the groups that they form.
select count(*) as letters, count(distinct fingerprint) as groups from jobs where state = 'dead';

-- name: retry_dead
-- Requeue and count the next batch of matching dead jobs, and reset their failures and crashes.
-- Newest first, after the cursor, limited to this id, fingerprint and kind (null: any).
-- Expired jobs stay dead. Of the jobs with the same kind and unique key, only the newest is
-- requeued, or none if an unfinished job has that key. Jobs that stay dead are counted by reason.
with candidates as (
    select id, kind, unique_key, coalesce(expires_at < now(), false) as expired
    from jobs
    where
        state = 'dead'
        and (:id::uuid is null or id = :id)
        and (:fingerprint::text is null or fingerprint = :fingerprint)
        and (:kind::text is null or kind = :kind)
        and (:before::uuid is null or id < :before)
    order by id desc
    limit :limit
    for no key update
),
retryable as (
    select distinct on (kind, coalesce(unique_key, id::text)) id
    from candidates
    where
        not expired
        and not exists (
            select from jobs as unfinished
            where unfinished.kind = candidates.kind
                and unfinished.unique_key = candidates.unique_key
                and unfinished.state in ('queued', 'running', 'retrying', 'snoozed')
        )
    order by kind, coalesce(unique_key, id::text), id desc
),
retried as (
    update jobs set
        state = 'queued',
        run_at = now(),
        failures = 0,
        crashes = 0,
        ready_at = clock_timestamp(),
        blocked_on = (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = jobs.kind),
        worker_id = null,
        token = null,
        finished_at = null,
        cancel_requested_at = null,
        progress = null,
        fingerprint = null
    from retryable
    where jobs.id = retryable.id
    returning jobs.id
)
select
    (select count(*) from retried) as retried,
    count(*) filter (where expired) as expired,
    count(*) filter (where not expired) - (select count(*) from retried) as superseded,
    (select id from candidates order by id limit 1) as last_id
from candidates;

-- name: discard_group
-- Discard a batch of the oldest dead jobs with this fingerprint, and return their number.
-- Each becomes cancelled, and its error is prefixed with a note that an operator discarded it.
with discarded as (
    update jobs set
        state = 'cancelled',
        finished_at = now(),
        error = left('discarded by an operator: ' || coalesce(error, ''), 8192),
        fingerprint = null
    where id = any(array(
        select id from jobs
        where state = 'dead' and fingerprint = :fingerprint
        order by finished_at
        limit :limit
        for no key update
    ))
    returning id
)
select count(*) from discarded;

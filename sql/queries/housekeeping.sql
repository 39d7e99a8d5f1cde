-- name: remove_activities
-- Activities deleted before then are gone, with their photos' rows; or are counted, in a dry run.
with old as (
    select id from activities where deleted_at < :before order by deleted_at limit :most
),
gone as (delete from activities where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: enqueue_erasures
-- A job erases each account deleted before then that none is about to erase, because its own died; or
-- they are counted, in a dry run. One that dies again is not tried twice in a night.
with left_over as (
    select u.id from users as u
    where
        u.deleted_at < :before
        and not exists (
            select from jobs as j
            where
                j.user_id = u.id
                and j.kind = :kind
                and (
                    j.state in ('queued', 'running', 'retrying', 'snoozed')
                    or j.enqueued_at > now() - interval '12 hours'
                )
        )
    order by u.deleted_at
    limit :most
),
enqueued as (
    insert into jobs (kind, queue, payload, unique_key, user_id)
    select :kind, :queue, jsonb_build_object('user_id', id), id, id
    from left_over
    where not :dry_run::bool
    on conflict (kind, unique_key)
        where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
)
select count(*) from left_over;

-- name: remove_sessions
-- Sessions that had expired then are gone; or are counted, in a dry run.
with old as (
    select token_hash from sessions where expires_at < :before order by expires_at limit :most
),
gone as (
    delete from sessions where token_hash in (select token_hash from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_account_tokens
-- Links of letters that had expired then are gone; or are counted, in a dry run.
with old as (
    select token_hash from account_tokens where expires_at < :before order by expires_at limit :most
),
gone as (
    delete from account_tokens
    where token_hash in (select token_hash from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_reset_requests
-- Requests for a new password from before then, which count for nothing, are gone; or are counted, in
-- a dry run.
with old as (
    select id from reset_requests where created_at < :before order by created_at limit :most
),
gone as (delete from reset_requests where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_news
-- News from before then, which no letter tells any more, are gone; or are counted, in a dry run.
with old as (
    select user_id, activity_id from news where created_at < :before order by created_at limit :most
),
gone as (
    delete from news
    where (user_id, activity_id) in (select user_id, activity_id from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_idempotency_keys
-- Answers kept from before then are gone; or are counted, in a dry run.
with old as (
    select user_id, route, key from idempotency_keys where created_at < :before
    order by created_at limit :most
),
gone as (
    delete from idempotency_keys
    where (user_id, route, key) in (select user_id, route, key from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_exports
-- Exports that had expired then, and those asked for thirty days before, whatever became of them, are
-- gone; or are counted, in a dry run.
with old as (
    select id from exports
    where expires_at < :before or requested_at < :before::timestamptz - interval '30 days'
    limit :most
),
gone as (delete from exports where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_jobs
-- Jobs that ended before then, dead ones aside, are gone with their attempts; or counted, in a dry run.
with old as (
    -- Ids are in the order of time, and a job ends after it began: the bound spares a scan of all.
    select id from jobs
    where
        id < (select uuidv7(:before::timestamptz - clock_timestamp()))
        and state in ('done', 'cancelled')
        and finished_at < :before
    order by id
    limit :most
),
gone as (delete from jobs where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_dead_letters
-- Jobs that died before then are gone with their attempts; or are counted, in a dry run.
with old as (
    select id from jobs where state = 'dead' and finished_at < :before limit :most
),
gone as (delete from jobs where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_runs
-- Runs of schedules that ended before then are gone; or are counted, in a dry run.
with old as (
    select id from schedule_runs where finished_at < :before limit :most
),
gone as (delete from schedule_runs where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_emails
-- Delivery records from before then are gone; or are counted, in a dry run.
with old as (
    select id from emails where created_at < :before and state <> 'sending'
    order by created_at limit :most
),
gone as (delete from emails where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_workers
-- Workers that were not seen since then are off the list; or are counted, in a dry run.
with old as (
    select id from workers where seen_at < :before limit :most
),
gone as (delete from workers where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: photos_by_id
-- The photos that there are of these, with whose they are.
select p.id, p.content_type, a.user_id
from photos as p
join activities as a on a.id = p.activity_id
where p.id = any(:ids::uuid[]);

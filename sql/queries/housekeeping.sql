-- name: remove_activities
-- Activities deleted before then are gone, with their photos' rows; or are counted, in a dry run.
with old as (
    select id from activities where deleted_at < :before order by deleted_at limit :most
),
gone as (delete from activities where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_users
-- Accounts deleted before then are gone, with everything of theirs; or are counted, in a dry run.
with old as (
    select id from users where deleted_at < :before order by deleted_at limit :most
),
gone as (delete from users where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

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

-- name: remove_activities
-- Remove activities that were deleted before this time, and return their number.
-- A dry run only counts them. Their photos' rows are removed with them.
with old as (
    select id from activities where deleted_at < :before order by deleted_at limit :limit
),
removed as (delete from activities where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: count_photos_to_remove
-- Return the number of photos whose rows are removed with activities deleted before this time.
select count(*) from photos as p
join activities as a on a.id = p.activity_id
where a.deleted_at < :before;

-- name: enqueue_confirmation_reminders
-- Enqueue the reminder for each account that will be erased within two days of this time unless
-- its address is confirmed, and for accounts at least five days old that have had no confirmation
-- email.
-- Returns their number. A dry run only counts them. Nobody is reminded twice.
with due as (
    select u.id from unconfirmed_users as u
    where
        u.unconfirmed_since < :before::timestamptz - interval '5 days'
        and (
            u.erase_at is null
            or u.erase_at between :before::timestamptz and :before::timestamptz + interval '2 days'
        )
        and not exists (
            select from emails as e
            where e.recipient_id = u.id and e.template = 'confirmation_reminder'
        )
        and not exists (select from jobs as j where j.user_id = u.id and j.kind = :kind)
    order by u.unconfirmed_since
    limit :limit
),
enqueued as (
    insert into jobs (kind, queue, payload, unique_key, user_id, blocked_on)
    select
        :kind, :queue, jsonb_build_object('user_id', id), id, id,
        (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = :kind)
    from due
    where not :dry_run::bool
    on conflict (kind, unique_key)
        where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
)
select count(*) from due;

-- name: delete_unconfirmed_accounts
-- Delete the accounts whose deadline for confirming their address had passed by this time, end
-- their sessions, enqueue their erasure, and return their number. A dry run only counts them.
-- An account that is confirmed in the meantime is kept.
with due as (
    select u.id from unconfirmed_users as u
    where u.unconfirmed_since < :before::timestamptz - interval '7 days' and u.erase_at < :before
    order by u.unconfirmed_since
    limit :limit
),
deleted as (
    update users set deleted_at = now(), updated_at = now()
    where id in (select id from due) and confirmed_at is null and not :dry_run::bool
    returning id
),
signed_out as (delete from sessions where user_id in (select id from deleted)),
enqueued as (
    insert into jobs (kind, queue, payload, unique_key, user_id, blocked_on)
    select
        :kind, :queue, jsonb_build_object('user_id', id), id, id,
        (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = :kind)
    from deleted
    on conflict (kind, unique_key)
        where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
)
select count(*) from due;

-- name: remove_friend_requests
-- Remove friend requests from before this time; return their number. A dry run only counts them.
-- One that was declined is kept for another 60 days: until then, its sender may not ask again.
with old as (
    select id from friend_requests
    where
        created_at < :before
        and (status <> 'declined' or answered_at < :before::timestamptz - interval '60 days')
    order by created_at
    limit :limit
),
removed as (delete from friend_requests where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_unconfirmed_emails
-- Stop counting emails to unconfirmed addresses from before this time; return their number.
-- A dry run only counts them.
with old as (
    select address, message_id from unconfirmed_emails where created_at < :before
    order by created_at limit :limit
),
removed as (
    delete from unconfirmed_emails
    where (address, message_id) in (select address, message_id from old) and not :dry_run::bool
)
select count(*) from old;

-- name: enqueue_erasures
-- Enqueue a new erasure for each account deleted before this time whose earlier erasure failed.
-- Returns their number. A dry run only counts them. Leaves out accounts with an erasure that is
-- unfinished or was enqueued in the last twelve hours, so that none is tried twice in one night.
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
    limit :limit
),
enqueued as (
    insert into jobs (kind, queue, payload, unique_key, user_id, blocked_on)
    select
        :kind, :queue, jsonb_build_object('user_id', id), id, id,
        (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = :kind)
    from left_over
    where not :dry_run::bool
    on conflict (kind, unique_key)
        where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
)
select count(*) from left_over;

-- name: remove_sessions
-- Remove sessions that had expired by this time; return their number. A dry run only counts them.
with old as (
    select token_hash from sessions where expires_at < :before order by expires_at limit :limit
),
removed as (
    delete from sessions where token_hash in (select token_hash from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_account_tokens
-- Remove the tokens for email links that had expired by this time; return their number.
-- A dry run only counts them.
with old as (
    select token_hash from account_tokens where expires_at < :before order by expires_at limit :limit
),
removed as (
    delete from account_tokens
    where token_hash in (select token_hash from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_reset_requests
-- Remove password-reset requests from before this time; return their number.
-- A dry run only counts them. These requests no longer count towards the limit.
with old as (
    select id from reset_requests where created_at < :before order by created_at limit :limit
),
removed as (delete from reset_requests where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_news
-- Remove news from before this time, which no email will report; return the number of rows.
-- A dry run only counts them.
with old as (
    select user_id, activity_id from news where created_at < :before order by created_at limit :limit
),
removed as (
    delete from news
    where (user_id, activity_id) in (select user_id, activity_id from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_idempotency_keys
-- Remove idempotency keys from before this time, with their responses; return their number.
-- A dry run only counts them.
with old as (
    select user_id, route, key from idempotency_keys where created_at < :before
    order by created_at limit :limit
),
removed as (
    delete from idempotency_keys
    where (user_id, route, key) in (select user_id, route, key from old) and not :dry_run::bool
)
select count(*) from old;

-- name: remove_exports
-- Remove exports that had expired by this time; return their number.
-- A dry run only counts them. Exports requested more than thirty days before that time are removed
-- too, whatever their outcome.
with old as (
    select id from exports
    where expires_at < :before or requested_at < :before::timestamptz - interval '30 days'
    limit :limit
),
removed as (delete from exports where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_jobs
-- Remove jobs that were done or cancelled before this time; return their number and the last one.
-- A dry run only counts them. Their attempts are removed with them. `after` is the last job of the
-- previous batch, whose index entries are then not read again.
with old as (
    -- Jobs that ended before this time were also enqueued before it, and ids are in the order of
    -- enqueuing. The bound on the id therefore excludes none of them, and avoids a full scan.
    select id from jobs
    where
        id > coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')
        and id < (select uuidv7(:before::timestamptz - clock_timestamp()))
        and state in ('done', 'cancelled')
        and finished_at < :before
    order by id
    limit :limit
),
removed as (delete from jobs where id in (select id from old) and not :dry_run::bool)
select count(*) as removed, (select id from old order by id desc limit 1) as last from old;

-- name: remove_dead_letters
-- Remove jobs that became dead letters before this time; return their number.
-- A dry run only counts them. Their attempts are removed with them.
with old as (
    select id from jobs where state = 'dead' and finished_at < :before limit :limit
),
removed as (delete from jobs where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_runs
-- Remove schedule runs that ended before this time; return their number.
-- A dry run only counts them.
with old as (
    select id from schedule_runs where finished_at < :before limit :limit
),
removed as (delete from schedule_runs where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_emails
-- Remove delivery records from before this time; return their number. A dry run only counts them.
-- The record of an email that is being sent is kept.
with old as (
    select id from emails where created_at < :before and state <> 'sending'
    order by created_at limit :limit
),
removed as (delete from emails where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: remove_workers
-- Remove workers that have sent no heartbeat since this time; return their number.
-- A dry run only counts them.
with old as (
    select id from workers where seen_at < :before limit :limit
),
removed as (delete from workers where id in (select id from old) and not :dry_run::bool)
select count(*) from old;

-- name: database_id
-- Return the id of this database, which never changes. A restored dump keeps the id.
select id from installation;

-- name: photos_by_id
-- Return which of these photos exist, with the ids of their owners.
select p.id, p.content_type, a.user_id
from photos as p
join activities as a on a.id = p.activity_id
where p.id = any(:ids::uuid[]);

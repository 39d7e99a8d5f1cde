-- name: enqueue_reports
-- Enqueue a report for each user in the next batch who was active in the month.
-- Counts the users who were not active.
with batch as (
    select
        u.id,
        exists (
            select from activities as a
            where
                a.user_id = u.id
                and a.deleted_at is null
                and a.started_at >= :month::date::timestamp at time zone 'utc'
                and a.started_at < (:month::date + interval '1 month') at time zone 'utc'
        ) as active
    from users as u
    where u.deleted_at is null and (:after::uuid is null or u.id > :after)
    order by u.id
    limit :limit
),
extended as (
    -- A job still waiting from an earlier run expires no earlier than a new one would have.
    update jobs set expires_at = now() + :expires_in::interval
    from batch
    where
        active
        and jobs.kind = :kind
        and jobs.unique_key = batch.id || ' ' || to_char(:month::date, 'YYYY-MM')
        and jobs.state in ('queued', 'retrying', 'snoozed')
        and jobs.expires_at < now() + :expires_in::interval
),
enqueued as (
    insert into jobs (kind, queue, payload, unique_key, user_id, expires_at, blocked_on)
    select
        :kind,
        :queue,
        jsonb_build_object('user_id', id, 'month', :month::date),
        id || ' ' || to_char(:month::date, 'YYYY-MM'),
        id,
        now() + :expires_in::interval,
        (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = :kind)
    from batch
    where active
    on conflict (kind, unique_key)
        where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
    returning 1
)
select
    (select id from batch order by id desc limit 1) as last,
    count(*) as examined,
    (select count(*) from enqueued) as enqueued,
    count(*) filter (where active) - (select count(*) from enqueued) as already_enqueued,
    count(*) filter (where not active) as inactive,
    0 as opted_out,
    0 as unconfirmed,
    0 as suppressed
from batch;

-- name: count_reports
-- Count the users for whom enqueue_reports would enqueue a report.
-- Counts how many of them would get an email about the report, and the others by reason.
with people as materialized ( -- otherwise each count would repeat every look-up
    select
        case
            when not exists (
                select from activities as a
                where
                    a.user_id = u.id
                    and a.deleted_at is null
                    and a.started_at >= :month::date::timestamp at time zone 'utc'
                    and a.started_at < (:month::date + interval '1 month') at time zone 'utc'
            ) then 'inactive'
            when u.confirmed_at is null then 'unconfirmed'
            when not is_subscribed(u.id, 'monthly_report') then 'opted_out'
            when exists (select from suppressions as s where s.address = lower(u.email))
                then 'suppressed'
            when exists (
                select from emails as e
                where
                    e.recipient_id = u.id
                    and e.template = :template
                    and e.unique_key = :unique_key
                    and e.state = 'sent'
            ) then 'sent_before'
            else 'would_email'
        end as outcome
    from users as u
    where u.deleted_at is null
)
select
    count(*) as examined,
    count(*) filter (where outcome = 'would_email') as would_email,
    count(*) filter (where outcome = 'inactive') as inactive,
    count(*) filter (where outcome = 'opted_out') as opted_out,
    count(*) filter (where outcome = 'unconfirmed') as unconfirmed,
    count(*) filter (where outcome = 'suppressed') as suppressed,
    count(*) filter (where outcome = 'sent_before') as sent_before,
    count(*) filter (where outcome <> 'inactive') as would_create
from people;

-- name: report_owner_name
-- Return the name of a report's owner, or no row if the account is deleted.
select name from users where id = :user_id and deleted_at is null;

-- name: totals_by_type
-- Return this user's totals for a month by type, the type with the longest time first.
select
    count(*)::int as activities,
    coalesce(sum(distance_m), 0)::float8 as distance_m,
    sum(duration_s)::bigint as duration_s,
    coalesce(sum(calories), 0)::bigint as calories,
    type
from activities
where
    user_id = :user_id
    and deleted_at is null
    and started_at >= :month::date::timestamp at time zone 'utc'
    and started_at < (:month::date + interval '1 month') at time zone 'utc'
group by type
order by sum(duration_s) desc, type;

-- name: activities_in_month
-- Return this user's activities in a month, oldest first, up to a limit.
select started_at, type, duration_s, distance_m, calories, notes
from activities
where
    user_id = :user_id
    and deleted_at is null
    and started_at >= :month::date::timestamp at time zone 'utc'
    and started_at < (:month::date + interval '1 month') at time zone 'utc'
order by started_at, id
limit :limit;

-- name: record_report
-- Record the report that is in the bucket. Returns no row if the account is deleted.
-- Replaces an earlier report for the same month.
with owner as (
    -- Lock the owner's row: a concurrent account deletion waits, and then erases this file too.
    select id from users where id = :user_id and deleted_at is null for share
)
insert into reports (user_id, month, created_at, size_bytes, sha256, object_id, etag)
select id, :month, :created_at, :size_bytes, :sha256, :object_id, :etag from owner
on conflict (user_id, month) do update set
    created_at = excluded.created_at,
    size_bytes = excluded.size_bytes,
    sha256 = excluded.sha256,
    object_id = excluded.object_id,
    etag = excluded.etag
returning true;

-- name: delete_report
-- Remove this user's report for this month and return the object that it named.
-- No row if there was no report.
delete from reports where user_id = :user_id and month = :month returning object_id, etag;

-- name: reports
-- Return a page of this user's reports, newest first, from before this month (null: all).
select month, size_bytes, created_at
from reports
where user_id = :user_id and (:before::date is null or month < :before)
order by month desc
limit :limit;

-- name: report_object
-- Return the object named by this user's report for this month, or no row if there is no report.
select object_id, etag from reports where user_id = :user_id and month = :month;

-- name: report_objects
-- Return the objects named by the existing reports for these users and months.
select user_id, month, object_id
from reports
join (
    select distinct user_id, month from unnest(:user_ids::uuid[], :months::date[]) as given (user_id, month)
) as requested using (user_id, month);

-- name: report_recipient
-- Return this user if they should get an email about this month's report.
-- No row if they have opted out or have not confirmed their address, or if the report was created
-- before the month was over.
select u.id, u.name, u.email
from confirmed_users as u
join reports as r on r.user_id = u.id and r.month = :month
where
    u.id = :user_id
    and is_subscribed(u.id, 'monthly_report')
    and r.created_at >= (:month::date + interval '1 month') at time zone 'utc';

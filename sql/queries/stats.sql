-- name: lock_day_counts
-- Let no other transaction count days until this one ends. Otherwise an older count could overwrite
-- a newer one.
select pg_advisory_xact_lock(hashtext('daily_stats'));

-- name: count_day
-- Compute every user's totals for a UTC day, replacing earlier ones. Repeating it changes nothing.
with counted as (
    select
        user_id,
        count(*)::int as activities,
        coalesce(sum(distance_m), 0) as distance_m,
        sum(duration_s) as duration_s,
        coalesce(sum(calories), 0) as calories
    from activities
    where deleted_at is null and (started_at at time zone 'utc')::date = :day::date
    group by user_id
),
emptied as (
    delete from daily_stats as s
    where s.day = :day::date and not exists (select from counted as c where c.user_id = s.user_id)
),
upserted as (
    insert into daily_stats (user_id, day, activities, distance_m, duration_s, calories)
    select user_id, :day::date, activities, distance_m, duration_s, calories from counted
    on conflict (user_id, day) do update set
        activities = excluded.activities,
        distance_m = excluded.distance_m,
        duration_s = excluded.duration_s,
        calories = excluded.calories
)
select count(*) as users, coalesce(sum(activities), 0)::bigint as activities from counted;

-- name: recount_stale
-- Recount a batch of the days that have been stale longest, and remove them from stale_days.
-- Returns the number of rows removed.
with taken as (
    delete from stale_days
    where id in (select id from stale_days order by id limit :limit)
    returning user_id, day
),
counted as (
    select
        t.user_id,
        t.day,
        count(a.id)::int as activities,
        coalesce(sum(a.distance_m), 0) as distance_m,
        coalesce(sum(a.duration_s), 0) as duration_s,
        coalesce(sum(a.calories), 0) as calories
    from (select distinct user_id, day from taken) as t
    left join activities as a on
        a.user_id = t.user_id
        and a.deleted_at is null
        and a.started_at >= t.day::timestamp at time zone 'utc'
        and a.started_at < (t.day + 1)::timestamp at time zone 'utc'
    group by t.user_id, t.day
),
emptied as (
    delete from daily_stats as s using counted as c
    where c.activities = 0 and s.user_id = c.user_id and s.day = c.day
),
upserted as (
    insert into daily_stats (user_id, day, activities, distance_m, duration_s, calories)
    select user_id, day, activities, distance_m, duration_s, calories from counted
    where activities > 0
    on conflict (user_id, day) do update set
        activities = excluded.activities,
        distance_m = excluded.distance_m,
        duration_s = excluded.duration_s,
        calories = excluded.calories
)
select count(*) from taken;

-- name: daily_totals
-- Return this user's totals for each of these days.
-- They come from daily_stats, or from the activities if the day has not been counted or has changed
-- since.
with days as (
    select
        d::date as day,
        exists (
            select from schedule_runs as r
            where r.schedule = 'stats:daily' and r.state = 'done' and r.day = d::date
        ) and not exists (
            select from stale_days as s where s.user_id = :user_id and s.day = d::date
        ) as counted
    from generate_series(:first_day::date::timestamp, :last_day::date::timestamp, interval '1 day') as d
)
select
    days.day,
    coalesce(s.activities, raw.activities, 0) as activities,
    coalesce(s.distance_m, raw.distance_m, 0) as distance_m,
    coalesce(s.duration_s, raw.duration_s, 0) as duration_s,
    coalesce(s.calories, raw.calories, 0) as calories
from days
left join daily_stats as s on days.counted and s.user_id = :user_id and s.day = days.day
left join lateral (
    select
        count(*)::int as activities,
        sum(a.distance_m) as distance_m,
        sum(a.duration_s) as duration_s,
        sum(a.calories) as calories
    from activities as a
    where
        not days.counted
        and a.user_id = :user_id
        and a.deleted_at is null
        and a.started_at >= days.day::timestamp at time zone 'utc'
        and a.started_at < (days.day + 1)::timestamp at time zone 'utc'
) as raw on true
order by days.day;

-- name: enqueue_weekly_emails
-- Enqueue a weekly email for each user in the next batch who should get one.
-- Counts the other users by reason.
with batch as (
    select
        u.id,
        u.confirmed_at is not null as confirmed,
        is_subscribed(u.id, 'weekly_summary') as wanted,
        exists (select from suppressions as s where s.address = lower(u.email)) as suppressed,
        exists (
            select from activities as a
            where
                a.user_id = u.id
                and a.deleted_at is null
                and a.started_at >= (:saturday::date - 27)::timestamp at time zone 'utc'
                and a.started_at < (:saturday::date + 1)::timestamp at time zone 'utc'
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
        confirmed and wanted and active and not suppressed
        and jobs.kind = :kind
        and jobs.unique_key = batch.id || ' ' || :saturday::date
        and jobs.state in ('queued', 'retrying', 'snoozed')
        and jobs.expires_at < now() + :expires_in::interval
),
enqueued as (
    insert into jobs (kind, queue, payload, unique_key, user_id, expires_at, blocked_on)
    select
        :kind,
        :queue,
        jsonb_build_object('user_id', id, 'saturday', :saturday::date),
        id || ' ' || :saturday::date,
        id,
        now() + :expires_in::interval,
        (select min(blocked_on) from blocked_kinds where blocked_kinds.kind = :kind)
    from batch
    where confirmed and wanted and active and not suppressed
    on conflict (kind, unique_key)
        where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
    returning 1
)
select
    (select id from batch order by id desc limit 1) as last,
    count(*) as examined,
    (select count(*) from enqueued) as enqueued,
    count(*) filter (where confirmed and wanted and active and not suppressed)
    - (select count(*) from enqueued) as already_enqueued,
    count(*) filter (where confirmed and wanted and not active) as inactive,
    count(*) filter (where confirmed and not wanted) as opted_out,
    count(*) filter (where not confirmed) as unconfirmed,
    count(*) filter (where confirmed and wanted and active and suppressed) as suppressed
from batch;

-- name: count_weekly_emails
-- Count the users for whom enqueue_weekly_emails would enqueue an email not yet sent to them.
-- Counts the other users by reason.
with people as materialized ( -- otherwise each count would repeat every look-up
    select
        case
            when u.confirmed_at is null then 'unconfirmed'
            when not is_subscribed(u.id, 'weekly_summary') then 'opted_out'
            when not exists (
                select from activities as a
                where
                    a.user_id = u.id
                    and a.deleted_at is null
                    and a.started_at >= (:saturday::date - 27)::timestamp at time zone 'utc'
                    and a.started_at < (:saturday::date + 1)::timestamp at time zone 'utc'
            ) then 'inactive'
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
    count(*) filter (where outcome = 'sent_before') as sent_before
from people;

-- name: summary_recipient
-- Return this user if they should get a weekly summary.
-- No row if the week is not over, or if they have opted out, have not confirmed their address, or
-- had no activity in the 28 days that end on this Saturday.
select u.id, u.name, u.email
from confirmed_users as u
where
    u.id = :user_id
    and is_subscribed(u.id, 'weekly_summary')
    and now() >= (:saturday::date + 1)::timestamp at time zone 'utc'
    and exists (
        select from activities as a
        where
            a.user_id = u.id
            and a.deleted_at is null
            and a.started_at >= (:saturday::date - 27)::timestamp at time zone 'utc'
            and a.started_at < (:saturday::date + 1)::timestamp at time zone 'utc'
    );

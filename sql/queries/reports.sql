-- name: enqueue_reports
-- A report's job for each user of the next batch with an activity in the month, and how many had none.
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
    limit :most
),
enqueued as (
    insert into jobs (kind, queue, payload, unique_key, user_id, expires_at)
    select
        :kind,
        :queue,
        jsonb_build_object('user_id', id, 'month', :month::date),
        id || ' ' || to_char(:month::date, 'YYYY-MM'),
        id,
        now() + :expires_in::interval
    from batch
    where active
    on conflict (kind, unique_key)
        where unique_key is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
    returning 1
)
select
    (select id from batch order by id desc limit 1) as last,
    count(*) as looked_at,
    (select count(*) from enqueued) as enqueued,
    count(*) filter (where not active) as inactive,
    0 as opted_out,
    0 as unconfirmed,
    0 as suppressed
from batch;

-- name: count_reports
-- How many people enqueue_reports would have reports made for, how many of them would have a letter about
-- it, and why the others not.
with people as materialized ( -- or each count would look all of it up again
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
            when not u.monthly_report then 'opted_out'
            when exists (select from suppressions as s where s.address = lower(u.email))
                then 'suppressed'
            when exists (
                select from emails as e
                where
                    e.recipient_id = u.id
                    and e.letter = :letter
                    and e.unique_key = :unique_key
                    and e.state = 'sent'
            ) then 'sent_before'
            else 'would_email'
        end as outcome
    from users as u
    where u.deleted_at is null
)
select
    count(*) as looked_at,
    count(*) filter (where outcome = 'would_email') as would_email,
    count(*) filter (where outcome = 'inactive') as inactive,
    count(*) filter (where outcome = 'opted_out') as opted_out,
    count(*) filter (where outcome = 'unconfirmed') as unconfirmed,
    count(*) filter (where outcome = 'suppressed') as suppressed,
    count(*) filter (where outcome = 'sent_before') as sent_before,
    count(*) filter (where outcome <> 'inactive') as would_report
from people;

-- name: report_owner
-- The name of whose report is to be made; no row when the person has left.
select name from users where id = :user_id and deleted_at is null;

-- name: types_of_month
-- My sums of a month by type, the longest time first.
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

-- name: activities_of_month
-- At most so many of my activities of a month, in their order.
select started_at, type, duration_s, distance_m, calories, notes
from activities
where
    user_id = :user_id
    and deleted_at is null
    and started_at >= :month::date::timestamp at time zone 'utc'
    and started_at < (:month::date + interval '1 month') at time zone 'utc'
order by started_at, id
limit :most;

-- name: record_report
-- Record the report that is in the bucket, in place of an earlier one; no row when its owner has left.
with owner as (
    -- Held, so that whoever leaves now finds the object when what is theirs is erased.
    select id from users where id = :user_id and deleted_at is null for share
)
insert into reports (user_id, month, created_at, size_bytes, sha256, object_id, etag)
select id, :month, :made_at, :size_bytes, :sha256, :object_id, :etag from owner
on conflict (user_id, month) do update set
    created_at = excluded.created_at,
    size_bytes = excluded.size_bytes,
    sha256 = excluded.sha256,
    object_id = excluded.object_id,
    etag = excluded.etag
returning true;

-- name: forget_report
-- There is no report of this month any more, and which object it named; no row when there was none.
delete from reports where user_id = :user_id and month = :month returning object_id, etag;

-- name: reports
-- At most so many of my reports, newest month first, before that month (null: from the newest on).
select month, size_bytes, created_at
from reports
where user_id = :user_id and (:before::date is null or month < :before)
order by month desc
limit :limit;

-- name: report_object
-- Which object my report of this month names; no row when there is no report.
select object_id, etag from reports where user_id = :user_id and month = :month;

-- name: named_objects
-- Which objects the reports name that there are of these people's months.
select user_id, month, object_id
from reports
join (
    select distinct user_id, month from unnest(:user_ids::uuid[], :months::date[]) as a (user_id, month)
) as asked using (user_id, month);

-- name: report_reader
-- Me, if I get a letter about this month's report: not opted out, the address confirmed, and it was
-- made when the month was over.
select u.id, u.name, u.email
from users as u
join reports as r on r.user_id = u.id and r.month = :month
where
    u.id = :user_id
    and u.monthly_report
    and u.confirmed_at is not null
    and u.deleted_at is null
    and r.created_at >= (:month::date + interval '1 month') at time zone 'utc';

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
    insert into jobs (kind, queue, payload, occasion, concerns, useful_until)
    select
        :kind,
        :queue,
        jsonb_build_object('user_id', id, 'month', :month::date),
        id || ' ' || to_char(:month::date, 'YYYY-MM'),
        id,
        now() + :useful_for::interval
    from batch
    where active
    on conflict (kind, occasion)
        where occasion is not null and state in ('queued', 'running', 'retrying', 'snoozed')
        do nothing
    returning 1
)
select
    (select id from batch order by id desc limit 1) as last,
    count(*) as looked_at,
    (select count(*) from enqueued) as enqueued,
    count(*) filter (where not active) as inactive,
    0 as opted_out,
    0 as unconfirmed
from batch;

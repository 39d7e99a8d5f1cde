-- name: insert_activity
-- Insert an activity for this user and return it. It has no photos yet.
-- Marks its day as stale if that day may already have been counted.
with added as (
    insert into activities (
        user_id, type, started_at, duration_s, distance_m, calories, notes, utc_offset_minutes
    )
    values (
        :user_id, :type, :started_at, :duration_s, :distance_m, :calories, :notes,
        :utc_offset_minutes
    )
    returning
        id, type, started_at, duration_s, distance_m, calories, notes, created_at, updated_at
),
stale as (
    -- A margin of ten minutes: this transaction may commit after the day is counted at midnight.
    insert into stale_days (user_id, day)
    select :user_id, (started_at at time zone 'utc')::date from added
    where started_at < date_trunc('day', now() + interval '10 minutes', 'utc')
)
select
    id, type, started_at, duration_s, distance_m, calories, notes, created_at, updated_at,
    '{}'::uuid[] as photo_ids
from added;

-- name: activity
-- Return an activity of this user with its photos' ids, or no row if it is deleted or
-- someone else's.
select
    a.id, a.type, a.started_at, a.duration_s, a.distance_m, a.calories, a.notes, a.created_at,
    a.updated_at, array(select p.id from photos as p where p.activity_id = a.id order by p.id) as photo_ids
from activities as a
where a.id = :activity_id and a.user_id = :user_id and a.deleted_at is null;

-- name: list_activities
-- Return a page of this user's activities with their photos' ids, newest first.
-- The page starts after the cursor and is limited to these UTC days and this type; null matches
-- everything.
select
    a.id, a.type, a.started_at, a.duration_s, a.distance_m, a.calories, a.notes, a.created_at,
    a.updated_at, array(select p.id from photos as p where p.activity_id = a.id order by p.id) as photo_ids
from activities as a
where
    a.user_id = :user_id
    and a.deleted_at is null
    and a.started_at >= coalesce(:first_day::date, '-infinity')::timestamp at time zone 'utc'
    and a.started_at < coalesce(:last_day::date + 1, 'infinity')::timestamp at time zone 'utc'
    and (:type::text is null or a.type = :type::text)
    and (a.started_at, a.id) < (
        coalesce(:after::timestamptz, 'infinity'),
        coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
order by a.started_at desc, a.id desc
limit :limit;

-- name: lock_activity
-- Lock an activity of this user until the transaction ends and return what its owner entered.
-- No row if it is deleted or someone else's.
select type, started_at, duration_s, distance_m, calories, notes
from activities
where id = :activity_id and user_id = :user_id and deleted_at is null
for no key update;

-- name: update_activity
-- Replace every editable field of this user's activity, which must exist; return the activity.
-- The UTC offset changes only with the start time. Marks the old and the new day as stale if they
-- may already have been counted.
with changed as (
    update activities as a
    set
        type = :type,
        started_at = :started_at,
        duration_s = :duration_s,
        distance_m = :distance_m,
        calories = :calories,
        notes = :notes,
        utc_offset_minutes = case
            when :start_changed::bool then :utc_offset_minutes::smallint else a.utc_offset_minutes
        end,
        updated_at = now()
    where a.id = :activity_id and a.user_id = :user_id and a.deleted_at is null
    returning
        old.started_at as old_started_at, a.id, a.type, a.started_at, a.duration_s, a.distance_m,
        a.calories, a.notes, a.created_at, a.updated_at
),
stale as (
    insert into stale_days (user_id, day)
    select distinct :user_id::uuid, (start at time zone 'utc')::date
    from changed, unnest(array[old_started_at, started_at]) as start
    where start < date_trunc('day', now() + interval '10 minutes', 'utc')
)
select
    a.id, a.type, a.started_at, a.duration_s, a.distance_m, a.calories, a.notes, a.created_at,
    a.updated_at, array(select p.id from photos as p where p.activity_id = a.id order by p.id) as photo_ids
from changed as a;

-- name: delete_activity
-- Mark an activity of this user as deleted. Returns no row if it is already deleted or
-- someone else's.
-- Marks its day as stale if that day may already have been counted.
with deleted as (
    update activities
    set deleted_at = now(), updated_at = now()
    where id = :activity_id and user_id = :user_id and deleted_at is null
    returning id, started_at
),
stale as (
    insert into stale_days (user_id, day)
    select :user_id::uuid, (started_at at time zone 'utc')::date from deleted
    where started_at < date_trunc('day', now() + interval '10 minutes', 'utc')
)
select id from deleted;

-- name: insert_activity
-- A new activity of mine; it has no photos yet. Its day is stale if it may have been counted.
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
    -- Ten minutes early: this transaction may commit after the midnight at which its day is counted.
    insert into stale_days (user_id, day)
    select :user_id, (started_at at time zone 'utc')::date from added
    where started_at < date_trunc('day', now() + interval '10 minutes', 'utc')
)
select
    id, type, started_at, duration_s, distance_m, calories, notes, created_at, updated_at,
    '{}'::uuid[] as photo_ids
from added;

-- name: activity
-- My activity with its photos, unless it is deleted or not mine.
select
    a.id, a.type, a.started_at, a.duration_s, a.distance_m, a.calories, a.notes, a.created_at,
    a.updated_at, array(select p.id from photos as p where p.activity_id = a.id order by p.id) as photo_ids
from activities as a
where a.id = :activity_id and a.user_id = :user_id and a.deleted_at is null;

-- name: list_activities
-- My activities of these UTC days and this type that follow the cursor, newest first, with their photos.
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
-- My activity, held against other changes until the transaction ends; none when deleted or not mine.
select type, started_at, duration_s, distance_m, calories, notes
from activities
where id = :activity_id and user_id = :user_id and deleted_at is null
for no key update;

-- name: update_activity
-- Everything that a person may change of an activity of theirs, which exists; its offset from UTC only
-- with its start. The days that it was and is on are stale if they may have been counted.
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
            when :starts_anew::bool then :utc_offset_minutes::smallint else a.utc_offset_minutes
        end,
        updated_at = now()
    where a.id = :activity_id and a.user_id = :user_id and a.deleted_at is null
    returning
        old.started_at as was, a.id, a.type, a.started_at, a.duration_s, a.distance_m, a.calories,
        a.notes, a.created_at, a.updated_at
),
stale as (
    insert into stale_days (user_id, day)
    select distinct :user_id::uuid, (moment at time zone 'utc')::date
    from changed, unnest(array[was, started_at]) as moment
    where moment < date_trunc('day', now() + interval '10 minutes', 'utc')
)
select
    a.id, a.type, a.started_at, a.duration_s, a.distance_m, a.calories, a.notes, a.created_at,
    a.updated_at, array(select p.id from photos as p where p.activity_id = a.id order by p.id) as photo_ids
from changed as a;

-- name: delete_activity
-- My activity is marked deleted; no row when it was already, or is not mine. Its day is stale if it
-- may have been counted.
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

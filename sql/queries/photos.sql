-- name: room_for_photo
-- Return an id for a new photo of this user's activity, the number of photos that the activity has,
-- and the bytes of all the user's photos, including those of deleted activities, which the nightly
-- cleanup has not erased yet. No row if the activity is deleted or someone else's.
select
    uuidv7() as photo_id,
    (select count(*) from photos where activity_id = a.id) as photos,
    (
        select coalesce(sum(p.size_bytes), 0)::int8
        from activities as own
        join photos as p on p.activity_id = own.id
        where own.user_id = :user_id
    ) as stored_bytes
from activities as a
where a.id = :activity_id and a.user_id = :user_id and a.deleted_at is null;

-- name: insert_photo
-- Add a photo to this user's activity, which must be locked.
-- No row if the activity already has the maximum number of photos.
insert into photos (id, activity_id, content_type, size_bytes)
select :photo_id, a.id, :content_type, :size_bytes
from activities as a
where
    a.id = :activity_id
    and a.user_id = :user_id
    and (select count(*) from photos where activity_id = a.id) < :max_photos::int
returning id, content_type;

-- name: photo
-- Return a photo of this user's activity, or no row if the activity is deleted or someone else's.
select p.id, p.content_type
from photos as p
join activities as a on a.id = p.activity_id
where p.id = :photo_id and a.user_id = :user_id and a.deleted_at is null;

-- name: delete_photo
-- Remove a photo of this user's activity. Returns no row if the activity is deleted or
-- someone else's.
delete from photos as p
using activities as a
where p.id = :photo_id and a.id = p.activity_id and a.user_id = :user_id and a.deleted_at is null
returning p.id, p.content_type;

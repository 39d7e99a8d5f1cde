-- name: new_photo_id
-- Return an id for a new photo of this user's activity.
-- No row if the activity is deleted or someone else's.
select uuidv7()
from activities
where id = :activity_id and user_id = :user_id and deleted_at is null;

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

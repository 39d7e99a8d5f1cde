-- name: new_photo_id
-- An id for a photo of my activity; none when it is deleted or not mine.
select uuidv7()
from activities
where id = :activity_id and user_id = :user_id and deleted_at is null;

-- name: insert_photo
-- One more photo of my locked activity; no row when it has the most already.
insert into photos (id, activity_id, content_type, size_bytes)
select :photo_id, a.id, :content_type, :size_bytes
from activities as a
where
    a.id = :activity_id
    and a.user_id = :user_id
    and (select count(*) from photos where activity_id = a.id) < :most::int
returning id, content_type;

-- name: photo
-- A photo of an activity of mine that is not deleted.
select p.id, p.content_type
from photos as p
join activities as a on a.id = p.activity_id
where p.id = :photo_id and a.user_id = :user_id and a.deleted_at is null;

-- name: delete_photo
-- A photo of an activity of mine is gone; no row when there was none.
delete from photos as p
using activities as a
where p.id = :photo_id and a.id = p.activity_id and a.user_id = :user_id and a.deleted_at is null
returning p.id, p.content_type;

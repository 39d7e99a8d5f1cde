-- name: own_address
-- Return this user's address in lower case, as friend requests store it.
select lower(email) from users where id = :user_id;

-- name: lock_pair
-- Lock a pair of addresses until the transaction ends.
-- If two people send each other a request at once, the second transaction waits until the first has
-- committed.
select pg_advisory_xact_lock(hashtextextended(:first::text || ' ' || :second::text, 0));

-- name: accept_request_from
-- Accept the pending request from the owner of this address to this user.
-- No row if there is no such request.
update friend_requests as r
set status = 'accepted', answered_at = now()
from users as requester, users as me
where
    me.id = :user_id
    and r.email = lower(me.email)
    and r.status = 'pending'
    and requester.id = r.requester_id
    and lower(requester.email) = :email
    and requester.deleted_at is null
returning r.id, r.status, r.requester_id;

-- name: answer_request
-- Answer a pending request to this user.
-- No row if it is addressed to someone else or already answered, or if the requester's account is
-- deleted.
update friend_requests as r
set status = :status, answered_at = now()
from users as requester, users as me
where
    r.id = :request_id
    and me.id = :user_id
    and r.email = lower(me.email)
    and r.status = 'pending'
    and requester.id = r.requester_id
    and requester.deleted_at is null
returning r.id, r.status, r.requester_id;

-- name: befriend
-- Make two users friends. If they already are, nothing changes.
insert into friends (user_id, friend_id)
values (:user_id, :friend_id), (:friend_id, :user_id)
on conflict do nothing;

-- name: is_friend
-- Tell whether the owner of this address is a friend of this user.
select exists (
    select from friends as f
    join users as u on u.id = f.friend_id
    where f.user_id = :user_id and lower(u.email) = :email and u.deleted_at is null
);

-- name: add_request
-- Insert a request from this user to this address, or return the one that is still pending.
insert into friend_requests (requester_id, email)
values (:user_id, :email)
on conflict (email, requester_id) where status = 'pending' do update set email = excluded.email
returning id, status, requester_id;

-- name: list_requests
-- Return a page of the pending requests to this user, newest first, after the cursor.
select r.id, r.requester_id as user_id, requester.name, r.created_at
from friend_requests as r
join users as requester on requester.id = r.requester_id
join users as me on lower(me.email) = r.email
where
    me.id = :user_id
    and r.status = 'pending'
    and requester.deleted_at is null
    and r.id < coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by r.id desc
limit :limit;

-- name: list_friends
-- Return a page of this user's friends, newest first, after the cursor.
select f.friend_id as user_id, u.name, f.since
from friends as f
join users as u on u.id = f.friend_id
where
    f.user_id = :user_id
    and u.deleted_at is null
    and (f.since, f.friend_id) < (
        coalesce(:after::timestamptz, 'infinity'),
        coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
order by f.since desc, f.friend_id desc
limit :limit;

-- name: unfriend
-- End a friendship for both users. Returns no row if they were not friends.
delete from friends
where
    (user_id = :user_id and friend_id = :friend_id)
    or (user_id = :friend_id and friend_id = :user_id)
returning user_id;

-- name: request_recipient
-- Return the recipient of a pending request, with the requester's name.
-- No row if the recipient has not confirmed their address, or if either account is deleted.
select me.id, me.name, me.email, requester.name as requester
from friend_requests as r
join users as requester on requester.id = r.requester_id
join users as me on lower(me.email) = r.email
where
    r.id = :request_id
    and r.status = 'pending'
    and requester.deleted_at is null
    and me.deleted_at is null
    and me.confirmed_at is not null;

-- name: add_news
-- Add this activity to the news of this user's friends, and return those friends.
-- Includes only friends who want emails about their friends' activities, and have confirmed an
-- address that is not suppressed. The foreign key of each row locks the friend's account until this
-- transaction ends.
insert into news (user_id, activity_id)
select u.id, :activity_id
from friends as f
join users as u on u.id = f.friend_id
where
    f.user_id = :user_id
    and is_subscribed(u.id, 'friend_activity')
    and u.confirmed_at is not null
    and u.deleted_at is null
    and not exists (select from suppressions as s where s.address = lower(u.email))
order by u.id
returning user_id;

-- name: news_recipient
-- Return this user if they should get emails about their friends' activities.
-- No row if they have opted out, have not confirmed their address, or have deleted their account.
select id, name, email
from users
where
    id = :user_id
    and is_subscribed(id, 'friend_activity')
    and confirmed_at is not null
    and deleted_at is null;

-- name: unreported_activities
-- Return the friends' activities that no email has reported to this user yet, oldest first.
-- Leaves out news from before the friendship and news older than a day.
select n.activity_id
from news as n
join activities as a on a.id = n.activity_id
join friends as f on f.user_id = n.user_id and f.friend_id = a.user_id
join users as u on u.id = a.user_id
where
    n.user_id = :user_id
    and n.created_at > greatest(f.since, now() - interval '1 day')
    and a.deleted_at is null
    and u.deleted_at is null
order by n.created_at, n.activity_id;

-- name: news
-- Return these activities in the given order, with their owners' names.
-- Leaves out deleted activities and those of deleted accounts.
select u.name, a.type, a.started_at, a.duration_s, a.distance_m, a.notes
from unnest(:activity_ids::uuid[]) with ordinality as given (id, place)
join activities as a on a.id = given.id
join users as u on u.id = a.user_id
where a.deleted_at is null and u.deleted_at is null
order by given.place;

-- name: remove_news
-- Remove these activities from this user's news: an email has reported them.
delete from news where user_id = :user_id and activity_id = any(:activity_ids::uuid[]);

-- name: lock_news_recipient
-- Lock this user's account, so that nobody adds to their news until this transaction ends.
-- No row if another transaction has locked the account, perhaps because it is adding news.
select true from users where id = :user_id for update skip locked;

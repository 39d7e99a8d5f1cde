-- name: lock_friendships
-- Keep this user's requests, friendships and blocks from changing elsewhere until the transaction
-- ends.
-- The second of two concurrent requests therefore counts the first one.
select pg_advisory_xact_lock(hashtextextended('friendships ' || :user_id::uuid::text, 0));

-- name: lock_pair
-- Lock a pair of addresses until the transaction ends.
-- If two people send each other a request at once, the second transaction waits until the first has
-- committed.
select pg_advisory_xact_lock(hashtextextended(:first::text || ' ' || :second::text, 0));

-- name: accept_request_from
-- Accept the open request from the owner of this address to this user.
-- No row if there is no such request.
update friend_requests as r
set status = 'accepted', answered_at = now()
from open_friend_requests as o
where
    o.id = r.id
    and o.user_id = :user_id
    and lower(o.requester_email) = :email
    and r.status = 'pending'
    and r.withdrawn_at is null
returning r.id, r.status, r.requester_id;

-- name: answer_request
-- Answer an open request to this user.
-- No row if this user does not see such a request, or has already answered it.
update friend_requests as r
set status = :status, answered_at = now()
from open_friend_requests as o
where
    o.id = r.id
    and r.id = :request_id
    and o.user_id = :user_id
    and r.status = 'pending'
    and r.withdrawn_at is null
returning r.id, r.status, r.requester_id;

-- name: befriend
-- Make two users friends. If they already are, nothing changes.
insert into friends (user_id, friend_id)
values (:user_id, :friend_id), (:friend_id, :user_id)
on conflict do nothing;

-- name: is_friend
-- Tell whether the owner of this confirmed address is a friend of this user.
select exists (
    select from friends as f
    join confirmed_users as u on u.id = f.friend_id
    where f.user_id = :user_id and lower(u.email) = :email
);

-- name: has_blocked_address
-- Tell whether this user has blocked the owner of this confirmed address.
select exists (
    select from blocks as b
    join confirmed_users as u on u.id = b.blocked_id
    where b.user_id = :user_id and lower(u.email) = :email
);

-- name: repeat_request
-- Return this user's request to this address from the last 30 days, as pending; no row if there is
-- none.
-- A request that has been withdrawn is pending again. One that has been declined stays declined,
-- and its sender is not told.
update friend_requests
set withdrawn_at = null
where
    requester_id = :user_id
    and email = :email
    and status in ('pending', 'declined')
    and created_at > now() - interval '30 days'
returning id, 'pending' as status, requester_id;

-- name: request_wait
-- Return the time until this user may send another request; null if they may now.
-- Counts all their requests, whatever has become of them.
select max(sent.created_at + rate.period) - now()
from
    unnest(:max_counts::int[], :periods::interval[]) as rate (max_count, period),
    lateral (
        select r.created_at
        from friend_requests as r
        where r.requester_id = :user_id and r.created_at > now() - rate.period
        order by r.created_at desc
        offset rate.max_count - 1
        limit 1
    ) as sent;

-- name: remove_expired_request
-- Remove this user's unanswered request to this address, which has expired.
delete from friend_requests
where
    requester_id = :user_id
    and email = :email
    and status = 'pending'
    and created_at <= now() - interval '30 days';

-- name: add_request
-- Insert a request from this user to this address, and return it as pending.
-- If the address declined a request from this user in the last 90 days, the new one is declined, too:
-- its recipient never sees it, and its sender is not told.
insert into friend_requests (requester_id, email, status, answered_at)
select :user_id, :email, case when declined.at is null then 'pending' else 'declined' end, declined.at
from (
    select max(answered_at) as at
    from friend_requests
    where
        requester_id = :user_id
        and email = :email
        and status = 'declined'
        and answered_at > now() - interval '90 days'
) as declined
returning id, 'pending' as status, requester_id;

-- name: withdraw_request
-- Withdraw a request that this user sees as pending; no row if there is none.
update friend_requests
set withdrawn_at = now()
where
    id = :request_id
    and requester_id = :user_id
    and status in ('pending', 'declined')
    and withdrawn_at is null
    and created_at > now() - interval '30 days'
returning true;

-- name: list_sent_requests
-- Return a page of the requests that this user sees as pending, newest first, after the cursor.
-- Declined ones are among them, until they expire like unanswered ones.
select id, null::uuid as user_id, null::text as name, email, created_at
from friend_requests
where
    requester_id = :user_id
    and status in ('pending', 'declined')
    and withdrawn_at is null
    and created_at > now() - interval '30 days'
    and id < coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by id desc
limit :limit;

-- name: add_block
-- Block a user; no row if there is no such user. Repeating it changes nothing.
insert into blocks (user_id, blocked_id)
select :user_id, id from users where id = :blocked_id and deleted_at is null
on conflict (user_id, blocked_id) do update set created_at = blocks.created_at
returning true;

-- name: withdraw_requests_to
-- Withdraw this user's pending requests to another user.
update friend_requests as r
set withdrawn_at = now()
from confirmed_users as other
where
    r.requester_id = :user_id
    and other.id = :other_id
    and r.email = lower(other.email)
    and r.status = 'pending'
    and r.withdrawn_at is null;

-- name: remove_block
-- End a block. Repeating it changes nothing.
delete from blocks where user_id = :user_id and blocked_id = :blocked_id;

-- name: list_blocks
-- Return a page of the people whom this user has blocked, newest first, after the cursor.
select b.blocked_id as user_id, u.name, b.created_at as since
from blocks as b
join users as u on u.id = b.blocked_id
where
    b.user_id = :user_id
    and u.deleted_at is null
    and (b.created_at, b.blocked_id) < (
        coalesce(:after::timestamptz, 'infinity'),
        coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
order by b.created_at desc, b.blocked_id desc
limit :limit;

-- name: list_requests
-- Return a page of the open requests to this user, newest first, after the cursor.
select id, requester_id as user_id, requester as name, requester_email as email, created_at
from open_friend_requests
where
    user_id = :user_id
    and id < coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by id desc
limit :limit;

-- name: list_friends
-- Return a page of this user's friends, newest first, after the cursor.
-- Leaves out friends who have not confirmed their address; empty if this user has not.
select f.friend_id as user_id, u.name, f.since
from friends as f
join confirmed_users as me on me.id = f.user_id
join confirmed_users as u on u.id = f.friend_id
where
    f.user_id = :user_id
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
-- Return the recipient of an open request, with the requester's name and address.
-- No row if the recipient has turned off emails about friend requests.
select user_id as id, name, email, requester, requester_email
from open_friend_requests
where id = :request_id and is_subscribed(user_id, 'friend_requests');

-- name: add_news
-- Add this activity to the news of this user's friends, and return those friends.
-- Nobody if this user has not confirmed their address. Includes only friends who want emails about
-- their friends' activities, and have confirmed an address that is not suppressed. The foreign key of
-- each row locks the friend's account until this transaction ends.
insert into news (user_id, activity_id)
select u.id, :activity_id
from friends as f
join confirmed_users as me on me.id = f.user_id
join confirmed_users as u on u.id = f.friend_id
where
    f.user_id = :user_id
    and is_subscribed(u.id, 'friend_activity')
    and not exists (select from suppressions as s where s.address = lower(u.email))
order by u.id
returning user_id;

-- name: news_recipient
-- Return this user if they should get emails about their friends' activities.
-- No row if they have opted out, have not confirmed their address, or have deleted their account.
select id, name, email
from confirmed_users
where id = :user_id and is_subscribed(id, 'friend_activity');

-- name: unreported_activities
-- Return the friends' activities that no email has reported to this user yet, oldest first.
-- Leaves out news from before the friendship and news older than a day.
select n.activity_id
from news as n
join activities as a on a.id = n.activity_id
join friends as f on f.user_id = n.user_id and f.friend_id = a.user_id
join confirmed_users as u on u.id = a.user_id
where
    n.user_id = :user_id
    and n.created_at > greatest(f.since, now() - interval '1 day')
    and a.deleted_at is null
order by n.created_at, n.activity_id;

-- name: news
-- Return these activities in the given order, with their owners' names.
-- Leaves out deleted activities, and those of people who are not confirmed.
select u.name, a.type, a.started_at, a.duration_s, a.distance_m, a.notes
from unnest(:activity_ids::uuid[]) with ordinality as given (id, place)
join activities as a on a.id = given.id
join confirmed_users as u on u.id = a.user_id
where a.deleted_at is null
order by given.place;

-- name: remove_news
-- Remove these activities from this user's news: an email has reported them.
delete from news where user_id = :user_id and activity_id = any(:activity_ids::uuid[]);

-- name: lock_news_recipient
-- Lock this user's account, so that nobody adds to their news until this transaction ends.
-- No row if another transaction has locked the account, perhaps because it is adding news.
select true from users where id = :user_id for update skip locked;

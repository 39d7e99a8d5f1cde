-- name: own_address
-- My address as requests to me bear it.
select lower(email) from users where id = :user_id;

-- name: lock_pair
-- Of two people who ask each other at once, the second waits until the first has committed.
select pg_advisory_xact_lock(hashtextextended(:one::text || ' ' || :other::text, 0));

-- name: accept_from
-- What the owner of this address asked me is accepted; no row when they did not ask.
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
-- A request to me is answered; no row when it is not to me, was answered, or its maker is gone.
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
-- I and another are friends, whether or not we were.
insert into friends (user_id, friend_id)
values (:user_id, :friend_id), (:friend_id, :user_id)
on conflict do nothing;

-- name: is_friend
-- Whether the owner of this address is my friend.
select exists (
    select from friends as f
    join users as u on u.id = f.friend_id
    where f.user_id = :user_id and lower(u.email) = :email and u.deleted_at is null
);

-- name: add_request
-- My request to this address, new or still unanswered: it is asked once.
insert into friend_requests (requester_id, email)
values (:user_id, :email)
on conflict (email, requester_id) where status = 'pending' do update set email = excluded.email
returning id, status, requester_id;

-- name: list_requests
-- The requests to me that I have not answered and that follow the cursor, newest first.
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
-- My friends who follow the cursor, newest first.
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
-- I and another are no friends, on either side; no row when we were not.
delete from friends
where
    (user_id = :user_id and friend_id = :friend_id)
    or (user_id = :friend_id and friend_id = :user_id)
returning user_id;

-- name: asked_person
-- Who is asked by a request that waits, has confirmed the address, and can be told who asks.
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
-- My friends who get letters on what their friends do, and whom letters reach, are to be told of this
-- activity; who they are. By its foreign key each row holds the reader's until this transaction ends.
insert into news (user_id, activity_id)
select u.id, :activity_id
from friends as f
join users as u on u.id = f.friend_id
where
    f.user_id = :user_id
    and u.friend_activity
    and u.confirmed_at is not null
    and u.deleted_at is null
    and not exists (select from suppressions as s where s.address = lower(u.email))
order by u.id
returning user_id;

-- name: news_reader
-- Me, if I get letters on what my friends do.
select id, name, email
from users
where id = :user_id and friend_activity and confirmed_at is not null and deleted_at is null;

-- name: unread
-- The activities of friends that no letter has told me of yet, oldest first. Nothing from before we
-- were friends, and nothing older than a day.
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
-- What these activities were and whose, in their order, deleted ones left out.
select u.name, a.type, a.started_at, a.duration_s, a.distance_m, a.notes
from unnest(:activity_ids::uuid[]) with ordinality as asked (id, place)
join activities as a on a.id = asked.id
join users as u on u.id = a.user_id
where a.deleted_at is null and u.deleted_at is null
order by asked.place;

-- name: forget_news
-- I was told of these activities.
delete from news where user_id = :user_id and activity_id = any(:activity_ids::uuid[]);

-- name: lock_reader
-- Nobody adds news of mine until this transaction ends; no row when somebody has begun to.
select true from users where id = :user_id for update skip locked;

-- migrate:up

-- A request is addressed to an email address, not to a user, so sending one does not reveal whether
-- an account has the address.
create table friend_requests (
    id uuid primary key default uuidv7(),
    requester_id uuid not null references users on delete cascade,
    email text not null check (email = lower(email)),
    status text not null default 'pending' check (status in ('pending', 'accepted', 'declined')),
    created_at timestamptz not null default now(),
    answered_at timestamptz,
    check ((status = 'pending') = (answered_at is null))
);

create unique index friend_requests_one_pending on friend_requests (email, requester_id)
    where status = 'pending';
create index friend_requests_of_requester on friend_requests (requester_id);

-- A friendship is two rows, one for each user.
create table friends (
    user_id uuid not null references users on delete cascade,
    friend_id uuid not null references users on delete cascade,
    since timestamptz not null default now(),
    primary key (user_id, friend_id),
    check (user_id <> friend_id)
);

create index friends_newest_first on friends (user_id, since desc, friend_id desc);
create index friends_of_friend on friends (friend_id);

-- Friends' activities for a user's next digest. Storing the time of the last digest would not be
-- enough: a transaction may commit an older activity after a digest has contained a newer one.
create table news (
    user_id uuid not null references users on delete cascade,
    activity_id uuid not null, -- no foreign key: the activity may be deleted before the email
    created_at timestamptz not null default now(),
    primary key (user_id, activity_id)
);

create index news_age on news (created_at); -- for removing old rows

-- migrate:down
drop table news;
drop table friends;
drop table friend_requests;

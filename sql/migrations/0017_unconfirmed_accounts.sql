-- migrate:up

-- When an account's time to confirm its address starts at the earliest. For accounts that exist
-- already this is the time of this migration, so that none is erased within seven days of it.
alter table users add column unconfirmed_since timestamptz not null default now();

create index users_unconfirmed on users (unconfirmed_since)
    where confirmed_at is null and deleted_at is null;

-- The people who may act towards others, and whom others may reach. Every statement about two people,
-- or about an email to one of them, asks this view or a function that does.
create view confirmed_users as
select id, email, name from users where confirmed_at is not null and deleted_at is null;

-- Tell whether this user has confirmed this address.
create function is_confirmed(user_id uuid, address text) returns boolean language sql stable
return exists (
    select from confirmed_users as u
    where u.id = is_confirmed.user_id and lower(u.email) = lower(is_confirmed.address)
);

-- The accounts whose address is not confirmed, with the time from which they are erased: seven days
-- after a mail server first accepted an email with a confirmation link. Null if none has.
create view unconfirmed_users as
select
    u.id, u.unconfirmed_since,
    (
        select greatest(u.unconfirmed_since, min(e.sent_at)) + interval '7 days'
        from emails as e
        where
            e.recipient_id = u.id
            and e.template in ('welcome', 'confirmation', 'confirmation_reminder')
            and e.state = 'sent'
        having count(*) > 0
    ) as erase_at
from users as u
where u.confirmed_at is null and u.deleted_at is null;

-- The emails of the last day to addresses that were not confirmed, whichever account they were for.
-- A row outlives its account, so that signing up again starts no new count.
create table unconfirmed_emails (
    address text not null check (address = lower(address)),
    message_id text not null, -- the same for all attempts to send an email
    created_at timestamptz not null default now(),
    primary key (address, message_id)
);

create index unconfirmed_emails_age on unconfirmed_emails (created_at);

create table blocks (
    user_id uuid not null references users on delete cascade,
    blocked_id uuid not null references users on delete cascade,
    created_at timestamptz not null default now(),
    primary key (user_id, blocked_id),
    check (user_id <> blocked_id)
);

create index blocks_of_blocked on blocks (blocked_id);

-- Tell whether either of two users has blocked the other.
create function is_blocked(first uuid, second uuid) returns boolean language sql stable
return exists (
    select from blocks as b
    where
        (b.user_id = is_blocked.first and b.blocked_id = is_blocked.second)
        or (b.user_id = is_blocked.second and b.blocked_id = is_blocked.first)
);

alter table friend_requests add column withdrawn_at timestamptz;

create index friend_requests_age on friend_requests (created_at);

-- The friend requests that their recipient sees and can answer.
create view open_friend_requests as
select
    r.id, r.requester_id, requester.name as requester, requester.email as requester_email,
    me.id as user_id, me.name, me.email, r.created_at
from friend_requests as r
join confirmed_users as requester on requester.id = r.requester_id
join confirmed_users as me on lower(me.email) = r.email
where
    r.status = 'pending'
    and r.withdrawn_at is null
    and r.created_at > now() - interval '30 days'
    and not is_blocked(requester.id, me.id);

-- migrate:down
drop view open_friend_requests;
drop index friend_requests_age;
alter table friend_requests drop column withdrawn_at;
drop function is_blocked;
drop table blocks;
drop table unconfirmed_emails;
drop view unconfirmed_users;
drop function is_confirmed;
drop view confirmed_users;
drop index users_unconfirmed;
alter table users drop column unconfirmed_since;

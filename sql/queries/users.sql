-- name: add_user
-- Creates an account; no row when another account has the address.
insert into users (email, name, password_hash)
values (:email, :name, :password_hash)
on conflict (lower(email)) where deleted_at is null do nothing
returning id, email, name, created_at;

-- name: credentials_by_email
-- What a sign-in is checked against.
select id, password_hash
from users
where lower(email) = lower(:email) and deleted_at is null;

-- name: credentials
-- What a person who is signed in is checked against once more.
select id, password_hash from users where id = :user_id and deleted_at is null;

-- name: set_password
-- The account has another password; no row when it is gone.
update users
set password_hash = :password_hash, updated_at = now()
where id = :user_id and deleted_at is null
returning true;

-- name: change_password
-- The account has another password; no row when it is gone or had a third one meanwhile.
update users
set password_hash = :new_hash, updated_at = now()
where id = :user_id and password_hash = :old_hash and deleted_at is null
returning true;

-- name: replace_password_hash
-- Stores another hash of the same password, unless the password has changed meanwhile.
update users
set password_hash = :new_hash, updated_at = now()
where id = :user_id and password_hash = :old_hash;

-- name: add_session
-- Opens a session and gives its expiry; no row when the account is gone or its password has changed.
insert into sessions (token_hash, user_id, expires_at)
select :token_hash, id, now() + :lifetime
from users
where id = :user_id and password_hash = :password_hash and deleted_at is null
returning expires_at;

-- name: session_by_token
-- Who signed in; two look-ups by primary key, since every request runs this.
select users.id, users.is_admin
from sessions
join users on users.id = sessions.user_id
where sessions.token_hash = :token_hash
    and sessions.expires_at > now()
    and users.deleted_at is null;

-- name: remove_session
-- Ends one session; a second time changes nothing.
delete from sessions where token_hash = :token_hash;

-- name: remove_sessions
-- Ends all sessions of a person.
delete from sessions where user_id = :user_id;

-- name: account_settings
-- What a person sees and may change of their own account.
select
    id, email, name, is_admin, weekly_summary, friend_activity, monthly_report,
    confirmed_at, created_at
from users
where id = :user_id and deleted_at is null;

-- name: change_account_settings
-- Changes what is given and leaves what is null as it is.
update users
set name = coalesce(:name, name),
    weekly_summary = coalesce(:weekly_summary, weekly_summary),
    friend_activity = coalesce(:friend_activity, friend_activity),
    monthly_report = coalesce(:monthly_report, monthly_report),
    updated_at = now()
where id = :user_id and deleted_at is null
returning
    id, email, name, is_admin, weekly_summary, friend_activity, monthly_report,
    confirmed_at, created_at;

-- name: add_token
-- Remembers the hash of a token that is about to be mailed.
insert into account_tokens (token_hash, user_id, purpose, expires_at)
values (:token_hash, :user_id, :purpose, now() + :lifetime);

-- name: use_token
-- Spends a token and tells whose it was; no row when it is unknown, used or expired.
update account_tokens
set used_at = now()
where token_hash = :token_hash
    and purpose = :purpose
    and used_at is null
    and expires_at > now()
returning user_id;

-- name: token_is_good
-- Whether a token could be spent now.
select exists (
    select from account_tokens as t
    join users as u on u.id = t.user_id
    where
        t.token_hash = :token_hash
        and t.purpose = :purpose
        and t.used_at is null
        and t.expires_at > now()
        and u.deleted_at is null
);

-- name: void_tokens
-- The tokens of a purpose that a person still has cannot be spent any more.
delete from account_tokens where user_id = :user_id and purpose = :purpose and used_at is null;

-- name: lock_address
-- Of two who ask for the same address at once, the second waits until the first has committed.
select pg_advisory_xact_lock(hashtextextended('reset ' || lower(:email), 0));

-- name: add_reset_request
-- Somebody asks for a new password for this address; no row when it was asked often in an hour.
insert into reset_requests (email)
select lower(:email)
where (
    select count(*) from reset_requests
    where email = lower(:email) and created_at > now() - interval '1 hour'
) < :most::int
returning id;

-- name: reset_requester
-- Whose address a request names, if anybody's.
select u.id, u.email, u.name, u.created_at
from reset_requests as r
join users as u on lower(u.email) = r.email
where r.id = :request_id and u.deleted_at is null;

-- name: forget_reset_requests
-- Requests that count for nothing any more are gone.
delete from reset_requests where created_at < now() - interval '2 hours';

-- name: unsubscribe
-- A person gets no more letters of this kind; whoever is gone stays so.
update users
set weekly_summary = weekly_summary and :subscription <> 'weekly_summary',
    friend_activity = friend_activity and :subscription <> 'friend_activity',
    monthly_report = monthly_report and :subscription <> 'monthly_report',
    updated_at = now()
where id = :user_id;

-- name: mark_deleted
-- My account is gone for everybody; no row when it was, or its password is another.
update users
set deleted_at = now(), updated_at = now()
where id = :user_id and password_hash = :password_hash and deleted_at is null
returning true;

-- name: account_exists
-- Whether there is such an account, deleted or not.
select exists (select from users where id = :user_id);

-- name: lives
-- Whether there is such an account, and it is not deleted.
select exists (select from users where id = :user_id and deleted_at is null);

-- name: erase_activities
-- Removes at most so many activities of a deleted account, with their photos; how many they were.
with gone as (
    delete from activities
    where id in (
        select a.id
        from activities as a
        join users as u on u.id = a.user_id
        where u.id = :user_id and u.deleted_at is not null
        limit :most
    )
    returning id
)
select count(*)::int from gone;

-- name: erase_requests
-- Removes what was addressed to a deleted account by its address, and not to one that came after it.
with gone as (
    select lower(email) as email, deleted_at from users where id = :user_id and deleted_at is not null
),
resets as (
    delete from reset_requests as r using gone where r.email = gone.email and r.created_at <= gone.deleted_at
)
delete from friend_requests as r using gone where r.email = gone.email and r.created_at <= gone.deleted_at;

-- name: erase_answers
-- Removes the answers that were kept for an account's requests, and the one that its sign-up had: that
-- is nobody's, and tells whose it was by the id in it.
delete from idempotency_keys
where
    user_id = :user_id
    or (
        user_id = '00000000-0000-0000-0000-000000000000'
        and convert_from(body, 'utf8')::jsonb ->> 'id' = :user_id::uuid::text
    );

-- name: erase_user
-- Removes a deleted account, and by their foreign keys all rows that belong to it.
delete from users where id = :user_id and deleted_at is not null;

-- name: confirm_address
-- Records that the person reads the mail of this account; the first time counts.
update users
set confirmed_at = now(), updated_at = now()
where id = :user_id and confirmed_at is null and deleted_at is null;

-- name: user_id_by_email
-- Whose address this is, if anybody's.
select id from users where lower(email) = lower(:email) and deleted_at is null;

-- name: make_admin
-- The account of this address is an operator's; no row when there is none.
update users
set is_admin = true, updated_at = now()
where lower(email) = lower(:email) and deleted_at is null
returning id;

-- name: add_admin
-- Creates an operator, named by the address and confirmed; an account that has it becomes one.
insert into users (email, name, password_hash, is_admin, confirmed_at)
values (:email, split_part(:email, '@', 1), :password_hash, true, now())
on conflict (lower(email)) where deleted_at is null
    do update set is_admin = true, updated_at = now()
returning id;

-- name: add_user
-- Create an account. Returns no row if another account has the address.
insert into users (email, name, password_hash)
values (:email, :name, :password_hash)
on conflict (lower(email)) where deleted_at is null do nothing
returning id, email, name, created_at;

-- name: credentials_by_email
-- Return the id of the user with this address, and the hash that a sign-in's password must match.
select id, password_hash
from users
where lower(email) = lower(:email) and deleted_at is null;

-- name: credentials
-- Return the password hash to check when a signed-in user must enter their password again.
select id, password_hash from users where id = :user_id and deleted_at is null;

-- name: set_password
-- Replace an account's password. Returns no row if the account is deleted.
update users
set password_hash = :password_hash, updated_at = now()
where id = :user_id and deleted_at is null
returning true;

-- name: change_password
-- Replace an account's password, if the old one is still in use.
-- No row if the password has changed or the account is deleted.
update users
set password_hash = :new_hash, updated_at = now()
where id = :user_id and password_hash = :old_hash and deleted_at is null
returning true;

-- name: replace_password_hash
-- Store a new hash of the same password, unless the password has changed in the meantime.
update users
set password_hash = :new_hash, updated_at = now()
where id = :user_id and password_hash = :old_hash;

-- name: add_session
-- Open a session and return when it expires.
-- No row if the account is deleted or its password has changed.
insert into sessions (token_hash, user_id, expires_at)
select :token_hash, id, now() + :lifetime
from users
where id = :user_id and password_hash = :password_hash and deleted_at is null
returning expires_at;

-- name: session_by_token
-- Return the user who is signed in with this token.
-- Every request with a session token runs this, so it makes only two look-ups by primary key.
select users.id, users.is_admin
from sessions
join users on users.id = sessions.user_id
where sessions.token_hash = :token_hash
    and sessions.expires_at > now()
    and users.deleted_at is null;

-- name: remove_session
-- End a session. Repeating it changes nothing.
delete from sessions where token_hash = :token_hash;

-- name: remove_sessions
-- End all sessions of a user.
delete from sessions where user_id = :user_id;

-- name: account_settings
-- Return what a user sees of their own account.
select
    id, email, name, is_admin, confirmed_at, created_at,
    (select u.erase_at from unconfirmed_users as u where u.id = users.id) as erase_at,
    array(
        select s.name from subscriptions as s where s.user_id = users.id and s.frequency = 'off'
    ) as opted_out
from users
where id = :user_id and deleted_at is null;

-- name: lock_account
-- Lock a user's row until the transaction ends; no row if the account was erased.
-- Everything that changes the account or its subscriptions takes this lock, so they do not change
-- between a check and a change in one transaction.
select id from users where id = :user_id for no key update;

-- name: change_name
-- Change a user's name. Does nothing if the account is deleted.
update users
set name = :name, updated_at = now()
where id = :user_id and deleted_at is null;

-- name: opt_out
-- Turn off these subscriptions for a user, even if the account is deleted.
insert into subscriptions (user_id, name, frequency)
select u.id, chosen.name, 'off'
from users as u, unnest(:names::text[]) as chosen (name)
where u.id = :user_id
on conflict (user_id, name) do update set frequency = 'off';

-- name: opt_in
-- Turn these subscriptions back on for a user.
delete from subscriptions where user_id = :user_id and name = any(:names::text[]);

-- name: add_token
-- Store the hash of a token that is about to be emailed.
insert into account_tokens (token_hash, user_id, purpose, expires_at)
values (:token_hash, :user_id, :purpose, now() + :lifetime);

-- name: use_token
-- Mark a token as used and return its user. Returns no row if the token is unknown, used or
-- expired.
update account_tokens
set used_at = now()
where token_hash = :token_hash
    and purpose = :purpose
    and used_at is null
    and expires_at > now()
returning user_id;

-- name: token_owner
-- Return the account that a token is for; no row if the token cannot be used now.
select u.id, u.name, u.email, u.password_hash, u.confirmed_at is not null as confirmed
from account_tokens as t
join users as u on u.id = t.user_id
where
    t.token_hash = :token_hash
    and t.purpose = :purpose
    and t.used_at is null
    and t.expires_at > now()
    and u.deleted_at is null;

-- name: void_tokens
-- Invalidate a user's unused tokens for this purpose.
delete from account_tokens where user_id = :user_id and purpose = :purpose and used_at is null;

-- name: lock_address
-- Lock the reset requests for an address until the transaction ends.
-- The second of two concurrent requests waits until the first has committed.
select pg_advisory_xact_lock(hashtextextended('reset ' || lower(:email), 0));

-- name: add_reset_request
-- Record a password-reset request for this address.
-- No row if the address has reached the hourly limit.
insert into reset_requests (email)
select lower(:email)
where (
    select count(*) from reset_requests
    where email = lower(:email) and created_at > now() - interval '1 hour'
) < :max_per_hour::int
returning id;

-- name: reset_requester
-- Return the account that a reset request is for, or no row if no account has its address.
select u.id, u.email, u.name, u.created_at
from reset_requests as r
join users as u on lower(u.email) = r.email
where r.id = :request_id and u.deleted_at is null;

-- name: remove_old_reset_requests
-- Remove reset requests that no longer count towards the limit.
delete from reset_requests where created_at < now() - interval '2 hours';

-- name: mark_deleted
-- Mark this user's account as deleted.
-- No row if it is already deleted, or if its password has changed.
update users
set deleted_at = now(), updated_at = now()
where id = :user_id and password_hash = :password_hash and deleted_at is null
returning true;

-- name: account_exists
-- Tell whether the account exists, deleted or not.
select exists (select from users where id = :user_id);

-- name: account_is_active
-- Tell whether the account exists and is not deleted.
select exists (select from users where id = :user_id and deleted_at is null);

-- name: erase_activities
-- Remove a batch of a deleted account's activities, with their photos.
-- Returns the number of activities.
with gone as (
    delete from activities
    where id in (
        select a.id
        from activities as a
        join users as u on u.id = a.user_id
        where u.id = :user_id and u.deleted_at is not null
        limit :limit
    )
    returning id
)
select count(*)::int from gone;

-- name: erase_requests
-- Remove the password-reset and friend requests for a deleted account's address.
-- Keeps requests made after the deletion: they are for a later account with the same address. Keeps
-- friend requests to an address that the account had not confirmed: they are for its owner.
with gone as (
    select lower(email) as email, deleted_at, confirmed_at
    from users
    where id = :user_id and deleted_at is not null
),
resets as (
    delete from reset_requests as r using gone where r.email = gone.email and r.created_at <= gone.deleted_at
)
delete from friend_requests as r using gone
where r.email = gone.email and r.created_at <= gone.deleted_at and gone.confirmed_at is not null;

-- name: erase_idempotency_keys
-- Remove the stored responses to an account's requests, and the response to its sign-up.
-- The sign-up's response has no owner, but its body contains the account's id.
delete from idempotency_keys
where
    user_id = :user_id
    or (
        user_id = '00000000-0000-0000-0000-000000000000'
        and convert_from(body, 'utf8')::jsonb ->> 'id' = :user_id::uuid::text
    );

-- name: erase_user
-- Remove a deleted account and, through foreign keys, all rows that belong to it.
delete from users where id = :user_id and deleted_at is not null;

-- name: confirmed_address
-- Return this user's address in lower case, as friend requests store it.
-- No row if they have not confirmed it.
select lower(email) from confirmed_users where id = :user_id;

-- name: mark_unconfirmed_deleted
-- Mark an account as deleted, and return its address.
-- No row if its address is confirmed, or if it is already deleted.
update users
set deleted_at = now(), updated_at = now()
where id = :user_id and confirmed_at is null and deleted_at is null
returning email;

-- name: add_confirmed_user
-- Create an account whose address is confirmed, named after the address.
-- No row if another account has the address.
insert into users (email, name, password_hash, confirmed_at)
values (:email, left(split_part(:email, '@', 1), 60), :password_hash, now())
on conflict (lower(email)) where deleted_at is null do nothing
returning id;

-- name: confirm_address
-- Record that the user has confirmed the address. Later confirmations change nothing.
update users
set confirmed_at = now(), updated_at = now()
where id = :user_id and confirmed_at is null and deleted_at is null;

-- name: user_id_by_email
-- Return the id of the user with this address, or no row if no account has it.
select id from users where lower(email) = lower(:email) and deleted_at is null;

-- name: make_admin
-- Make the account with this address an operator. Returns no row if no account has it.
update users
set is_admin = true, updated_at = now()
where lower(email) = lower(:email) and deleted_at is null
returning id;

-- name: add_admin
-- Create an operator account with a confirmed address, named after the address.
-- If an account already has the address, that account becomes an operator.
insert into users (email, name, password_hash, is_admin, confirmed_at)
values (:email, split_part(:email, '@', 1), :password_hash, true, now())
on conflict (lower(email)) where deleted_at is null
    do update set is_admin = true, updated_at = now()
returning id;

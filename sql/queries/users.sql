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

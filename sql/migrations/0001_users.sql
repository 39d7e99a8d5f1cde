-- migrate:up

create table users (
    id uuid primary key default uuidv7(),
    email text not null check (char_length(email) between 3 and 254),
    name text not null check (char_length(name) between 1 and 100),
    password_hash text not null,
    is_admin boolean not null default false,
    weekly_summary boolean not null default true,
    friend_activity boolean not null default true,
    monthly_report boolean not null default true,
    confirmed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);

-- An address is stored as written and compared in lower case. Deleting the account frees the
-- address.
create unique index users_email on users (lower(email)) where deleted_at is null;

create index users_deleted on users (deleted_at) where deleted_at is not null;

-- Only the hash of a token is stored, so that reading this table is not enough to sign in.
create table sessions (
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    user_id uuid not null references users on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);

create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);

-- The tokens in email links, as hashes. Presenting a token proves access to the account's mailbox.
create table account_tokens (
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    user_id uuid not null references users on delete cascade,
    purpose text not null check (purpose in ('confirm', 'reset')),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz
);

create index account_tokens_user on account_tokens (user_id);
create index account_tokens_expiry on account_tokens (expires_at);

-- Password-reset requests by address. The address need not belong to an account. A request counts
-- towards the limit for an hour. The jobs for later requests remove old ones, and so does the
-- nightly cleanup.
create table reset_requests (
    id uuid primary key default uuidv7(),
    email text not null check (email = lower(email)),
    created_at timestamptz not null default now()
);

create index reset_requests_email on reset_requests (email, created_at);
create index reset_requests_age on reset_requests (created_at);

-- migrate:down

drop table reset_requests;
drop table account_tokens;
drop table sessions;
drop table users;

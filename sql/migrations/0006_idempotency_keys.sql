-- migrate:up

-- The response to a POST that created something, stored in the transaction that created it.
create table idempotency_keys (
    -- No foreign key: requests without an account, such as a sign-up, use the nil UUID.
    user_id uuid not null,
    route text not null,
    key text not null check (char_length(key) between 1 and 255),
    -- An HMAC of the request body, because bodies contain passwords.
    fingerprint bytea not null check (octet_length(fingerprint) = 32),
    status smallint not null check (status between 200 and 299),
    body bytea not null,
    created_at timestamptz not null default now(),
    primary key (user_id, route, key)
);

create index idempotency_keys_age on idempotency_keys (created_at);

-- migrate:down

drop table idempotency_keys;

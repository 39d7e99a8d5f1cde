-- migrate:up
-- The delivery ledger: an email is sent once for each recipient, email name and unique key.
create table emails (
    id uuid primary key default uuidv7(),
    recipient_id uuid not null references users on delete cascade,
    letter text not null,
    occasion text not null,
    state text not null check (state in ('sending', 'sent', 'refused', 'suppressed')),
    job_id uuid not null, -- no foreign key: the ledger outlives the job
    message_id text not null,
    attempts int not null, -- only the latest attempt may send
    doubts int not null default 0, -- how many sends the server may have accepted without replying
    sending_until timestamptz, -- until then no other attempt may send
    written_at timestamptz not null, -- when the latest attempt claimed the email
    sent_at timestamptz,
    created_at timestamptz not null default now(),
    error text, -- the server's reply, without the address
    unique (recipient_id, letter, occasion),
    check ((state = 'sending') = (sending_until is not null)),
    check ((state = 'sent') = (sent_at is not null))
);

create index emails_created_at on emails (created_at); -- for removing old rows

-- Addresses that get no email: a mail server rejected the address itself, or an operator has
-- suppressed it.
create table suppressions (
    address text primary key check (address = lower(address)),
    reason text not null,
    created_at timestamptz not null default now()
);

-- migrate:down
drop table suppressions;
drop table emails;

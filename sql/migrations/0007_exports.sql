-- migrate:up
-- Requested exports and their results. The progress is in the job's row. The object's key is
-- derived from the row (app/exports/export.py).
create table exports (
    id uuid primary key default uuidv7(),
    user_id uuid not null references users on delete cascade,
    job_id uuid, -- no foreign key: the export outlives its job
    format text not null check (format in ('csv', 'pdf')),
    first_day date, -- UTC; both days are inclusive
    last_day date,
    type text check (type in ('run', 'ride', 'swim', 'walk', 'hike', 'other')),
    open boolean not null default true, -- while true, requests for the same export return this one
    requested_at timestamptz not null default now(),
    completed_at timestamptz,
    expires_at timestamptz,
    row_count bigint,
    size_bytes bigint,
    sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
    etag text,
    error text, -- why the export failed, for the user who requested it
    deleted_at timestamptz,
    check (last_day >= first_day),
    check (num_nulls(completed_at, expires_at, row_count, size_bytes, sha256, etag) in (0, 6)),
    check (not (open and (completed_at is not null or deleted_at is not null)))
);

create unique index exports_one_open_of_a_kind on exports (user_id, format, first_day, last_day, type)
    nulls not distinct
    where open;
create index exports_newest_first on exports (user_id, id desc) where deleted_at is null;
create index exports_expiry on exports (expires_at) where expires_at is not null;
create index exports_age on exports (requested_at);

-- migrate:down
drop table exports;

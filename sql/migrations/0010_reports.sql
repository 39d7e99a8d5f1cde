-- migrate:up

-- Finished reports. The object's key is derived from the row (app/reports/report.py).
create table reports (
    user_id uuid not null references users on delete cascade,
    month date not null check (extract(day from month) = 1),
    size_bytes int not null check (size_bytes > 0),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    created_at timestamptz not null default now(),
    primary key (user_id, month)
);

-- migrate:down

drop table reports;

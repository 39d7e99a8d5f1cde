-- migrate:up
create table activities (
    id uuid primary key default uuidv7(),
    user_id uuid not null references users on delete cascade,
    type text not null check (type in ('run', 'ride', 'swim', 'walk', 'hike', 'other')),
    -- The bounds keep every sum finite, and every date valid in Python and in spreadsheets.
    started_at timestamptz not null
        check (started_at between '1970-01-01 00:00+00' and '9999-12-30 00:00+00'),
    duration_s int not null check (duration_s between 1 and 604800),
    distance_m double precision check (distance_m between 0 and 100000000),
    calories int check (calories between 0 and 1000000),
    notes text check (char_length(notes) <= 5000),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);

create index activities_newest_first on activities (user_id, started_at desc, id desc)
    where deleted_at is null;

-- Counting a day reads the activities of all users. The index is on the day rather than the time,
-- so that the planner never uses it to look for one user's newest activities.
create index activities_by_day on activities (((started_at at time zone 'utc')::date))
    where deleted_at is null;

create index activities_deleted on activities (deleted_at) where deleted_at is not null;

-- A photo belongs to the owner of its activity. The object's key is derived from the row
-- (app/activities/photos.py).
create table photos (
    id uuid primary key default uuidv7(),
    activity_id uuid not null references activities on delete cascade,
    content_type text not null check (content_type in ('image/jpeg', 'image/png', 'image/webp')),
    size_bytes int not null check (size_bytes > 0),
    created_at timestamptz not null default now()
);

create index photos_of_an_activity on photos (activity_id, id);

-- migrate:down
drop table photos;
drop table activities;

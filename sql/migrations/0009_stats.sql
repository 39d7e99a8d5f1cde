-- migrate:up

-- What each person did on each UTC day, for the days that are counted (schedule_runs says which).
-- Nothing done is no row.
create table daily_stats (
    user_id uuid not null references users on delete cascade,
    day date not null,
    activities int not null check (activities > 0),
    distance_m double precision not null,
    duration_s bigint not null,
    calories bigint not null,
    primary key (user_id, day)
);

create index daily_stats_by_day on daily_stats (day);

-- Days of which an activity was created, changed or deleted when they may have been counted. Rows
-- are only added and removed, never shared, so that a recount takes away exactly what it has seen.
create table stale_days (
    id bigint generated always as identity primary key,
    user_id uuid not null references users on delete cascade,
    day date not null
);

create index stale_days_of_a_person on stale_days (user_id, day);

-- migrate:down

drop table stale_days;
drop table daily_stats;

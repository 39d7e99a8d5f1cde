-- migrate:up

-- Each user's totals for each UTC day that has been counted (schedule_runs lists those days). A
-- user without activities on a day has no row.
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

-- Days to recount: an activity on the day was created, changed or deleted when the day may already
-- have been counted. Each change adds a row of its own, so that a recount removes exactly the rows
-- that it has seen.
create table stale_days (
    id bigint generated always as identity primary key,
    user_id uuid not null references users on delete cascade,
    day date not null
);

create index stale_days_of_a_person on stale_days (user_id, day);

-- migrate:down

drop table stale_days;
drop table daily_stats;

-- name: add_demo_user
-- Create a demo account with a confirmed address. Returns no row if the address is taken.
insert into users (email, name, password_hash, is_admin, confirmed_at)
values (:email, :name, :password_hash, :is_admin, now())
on conflict (lower(email)) where deleted_at is null do nothing
returning id;

-- name: seed_random
-- Seed random() for the rest of this session, so that its numbers are repeatable.
select setseed(:seed::float8)::text;

-- name: add_demo_activities
-- Insert a year of plausible activities up to yesterday, and the user's daily totals for them.
-- There are some days off, but not in the last eight days, and the favourite type is more common.
-- The totals are inserted here because stats:daily may already have counted these days.
with days as (
    select
        :today::date - back as day,
        back <= 8 as recent,
        random() as active, random() as choice, random() as effort, random() as time_of_day,
        random() as strength, random() as note
    from generate_series(1, 365) as back
),
chosen as (
    select
        days.*,
        case
            when choice < 0.55 then :favourite
            else (array['run', 'ride', 'swim', 'walk', 'hike'])[1 + floor((choice - 0.55) / 0.09)::int % 5]
        end as type
    from days
    where recent or active < case when extract(isodow from day) in (6, 7) then 0.75 else 0.5 end
),
shapes (type, least_m, most_m, slowest_mps, fastest_mps, calories_per_minute) as (
    values
        ('run', 4000, 16000, 2.6, 3.6, 11.5),
        ('ride', 15000, 80000, 5.8, 8.6, 8.5),
        ('swim', 800, 3200, 0.65, 0.95, 9.0),
        ('walk', 2000, 8000, 1.2, 1.6, 4.5),
        ('hike', 6000, 20000, 0.9, 1.3, 6.5)
),
measured as (
    select
        chosen.*, calories_per_minute,
        round((least_m + (most_m - least_m) * effort * effort)::numeric, -1)::float8 as distance_m,
        slowest_mps + (fastest_mps - slowest_mps) * strength as speed
    from chosen
    join shapes using (type)
),
added as (
    insert into activities (user_id, type, started_at, duration_s, distance_m, calories, notes)
    select
        :user_id,
        type,
        (day + interval '6 hours' + interval '1 minute' * floor(time_of_day * 720)) at time zone 'UTC',
        round(distance_m / speed)::int,
        distance_m,
        round(distance_m / speed / 60 * calories_per_minute)::int,
        case
            when note < 0.06 then 'Rain the whole way, and still glad I went.'
            when note < 0.12 then 'New shoes. "Fast", they said; we''ll see.'
            when note < 0.17 then 'With Tomás and Zoë ☀️'
            when note < 0.21 then 'Felt heavy at first, strong at the end'
            when note < 0.24 then 'Intervals: 6 x 3 min, 90 s easy'
        end
    from measured
    order by day
    returning user_id, started_at, duration_s, distance_m, calories
)
insert into daily_stats (user_id, day, activities, distance_m, duration_s, calories)
select
    user_id, (started_at at time zone 'utc')::date, count(*), sum(distance_m), sum(duration_s),
    sum(calories)
from added
group by user_id, (started_at at time zone 'utc')::date;

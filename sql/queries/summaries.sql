-- name: summary_reader
-- Me, if I get weekly summaries: not opted out, the address confirmed, active in the 28 days before.
select u.id, u.name, u.email
from users as u
where
    u.id = :user_id
    and u.weekly_summary
    and u.confirmed_at is not null
    and u.deleted_at is null
    and exists (
        select from activities as a
        where
            a.user_id = u.id
            and a.deleted_at is null
            and a.started_at >= (:saturday::date - 27)::timestamp at time zone 'utc'
            and a.started_at < (:saturday::date + 1)::timestamp at time zone 'utc'
    );

-- name: fortnight
-- My sums of each of the fourteen UTC days that end on this Saturday.
select
    d.day::date as day,
    count(a.id)::int as activities,
    coalesce(sum(a.distance_m), 0)::float8 as distance_m,
    coalesce(sum(a.duration_s), 0)::bigint as duration_s,
    coalesce(sum(a.calories), 0)::bigint as calories
from generate_series(:saturday::date - 13, :saturday::date, interval '1 day') as d (day)
left join activities as a on
    a.user_id = :user_id
    and a.deleted_at is null
    and a.started_at >= d.day::timestamp at time zone 'utc'
    and a.started_at < (d.day::date + 1)::timestamp at time zone 'utc'
group by d.day
order by d.day;

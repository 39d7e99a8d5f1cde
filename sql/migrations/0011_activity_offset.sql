-- migrate:up

-- How far the clock was ahead of UTC where the activity was recorded; null when that is unknown, as
-- it is for every older row. In minutes, as the offset is written (RFC 3339): the local time is
-- `started_at at time zone make_interval(mins => utc_offset_minutes)`.
--
-- May run before the deploy, also on a large table: a column without a default rewrites nothing, and
-- `not valid` spares the look at rows that all hold null. New rows are checked.
alter table activities
    add column utc_offset_minutes smallint,
    add constraint activities_utc_offset_minutes_check
        check (utc_offset_minutes between -720 and 840) not valid;

-- migrate:down

alter table activities drop column utc_offset_minutes;

-- migrate:up

-- The UTC offset of the place where the activity was recorded, in minutes; positive east of UTC.
-- Null if the offset is unknown, as in every older row. The local time is
-- `started_at at time zone make_interval(mins => utc_offset_minutes)`.
--
-- May run before the deploy, even on a large table: adding a column without a default rewrites
-- nothing, and `not valid` skips the check of existing rows, which are all null. New rows are
-- checked.
alter table activities
    add column utc_offset_minutes smallint,
    add constraint activities_utc_offset_minutes_check
        check (utc_offset_minutes between -720 and 840) not valid;

-- migrate:down

alter table activities drop column utc_offset_minutes;

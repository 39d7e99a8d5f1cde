-- migrate:up

-- Each attempt puts its object under a key of its own (app/reports/report.py): the row names the
-- current object, and the ETag that the bucket gave it. Both are null for an older report, whose key
-- names its month alone.
--
-- May run before the deploy. The table has one row a person and month, so the check is quick.
alter table reports
    add column object_id uuid,
    add column etag text,
    add constraint reports_object_check check ((object_id is null) = (etag is null));

-- migrate:down

-- The rows then name keys that do not exist: the reports are made again when they are opened.

alter table reports drop column object_id, drop column etag;

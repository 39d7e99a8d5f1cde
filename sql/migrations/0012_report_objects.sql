-- migrate:up

-- Each attempt uploads its object under a key of its own (app/reports/report.py). The row has the
-- id of the current object and the ETag that the bucket gave it. Both are null for an older report:
-- its key contains no object id.
--
-- May run before the deploy. The table has one row for each user and month, so the check is quick.
alter table reports
    add column object_id uuid,
    add column etag text,
    add constraint reports_object_check check ((object_id is null) = (etag is null));

-- migrate:down

-- After this, rows point to objects that do not exist: a report is made again when it is opened.

alter table reports drop column object_id, drop column etag;

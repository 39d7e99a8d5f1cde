-- migrate:up

-- Each attempt puts its object under a key of its own (app/reports/report.py): the row names the
-- current object, and what the bucket said of it. Both are null for a report of the first edition.
alter table reports
    add column object_id uuid,
    add column etag text,
    add constraint reports_object_check check ((object_id is null) = (etag is null));

-- migrate:down

alter table reports drop column object_id, drop column etag;

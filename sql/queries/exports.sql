-- name: lock_exports
-- Lock this user's export requests until the transaction ends.
-- The second of two concurrent requests waits until the first has committed.
select pg_advisory_xact_lock(hashtextextended('exports ' || :user_id::uuid::text, 0));

-- name: close_ended_exports
-- Set `open` to false for this user's exports that have no unfinished job.
-- They then no longer count towards the limit, and the same request creates a new export.
update exports
set open = false
where
    user_id = :user_id
    and open
    and not exists (
        select from jobs
        where jobs.id = exports.job_id and state in ('queued', 'running', 'retrying', 'snoozed')
    );

-- name: exports
-- Return this user's exports that are not deleted, newest first.
-- Optional filters: one id, exports before a cursor, only open exports (null and false: no filter).
-- While an export is processing, its progress comes from its job.
select
    e.id, e.job_id, e.format, e.first_day as first, e.last_day as last, e.type, derived.status,
    case when derived.status = 'processing' then (j.progress ->> 'done')::bigint end as done,
    case when derived.status = 'processing' then (j.progress ->> 'total')::bigint end as total,
    e.row_count, e.size_bytes, e.sha256, e.requested_at, e.completed_at, e.expires_at,
    coalesce(e.expires_at <= now(), false) as expired,
    case when derived.status = 'failed' then coalesce(
        e.error,
        case
            when j.state = 'cancelled' and j.expires_at < j.finished_at
                then 'It expired before it could start. Request it again.'
            when j.state = 'cancelled' then 'It was cancelled. Request it again.'
        end,
        'Something went wrong. Request it again, or choose a shorter period.'
    ) end as error
from exports as e
left join jobs as j on j.id = e.job_id
cross join lateral (
    select case
        when e.completed_at is not null then 'completed'
        when j.state = 'running' then 'processing'
        when j.state in ('queued', 'retrying', 'snoozed') then 'pending'
        else 'failed'
    end as status
) as derived
where
    e.user_id = :user_id
    and e.deleted_at is null
    and (:id::uuid is null or e.id = :id)
    and (:before::uuid is null or e.id < :before)
    and (e.open or not :only_open::bool)
order by e.id desc
limit :limit;

-- name: insert_export
-- Insert an export for this user. It has no job yet.
insert into exports (user_id, format, first_day, last_day, type)
values (:user_id, :format, :first, :last, :type)
returning id;

-- name: set_export_job
-- Record the job that creates the export.
update exports set job_id = :job_id where id = :id;

-- name: job_of_export
-- Return the job id of this user's export, or no row if the export is deleted or someone else's.
select job_id from exports where id = :id and user_id = :user_id and deleted_at is null;

-- name: delete_export
-- Mark this user's export as deleted and return its format.
-- No row if it is already deleted or someone else's.
update exports
set deleted_at = now(), open = false
where id = :id and user_id = :user_id and deleted_at is null
returning format;

-- name: export_etag
-- Return the ETag that the bucket gave this user's completed export when it was uploaded.
select etag from exports
where id = :id and user_id = :user_id and deleted_at is null and completed_at is not null;

-- name: clear_export_result
-- Clear the result of this user's export, so that the export can be created again.
-- No row if the export is deleted, or if another transaction has already cleared this result.
update exports
set
    completed_at = null, expires_at = null, row_count = null, size_bytes = null, sha256 = null,
    etag = null
where id = :id and user_id = :user_id and deleted_at is null and etag = :etag
returning true;

-- name: export_with_owner
-- Return an export and its owner, for the export's jobs, or no row if either is deleted.
select
    e.id, e.user_id, u.name, u.email, e.format, e.first_day as first, e.last_day as last, e.type,
    e.row_count, e.size_bytes, e.expires_at
from exports as e
join users as u on u.id = e.user_id
where e.id = :id and e.deleted_at is null and u.deleted_at is null;

-- name: complete_export
-- Record the result of an export and when it expires.
-- No row if the export or its owner is deleted.
with owner as (
    -- Lock the owner's row: a concurrent account deletion waits, and then erases this file too.
    select u.id from exports as e
    join users as u on u.id = e.user_id
    where e.id = :id and u.deleted_at is null
    for share of u
)
update exports as e
set
    open = false, completed_at = now(), expires_at = now() + :lifetime, row_count = :row_count,
    size_bytes = :size_bytes, sha256 = :sha256, etag = :etag, error = null
from owner
where e.id = :id and e.user_id = owner.id and e.deleted_at is null
returning true;

-- name: set_export_error
-- Record why the export failed, for the user who requested it.
update exports set error = :error where id = :id;

-- name: count_rows
-- Count the activities that match an export's filters.
select count(*)
from activities
where
    user_id = :user_id
    and deleted_at is null
    and started_at >= coalesce(:first::date, '-infinity')::timestamp at time zone 'utc'
    and started_at < coalesce(:last::date + 1, 'infinity')::timestamp at time zone 'utc'
    and (:type::text is null or type = :type::text);

-- name: disable_sort
-- Make this transaction read rows in order from an index instead of sorting them.
-- The first row then arrives immediately, even if reading and sorting everything would finish
-- sooner.
set local enable_sort = off;

-- name: activities_csv
-- Stream this user's activities that match these filters as the rows of a CSV file.
-- Dates are UTC. Minutes are rounded half up, kilometres to a tenth of a metre. A note that a
-- spreadsheet could run as a formula is prefixed with an apostrophe.
select
    (started_at at time zone 'utc')::date as "Date",
    type as "Type",
    (duration_s + 30) / 60 as "Duration (min)",
    round(distance_m * 10) / 10000 as "Distance (km)",
    calories as "Calories",
    case
        when left(notes, 1) in ('=', '+', '-', '@', E'\t', E'\r', E'\n', '＝', '＋', '－', '＠')
            then '''' || notes
        else notes
    end as "Notes"
from activities
where
    user_id = :user_id
    and deleted_at is null
    and started_at >= coalesce(:first::date, '-infinity')::timestamp at time zone 'utc'
    and started_at < coalesce(:last::date + 1, 'infinity')::timestamp at time zone 'utc'
    and (:type::text is null or type = :type::text)
order by started_at, id;

-- name: activities_pdf
-- Stream this user's activities that match these filters for the table of a PDF.
select started_at, type, duration_s, distance_m, calories, notes
from activities
where
    user_id = :user_id
    and deleted_at is null
    and started_at >= coalesce(:first::date, '-infinity')::timestamp at time zone 'utc'
    and started_at < coalesce(:last::date + 1, 'infinity')::timestamp at time zone 'utc'
    and (:type::text is null or type = :type::text)
order by started_at, id;

-- name: backend_pid
-- Return the process ID of the backend that runs this statement.
-- Behind a pooler, the process ID that the driver knows may belong to another backend.
select pg_backend_pid();

-- name: rows_copied
-- Return how many rows a backend's COPY has written so far, or no row if it is running no COPY.
select tuples_processed from pg_stat_progress_copy where pid = :pid;

-- name: export_objects
-- Return which of these exports exist and are not deleted, with the ids of their owners.
select id, user_id, format from exports where id = any(:ids::uuid[]) and deleted_at is null;

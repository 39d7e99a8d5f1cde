-- migrate:up

-- For the throttle of the fan-outs, which counts the blocked jobs in a queue.
create index jobs_blocked_in_queue on jobs (queue)
    where state in ('queued', 'retrying', 'snoozed') and blocked_on is not null;

-- The second condition always holds. It keeps the planner from looking for a job by its id in this
-- index, whose few entries may be among hundreds of thousands of dead ones.
drop index jobs_running;
create index jobs_running on jobs (worker_id) where state = 'running' and worker_id is not null;

-- Every enqueue, claim and end leaves dead entries in the partial indexes, which every heartbeat
-- reads. Vacuum after one changed row in a hundred, not in five, and leave room in each page for
-- updates that change no indexed column.
alter table jobs set (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

-- migrate:down
alter table jobs reset (
    fillfactor,
    autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_insert_scale_factor,
    autovacuum_analyze_scale_factor
);
drop index jobs_running;
create index jobs_running on jobs (worker_id) where state = 'running';
drop index jobs_blocked_in_queue;

-- incompatible: it renames columns. Stop the API and the workers before applying it.

-- migrate:up

alter table jobs rename column occasion to unique_key;
alter table jobs rename column concerns to user_id;
alter table jobs rename column useful_until to expires_at;
alter table jobs rename column waits_for to blocked_on;
alter table jobs rename column handed_over_at to dispatched_at;
alter index jobs_one_unfinished_an_occasion rename to jobs_unique_key;
alter index jobs_concerns rename to jobs_user_id;
alter index jobs_waits_for rename to jobs_blocked_on;
alter index jobs_never_handed_over rename to jobs_never_dispatched;
alter index jobs_handed_over rename to jobs_dispatched;

alter table emails rename column letter to template;
alter table emails rename column occasion to unique_key;

drop trigger jobs_tell_schedule_run on jobs;
alter table schedule_runs rename column slot to tick;
alter table schedule_runs drop constraint schedule_runs_state_check;
alter table schedule_runs drop constraint schedule_runs_check2;
update schedule_runs set state = 'running' where state = 'going';
update jobs set unique_key = 'tick' || substr(unique_key, 5) where unique_key like 'slot %';
alter table schedule_runs add constraint schedule_runs_state_check
    check (state in ('running', 'done', 'dead', 'cancelled', 'skipped'));
alter table schedule_runs add constraint schedule_runs_finished_check
    check ((state = 'running') = (finished_at is null));

create or replace function tell_schedule_run() returns trigger language plpgsql as $$
begin
    update schedule_runs set
        state = case when new.state in ('done', 'dead', 'cancelled') then new.state else 'running' end,
        started_at = coalesce(started_at, new.started_at),
        finished_at = new.finished_at,
        error = case when new.state in ('dead', 'cancelled') then new.error end
    where job_id = new.id;
    return null;
end $$;
alter function tell_schedule_run rename to update_schedule_run;

-- Only the unique keys of runs' jobs begin with 'tick ', so the trigger costs other jobs nothing.
create trigger jobs_update_schedule_run after update of state on jobs
    for each row
    when (new.unique_key like 'tick %' and new.state is distinct from old.state)
    execute function update_schedule_run();

-- migrate:down
drop trigger jobs_update_schedule_run on jobs;
alter table schedule_runs drop constraint schedule_runs_finished_check;
alter table schedule_runs drop constraint schedule_runs_state_check;
update jobs set unique_key = 'slot' || substr(unique_key, 5) where unique_key like 'tick %';
update schedule_runs set state = 'going' where state = 'running';
alter table schedule_runs add constraint schedule_runs_state_check
    check (state in ('going', 'done', 'dead', 'cancelled', 'skipped'));
alter table schedule_runs add constraint schedule_runs_check2
    check ((state = 'going') = (finished_at is null));
alter table schedule_runs rename column tick to slot;

create or replace function update_schedule_run() returns trigger language plpgsql as $$
begin
    update schedule_runs set
        state = case when new.state in ('done', 'dead', 'cancelled') then new.state else 'going' end,
        started_at = coalesce(started_at, new.started_at),
        finished_at = new.finished_at,
        error = case when new.state in ('dead', 'cancelled') then new.error end
    where job_id = new.id;
    return null;
end $$;
alter function update_schedule_run rename to tell_schedule_run;

alter table emails rename column unique_key to occasion;
alter table emails rename column template to letter;

alter index jobs_dispatched rename to jobs_handed_over;
alter index jobs_never_dispatched rename to jobs_never_handed_over;
alter index jobs_blocked_on rename to jobs_waits_for;
alter index jobs_user_id rename to jobs_concerns;
alter index jobs_unique_key rename to jobs_one_unfinished_an_occasion;
alter table jobs rename column dispatched_at to handed_over_at;
alter table jobs rename column blocked_on to waits_for;
alter table jobs rename column expires_at to useful_until;
alter table jobs rename column user_id to concerns;
alter table jobs rename column unique_key to occasion;

create trigger jobs_tell_schedule_run after update of state on jobs
    for each row
    when (new.occasion like 'slot %' and new.state is distinct from old.state)
    execute function tell_schedule_run();

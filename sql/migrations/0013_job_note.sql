-- migrate:up
-- May run before the deploy: workers of the last release leave the column null.
alter table jobs add column note text; -- why a job that is done had nothing to do

-- migrate:down
alter table jobs drop column note;

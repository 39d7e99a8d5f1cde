-- migrate:up
-- May run before the deploy: older workers leave the column null.
alter table jobs add column note text; -- why the job had nothing to do

-- migrate:down
alter table jobs drop column note;

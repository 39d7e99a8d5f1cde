-- migrate:up
-- May run before the deploy: older workers leave the column null.
alter table jobs add column note text; -- why a job had nothing to do, although it is done

-- migrate:down
alter table jobs drop column note;

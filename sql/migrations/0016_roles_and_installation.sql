-- migrate:up

-- Which database this is. Dumps and copies keep the id. The bucket holds it too, so that the cleanup
-- never removes the objects of another database.
create table installation (
    only_row boolean primary key default true check (only_row),
    id uuid not null default gen_random_uuid()
);
insert into installation default values;

-- Creates a role that can log in and do nothing else. `verifier` is a SCRAM verifier, so that the
-- password never appears in Postgres's log.
create function create_application_role(name text, verifier text) returns void language plpgsql as $$
begin
    execute format('create role %I login password %L', name, verifier);
end $$;

-- Lets a role read and write the rows of all tables, also of those that the owner creates later.
-- A migration that adds a table that the application may not change replaces this function.
create function grant_to_application(role text) returns void language plpgsql as $$
begin
    execute format('grant usage on schema public to %I', role);
    execute format('grant select, insert, update, delete on all tables in schema public to %I', role);
    execute format('grant usage, select on all sequences in schema public to %I', role);
    execute format(
        'alter default privileges in schema public grant select, insert, update, delete on tables to %I',
        role
    );
    execute format(
        'alter default privileges in schema public grant usage, select on sequences to %I', role
    );
    execute format('revoke insert, update, delete on schema_migrations, installation from %I', role);
    revoke create on schema public from public;
    execute format('revoke temporary on database %I from public', current_database());
end $$;

revoke execute on function create_application_role from public;
revoke execute on function grant_to_application from public;

-- migrate:down
drop function grant_to_application;
drop function create_application_role;
drop table installation;

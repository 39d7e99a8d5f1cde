-- name: check_role
-- Return what a role may do, and whether the current role may create it. A role that does not exist
-- may do nothing. `owner` is true for the current role itself, `excessive` for a role that could
-- change the schema, read the server's files or start programs.
select
    r.oid is not null as present,
    given.name = current_user as owner,
    coalesce(
        r.rolsuper
        or r.rolcreaterole
        or pg_has_role(r.oid, current_user, 'member')
        or pg_has_role(r.oid, 'pg_read_server_files', 'member')
        or pg_has_role(r.oid, 'pg_write_server_files', 'member')
        or pg_has_role(r.oid, 'pg_execute_server_program', 'member')
        or exists (
            select from pg_class as c
            where c.relowner = r.oid and c.relnamespace = 'public'::regnamespace
        ),
        false
    ) as excessive,
    me.rolsuper or me.rolcreaterole as may_create
from (values (:name::text)) as given (name)
join pg_roles as me on me.rolname = current_user
left join pg_roles as r on r.rolname = given.name;

-- name: create_role
-- Create a role that can log in. Only the owner of the tables may run this.
select create_application_role(:name, :verifier);

-- name: grant_rows
-- Let a role read and write the rows of all present and future tables. Repeating it changes nothing.
-- Only the owner of the tables may run this.
select grant_to_application(:name);

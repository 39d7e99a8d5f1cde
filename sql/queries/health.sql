-- name: ping
-- Make one round trip that touches no table.
select true;

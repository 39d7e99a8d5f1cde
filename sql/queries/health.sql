-- name: postgres_answers
-- Make one round trip that touches no table.
select true;

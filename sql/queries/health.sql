-- name: postgres_answers
-- One round trip that touches no table.
select true;

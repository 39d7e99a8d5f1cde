-- name: lock_key
-- Lock an idempotency key until the transaction ends; false if another transaction holds it.
select pg_try_advisory_xact_lock(
    hashtextextended(:user_id::uuid || ' ' || :route::text || ' ' || :key::text, 0)
);

-- name: stored_response
-- Return the response that was stored under a key in the last 24 hours.
select fingerprint, status, body
from idempotency_keys
where user_id = :user_id
    and route = :route
    and key = :key
    and created_at > now() - interval '24 hours';

-- name: store_response
-- Store a response, replacing an expired one under the same key.
insert into idempotency_keys (user_id, route, key, fingerprint, status, body)
values (:user_id, :route, :key, :fingerprint, :status, :body)
on conflict (user_id, route, key) do update
set fingerprint = excluded.fingerprint,
    status = excluded.status,
    body = excluded.body,
    created_at = now();

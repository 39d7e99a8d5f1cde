-- name: claim_letter
-- Records that an attempt is about to send, unless the letter is sent or another attempt may be at
-- it: then it gives no row. A letter to a suppressed address is recorded as that.
insert into emails (
    recipient_id, letter, unique_key, job_id, message_id, state, attempts, sending_until, written_at
)
select
    :recipient_id,
    :letter,
    :unique_key,
    :job_id,
    :message_id,
    case when suppressed then 'suppressed' else 'sending' end,
    case when suppressed then 0 else 1 end,
    case when suppressed then null else clock_timestamp() + :lease::interval end,
    clock_timestamp()
from (select exists (select from suppressions where address = lower(:address))) s (suppressed)
on conflict (recipient_id, letter, unique_key) do update set
    job_id = excluded.job_id,
    state = excluded.state,
    attempts = emails.attempts + excluded.attempts,
    sending_until = excluded.sending_until,
    written_at = excluded.written_at
where
    emails.state in ('refused', 'suppressed')
    or (emails.state = 'sending' and emails.sending_until <= clock_timestamp())
returning id, state, attempts, doubts, written_at as date;

-- name: may_claim_letter
-- Whether a claim of a letter would let it be sent: see claim_letter.
select
    not exists (select from suppressions where address = lower(:address))
    and not exists (
        select from emails
        where
            recipient_id = :recipient_id
            and letter = :letter
            and unique_key = :unique_key
            and (state = 'sent' or (state = 'sending' and sending_until > clock_timestamp()))
    );

-- name: letter_lease
-- How long another attempt may still be sending a letter; null when it is sent.
select sending_until - clock_timestamp() as lease
from emails
where recipient_id = :recipient_id and letter = :letter and unique_key = :unique_key;

-- name: letter_sent_at
-- When a letter was sent; null while it is not.
select sent_at from emails
where recipient_id = :recipient_id and letter = :letter and unique_key = :unique_key;

-- name: hold_letters
-- Of two letters of a kind to one person at once, the second waits until the first is counted.
select pg_advisory_xact_lock(
    hashtextextended('letters ' || :letter::text || ' ' || :recipient_id::uuid::text, 0)
);

-- name: wait_for_another
-- How long until a person may get one more letter of a kind, this unique key aside; no row: now.
select written_at + :period::interval - clock_timestamp() as wait
from emails
where
    recipient_id = :recipient_id
    and letter = :letter
    and unique_key <> :unique_key
    and state in ('sending', 'sent')
    and written_at > clock_timestamp() - :period::interval
order by written_at desc
offset :most::int - 1
limit 1;

-- name: attempt_may_send
-- Whether an attempt is the last one at its letter and still has the time to send it.
select state = 'sending' and attempts = :attempt and sending_until > clock_timestamp()
from emails
where id = :id;

-- name: record_sent
-- The server has taken the letter: no attempt sends it again.
update emails
set state = 'sent', sent_at = clock_timestamp(), sending_until = null, error = null
where id = :id and state = 'sending';

-- name: record_failure
-- An attempt ended without a letter, or in doubt of it; the next need not wait for its time to pass.
update emails
set
    sending_until = least(sending_until, clock_timestamp()),
    doubts = doubts + :doubted::bool::int,
    error = :error
where id = :id and state = 'sending' and attempts = :attempt;

-- name: record_refusal
-- The server will not take the letter, whatever we do.
update emails
set state = 'refused', sending_until = null, error = :error
where id = :id and state = 'sending' and attempts = :attempt;

-- name: suppress
-- Nothing is sent to an address any more, in whatever case it is written.
insert into suppressions (address, reason)
values (lower(:address), :reason)
on conflict (address) do nothing;

-- name: is_suppressed
-- Whether nothing is sent to an address.
select exists (select from suppressions where address = lower(:address));

-- name: suppress_all
-- Nothing is sent to these addresses any more; how many of them were new.
with added as (
    insert into suppressions (address, reason)
    select lower(address), :reason from unnest(:addresses::text[]) as given (address)
    on conflict (address) do nothing
    returning address
)
select count(*)::int from added;

-- name: list_suppressions
-- The addresses that nothing is sent to, the newest first.
select address, created_at, reason
from suppressions
order by created_at desc, address
limit :limit;

-- name: lift_suppression
-- An address is sent to again; no row when it was not suppressed.
delete from suppressions where address = lower(:address) returning address;

-- name: claim_email
-- Record that an attempt is about to send an email, and return the record.
-- No row if the email has been sent, if another attempt may still be sending it, or if the recipient
-- has not confirmed the address and the email may not reach anyone. An email to a suppressed address
-- is recorded as suppressed.
insert into emails (
    recipient_id, template, unique_key, job_id, message_id, state, attempts, sending_until, written_at
)
select
    :recipient_id,
    :template,
    :unique_key,
    :job_id,
    :message_id,
    case when suppressed then 'suppressed' else 'sending' end,
    case when suppressed then 0 else 1 end,
    case when suppressed then null else clock_timestamp() + :lease::interval end,
    clock_timestamp()
from (select exists (select from suppressions where address = lower(:address))) s (suppressed)
where :reaches_anyone::bool or is_confirmed(:recipient_id, :address)
on conflict (recipient_id, template, unique_key) do update set
    job_id = excluded.job_id,
    state = excluded.state,
    attempts = emails.attempts + excluded.attempts,
    sending_until = excluded.sending_until,
    written_at = excluded.written_at
where
    emails.state in ('refused', 'suppressed')
    or (emails.state = 'sending' and emails.sending_until <= clock_timestamp())
returning id, state, attempts, doubts, written_at as date;

-- name: may_claim_email
-- Tell whether claim_email would allow this email to be sent.
select
    (:reaches_anyone::bool or is_confirmed(:recipient_id, :address))
    and not exists (select from suppressions where address = lower(:address))
    and not exists (
        select from emails
        where
            recipient_id = :recipient_id
            and template = :template
            and unique_key = :unique_key
            and (state = 'sent' or (state = 'sending' and sending_until > clock_timestamp()))
    );

-- name: email_lease
-- Return how much longer another attempt may be sending an email.
-- Null if the email has already been sent, refused or suppressed.
select sending_until - clock_timestamp() as lease
from emails
where recipient_id = :recipient_id and template = :template and unique_key = :unique_key;

-- name: email_sent_at
-- Return when an email was sent; null if it has not been.
select sent_at from emails
where recipient_id = :recipient_id and template = :template and unique_key = :unique_key;

-- name: lock_emails
-- Lock this user's emails with this name until the transaction ends.
-- The second of two concurrent transactions therefore counts the first one's email.
select pg_advisory_xact_lock(
    hashtextextended('emails ' || :template::text || ' ' || :recipient_id::uuid::text, 0)
);

-- name: remaining_wait
-- Return the time until this user may get another email with this name, or no row if they may now.
-- The email with this unique key is not counted.
select written_at + :period::interval - clock_timestamp() as wait
from emails
where
    recipient_id = :recipient_id
    and template = :template
    and unique_key <> :unique_key
    and state in ('sending', 'sent')
    and written_at > clock_timestamp() - :period::interval
order by written_at desc
offset :max_count::int - 1
limit 1;

-- name: has_confirmed
-- Tell whether a recipient has confirmed this address.
select is_confirmed(:recipient_id, :address);

-- name: lock_unconfirmed_address
-- Lock the count of emails to an unconfirmed address until the transaction ends.
-- The second of two concurrent transactions therefore counts the first one's email.
select pg_advisory_xact_lock(hashtextextended('unconfirmed ' || lower(:address), 0));

-- name: unconfirmed_wait
-- Return the time until an unconfirmed address may get another email; no row if it may now.
-- Counts the emails of a day, whichever account they were for, but not the one with this Message-ID.
select created_at + interval '1 day' - clock_timestamp() as wait
from unconfirmed_emails
where
    address = lower(:address)
    and message_id <> :message_id
    and created_at > clock_timestamp() - interval '1 day'
order by created_at desc
offset :max_count::int - 1
limit 1;

-- name: count_unconfirmed_email
-- Count an email to an unconfirmed address. A later attempt is not counted again, but moves the
-- count to its own time.
insert into unconfirmed_emails (address, message_id)
values (lower(:address), :message_id)
on conflict (address, message_id) do update set created_at = now();

-- name: attempt_may_send
-- Tell whether an attempt is the latest one for its email and still has time to send it.
select state = 'sending' and attempts = :attempt and sending_until > clock_timestamp()
from emails
where id = :id;

-- name: record_sent
-- Record that the server has accepted the email, so that no attempt sends it again.
update emails
set state = 'sent', sent_at = clock_timestamp(), sending_until = null, error = null
where id = :id and state = 'sending';

-- name: record_failure
-- Record that an attempt failed, or that it is unknown whether the server accepted the email.
-- This ends the attempt's lease: the next attempt need not wait for the lease to run out.
update emails
set
    sending_until = least(sending_until, clock_timestamp()),
    doubts = doubts + :ambiguous::bool::int,
    error = :error
where id = :id and state = 'sending' and attempts = :attempt;

-- name: record_refusal
-- Record that the server has rejected the email for good.
update emails
set state = 'refused', sending_until = null, error = :error
where id = :id and state = 'sending' and attempts = :attempt;

-- name: suppress
-- Stop sending to an address, ignoring case.
-- An address that is already suppressed keeps its reason.
insert into suppressions (address, reason)
values (lower(:address), :reason)
on conflict (address) do nothing;

-- name: is_suppressed
-- Tell whether an address is suppressed.
select exists (select from suppressions where address = lower(:address));

-- name: suppress_all
-- Stop sending to these addresses, and return how many were not yet suppressed.
with added as (
    insert into suppressions (address, reason)
    select lower(address), :reason from unnest(:addresses::text[]) as given (address)
    on conflict (address) do nothing
    returning address
)
select count(*)::int from added;

-- name: list_suppressions
-- Return the suppressed addresses, newest first.
select address, created_at, reason
from suppressions
order by created_at desc, address
limit :limit;

-- name: lift_suppression
-- Allow sending to an address again. Returns no row if it was not suppressed.
delete from suppressions where address = lower(:address) returning address;

-- incompatible: it drops columns. Stop the API and the workers before applying it.

-- migrate:up
-- People's choices for the emails that they can turn off. Without a row, an email is on.
create table subscriptions (
    user_id uuid not null references users on delete cascade,
    name text not null,
    frequency text not null check (frequency in ('off', 'daily', 'weekly')),
    primary key (user_id, name)
);

insert into subscriptions (user_id, name, frequency)
select id, chosen.name, 'off'
from users, lateral (
    values
        ('weekly_summary', weekly_summary),
        ('friend_activity', friend_activity),
        ('monthly_report', monthly_report)
) as chosen (name, wanted)
where not chosen.wanted;

alter table users drop column weekly_summary;
alter table users drop column friend_activity;
alter table users drop column monthly_report;

create function is_subscribed(user_id uuid, name text) returns boolean language sql stable
return not exists (
    select from subscriptions as s
    where s.user_id = is_subscribed.user_id and s.name = is_subscribed.name and s.frequency = 'off'
);

-- migrate:down
drop function is_subscribed;
alter table users add column weekly_summary boolean not null default true;
alter table users add column friend_activity boolean not null default true;
alter table users add column monthly_report boolean not null default true;
update users set
    weekly_summary = not exists (
        select from subscriptions as s
        where s.user_id = users.id and s.name = 'weekly_summary' and s.frequency = 'off'
    ),
    friend_activity = not exists (
        select from subscriptions as s
        where s.user_id = users.id and s.name = 'friend_activity' and s.frequency = 'off'
    ),
    monthly_report = not exists (
        select from subscriptions as s
        where s.user_id = users.id and s.name = 'monthly_report' and s.frequency = 'off'
    );
drop table subscriptions;

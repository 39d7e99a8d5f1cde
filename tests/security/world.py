"""Test data for every route: people, and things that belong to Kim or are for operators only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from argon2 import PasswordHasher

from app.email.subscriptions import unsubscribe_token
from app.exports.export import Filters
from app.exports.requests import request as request_export
from app.friends import friendships
from app.pages.assets import ASSET_PATHS
from app.pages.session import form_token
from app.reports.report import key as report_key
from app.resources import Resources
from app.users.email_links import issue_token
from app.users.user import UserId
from tests.support.people import Person, person
from tests.users.people import PASSWORD

HASH = PasswordHasher(memory_cost=8, time_cost=1, parallelism=1).hash(PASSWORD)
"""The hash of everyone's password. It is cheap to check."""
VISITOR = "an anonymous browser"

DEAD_JOB = """
insert into jobs (kind, queue, payload, state, fingerprint, finished_at, user_id)
values ('email:welcome', 'critical', jsonb_build_object('user_id', $1::uuid), 'dead', 'f00d',
    now(), $1::uuid)
returning id
"""
ACTIVITY = """
insert into activities (user_id, type, started_at, duration_s)
values ($1, 'run', '2026-11-02 07:30+00', 1800) returning id
"""
PHOTO = """
insert into photos (activity_id, content_type, size_bytes) values ($1, 'image/png', 1) returning id
"""
OCTOBER = date(2026, 10, 1)
REPORT = """
insert into reports (user_id, month, size_bytes, sha256)
values ($1, '2026-10-01', 1, repeat('0', 64))
"""


@dataclass(frozen=True, slots=True)
class World:
    people: Mapping[str, Person | None]
    """The people by their role in tests/security/routes.py."""
    named: dict[str, str]
    """The values for path parameters. `queues/{name}` is the value for `{name}` after `queues/`."""
    secret: str

    def path(self, template: str) -> str:
        """Fill in the parameters in the path of a route."""
        parts = template.split("/")
        return "/".join(
            self.named.get(f"{before}/{part}", self.named.get(part, part))
            for before, part in zip(["", *parts], parts, strict=False)
        )

    def headers(self, who: Person | None) -> dict[str, str]:
        """Return the headers of a request: the token for the API and the cookie for the pages."""
        if who is None:
            return {"Cookie": f"__Host-visitor={VISITOR}"}
        return {**who.headers, "Cookie": f"__Host-session={who.token}"}

    def form(self, who: Person | None) -> dict[str, str]:
        """Return the CSRF field of a form."""
        return {"csrf": form_token(self.secret, who.token if who else VISITOR)}


async def build(resources: Resources) -> World:
    database, secret = resources.database, resources.settings.secret_key
    names = ("kim", "sam", "olga", "alex", "jo")
    kim, sam, olga, alex, jo = [await person(database, name) for name in names]
    await database.execute("update users set password_hash = $1, confirmed_at = now()", HASH)
    await database.execute("update users set is_admin = true where id = $1", olga.id)
    activity = await database.fetchval(ACTIVITY, kim.id)
    photo = await database.fetchval(PHOTO, activity)
    await database.execute(REPORT, kim.id)
    await resources.bucket.put(report_key(kim.id, OCTOBER, None), b"%PDF", "application/pdf")
    async with database.transaction() as tx:
        request = await friendships.send_request(tx, alex.id, kim.email)
        friendship_request = await friendships.send_request(tx, jo.id, kim.email)
        await friendships.accept(tx, kim.id, friendship_request.id)
        export = await request_export(tx, kim.id, "csv", Filters(date(2026, 1, 1)))
        tokens = [
            await issue_token(tx, UserId(kim.id), purpose, timedelta(days=1))
            for purpose in ("confirm", "reset")
        ]
    await database.execute("delete from jobs")
    job = await database.fetchval(DEAD_JOB, kim.id)
    named = {
        "{activity_id}": activity,
        "{photo_id}": photo,
        "{request_id}": request.id,
        "{user_id}": jo.id,
        "{friend_id}": jo.id,
        "{export_id}": export.id,
        "{month}": "2026-10",
        "{job_id}": job,
        "{fingerprint}": "f00d",
        "queues/{name}": "low",
        "kinds/{name}": "email:welcome",
        "schedules/{name}": "cleanup:daily",
        "problems/{name}": "address_taken",
        "static/{name}": ASSET_PATHS["style.css"].rpartition("/")[2],
        "confirm/{token}": tokens[0],
        "password-resets/{token}": tokens[1],
        "reset/{token}": tokens[1],
        "unsubscribe/{token}": unsubscribe_token(secret, kim.id, "weekly_summary"),
    }
    people = {"anonymous": None, "kim": kim, "other": sam, "operator": olga}
    return World(people, {name: str(value) for name, value in named.items()}, secret)

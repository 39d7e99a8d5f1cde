"""The expected access to every route. A route that is missing here fails a test.

An entry has the statuses that an anonymous client, Kim, another user and an operator get. If a path
has the id of a user's data, the data are Kim's. The constructors are named for who has access:

    everybody(200)    no sign-in is needed, and everyone gets the same status
    own(200)          any signed-in user, about themselves
    kims(200)         Kim only; other users, operators included, get 404
    operators(200)    operators only

For pages, which redirect anonymous clients to the sign-in page, there are own_page, kims_page and
operators_page, and for_guests, for pages that redirect signed-in users.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.users.people import PASSWORD, new_user


class Access(NamedTuple):
    anonymous: int
    kim: int
    other: int
    operator: int
    body: dict[str, Any] | None
    """JSON for the API, form fields for the pages."""

    @property
    def statuses(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("anonymous", "kim", "other", "operator")}


def for_guests(status: int) -> Access:
    return Access(status, 303, 303, 303, None)


def everybody(status: int, **body: Any) -> Access:
    return Access(status, status, status, status, body or None)


def own(status: int, **body: Any) -> Access:
    return Access(401, status, status, status, body or None)


def kims(status: int, **body: Any) -> Access:
    return Access(401, status, 404, 404, body or None)


def operators(status: int, **body: Any) -> Access:
    return Access(401, 403, 403, status, body or None)


def own_page(status: int, **body: Any) -> Access:
    return own(status, **body)._replace(anonymous=303)


def kims_page(status: int, **body: Any) -> Access:
    return kims(status, **body)._replace(anonymous=303)


def operators_page(status: int, **body: Any) -> Access:
    return operators(status, **body)._replace(anonymous=303)


ACTIVITY = {"type": "run", "started_at": "2026-11-02T07:30:00Z", "duration_s": 1800}
FORM = {"type": "run", "started": "2026-11-02T07:30", "minutes": "30"}
NEW_PASSWORD = "a longer walk on the beach"

API = {
    "POST /users": everybody(201, **new_user("new@example.com")),
    "POST /users/confirm": own(409),  # already confirmed
    "POST /users/confirm/{token}": everybody(204, password=PASSWORD),
    "DELETE /users/confirm/{token}": everybody(410),  # already confirmed
    "GET /users/me": own(200),
    "PATCH /users/me": own(200, name="Kim Lee"),
    "DELETE /users/me": own(204, password=PASSWORD),
    "PUT /users/me/password": own(204, current_password=PASSWORD, password=NEW_PASSWORD),
    "POST /sessions": everybody(201, email="kim@example.com", password=PASSWORD),
    "DELETE /sessions/current": own(204),
    "POST /password-resets": everybody(202, email="kim@example.com"),
    "POST /password-resets/{token}": everybody(204, password=NEW_PASSWORD),
    "POST /activities": own(201, **ACTIVITY),
    "GET /activities": own(200),
    "GET /activities/{activity_id}": kims(200),
    "PATCH /activities/{activity_id}": kims(200, notes="Frost."),
    "DELETE /activities/{activity_id}": kims(204),
    "POST /activities/{activity_id}/photos": kims(201),
    "GET /photos/{photo_id}": kims(302),
    "DELETE /photos/{photo_id}": kims(204),
    "POST /friends/requests": own(201, email="nobody@example.com"),
    "GET /friends/requests": own(200),
    "DELETE /friends/requests/{request_id}": own(404),  # Kim did not send it
    "POST /friends/requests/{request_id}/accept": kims(200),
    "POST /friends/requests/{request_id}/decline": kims(200),
    "GET /friends": own(200),
    "DELETE /friends/{user_id}": kims(204),
    "GET /blocks": own(200),
    "PUT /blocks/{user_id}": own(204),
    "DELETE /blocks/{user_id}": own(204),
    "GET /stats/weekly": own(200),
    "GET /stats/daily?from=2026-11-01&to=2026-11-30": own(200),
    "GET /export/activities/csv": own(200),
    "POST /export/request": own(202, format="csv"),
    "GET /export/{export_id}/status": kims(200),
    "GET /export/{export_id}/download": kims(409),  # not finished
    "GET /export/history": own(200),
    "DELETE /export/{export_id}": kims(204),
    "GET /reports": own(200),
    "GET /reports/{month}/download": kims(302),
    "GET /admin/queues": operators(200),
    "POST /admin/queues/{name}/pause": operators(200),
    "POST /admin/queues/{name}/resume": operators(200),
    "GET /admin/kinds": operators(200),
    "POST /admin/kinds/{name}/pause": operators(200),
    "POST /admin/kinds/{name}/resume": operators(200),
    "GET /admin/workers": operators(200),
    "GET /admin/jobs": operators(200),
    "GET /admin/jobs/{job_id}": operators(200),
    "POST /admin/jobs/{job_id}/retry": operators(200),
    "POST /admin/jobs/{job_id}/cancel": operators(409),  # already dead
    "GET /admin/dead-letters": operators(200),
    "POST /admin/dead-letters/retry": operators(200),
    "POST /admin/dead-letters/{fingerprint}/retry": operators(200),
    "POST /admin/dead-letters/{fingerprint}/discard": operators(200),
    "GET /admin/schedules": operators(200),
    "GET /admin/schedules/{name}/runs": operators(200),
    "POST /admin/schedules/{name}/trigger": operators(202),
    "POST /admin/schedules/{name}/pause": operators(200),
    "POST /admin/schedules/{name}/resume": operators(200),
}

MACHINES = {
    "GET /health/live": everybody(200),
    "GET /health/ready": everybody(200),
    "GET /schema": everybody(200),
    "GET /schema/openapi.json": everybody(200),
    "GET /schema/{path}": everybody(404),
}

PAGES = {
    "GET /": for_guests(200),
    "GET /static/{name}": everybody(200),
    "GET /sign-up": for_guests(200),
    "POST /sign-up": everybody(303, name="Kim", email="new@example.com", password=PASSWORD),
    "GET /sign-in": for_guests(200),
    "POST /sign-in": everybody(303, email="kim@example.com", password=PASSWORD),
    "POST /sign-out": own_page(303),
    "GET /activities": own_page(200),
    "POST /activities": own_page(303, **FORM),
    "POST /activities/{activity_id}/delete": kims_page(303),
    "GET /exports": own_page(200),
    "POST /exports": own_page(303, format="csv"),
    "GET /exports/{export_id}": kims_page(200),
    "GET /exports/{export_id}/download": kims_page(409),
    "POST /exports/{export_id}/delete": kims_page(303),
    "GET /friends": own_page(200),
    "POST /friends": own_page(303, email="nobody@example.com"),
    "POST /friends/requests/{request_id}/accept": kims_page(303),
    "POST /friends/requests/{request_id}/decline": kims_page(303),
    "POST /friends/requests/{request_id}/withdraw": own_page(404),
    "POST /friends/{friend_id}/end": kims_page(303),
    "POST /friends/{friend_id}/block": own_page(303),
    "POST /friends/{friend_id}/unblock": own_page(303),
    "GET /reports": own_page(200),
    "GET /reports/{month}/download": kims_page(302),
    "GET /settings": own_page(200),
    "POST /settings/name": own_page(303, name="Kim Lee"),
    "POST /settings/emails": own_page(303, weekly_summary="true"),
    "POST /settings/confirmation": own_page(409),
    "POST /settings/password": own_page(303, current_password=PASSWORD, password=NEW_PASSWORD),
    "POST /settings/leave": own_page(303, own_password=PASSWORD),
    "GET /confirm/{token}": everybody(200),
    "POST /confirm/{token}": everybody(303, password=PASSWORD),
    "POST /confirm/{token}/disown": everybody(410),  # already confirmed
    "GET /confirmed": everybody(200),
    "GET /forgotten": everybody(200),
    "POST /forgotten": everybody(200, email="kim@example.com"),
    "GET /reset/{token}": everybody(200),
    "POST /reset/{token}": everybody(303, password=NEW_PASSWORD),
    "GET /reset-done": everybody(200),
    "GET /unsubscribe/{token}": everybody(200),
    "POST /unsubscribe/{token}": everybody(200),
    "GET /problems/{name}": everybody(200),
    "GET /.well-known/security.txt": everybody(200),
    "GET /.well-known/change-password": everybody(302),
    # Email previews exist only in development.
    "GET /dev/emails": everybody(404),
    "GET /dev/emails/{name}": everybody(404),
    "GET /dev/emails/{name}/{scheme}": everybody(404),
    "GET /ops": operators_page(200),
    "GET /ops/queues": operators_page(200),
    "POST /ops/queues/{name}/pause": operators_page(303),
    "POST /ops/queues/{name}/resume": operators_page(303),
    "POST /ops/kinds/{name}/pause": operators_page(303),
    "POST /ops/kinds/{name}/resume": operators_page(303),
    "GET /ops/jobs": operators_page(200),
    "GET /ops/jobs/{job_id}": operators_page(200),
    "POST /ops/jobs/{job_id}/retry": operators_page(303),
    "POST /ops/jobs/{job_id}/cancel": operators_page(409),
    "GET /ops/dead-letters": operators_page(200),
    "GET /ops/dead-letters/{fingerprint}": operators_page(200),
    "POST /ops/dead-letters/retry": operators_page(303),
    "POST /ops/dead-letters/{fingerprint}/retry": operators_page(303),
    "POST /ops/dead-letters/{fingerprint}/discard": operators_page(303),
    "GET /ops/schedules": operators_page(200),
    "GET /ops/schedules/{name}": operators_page(200),
    "POST /ops/schedules/{name}/trigger": operators_page(303),
    "POST /ops/schedules/{name}/pause": operators_page(303),
    "POST /ops/schedules/{name}/resume": operators_page(303),
    "GET /ops/workers": operators_page(200),
}

ROUTES = {
    **{route.replace(" ", " /api/v1", 1): access for route, access in API.items()},
    **MACHINES,
    **PAGES,
}

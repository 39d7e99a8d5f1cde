"""Failures become problem+json that says what is wrong and discloses nothing internal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar, get
from litestar.types import Message
from structlog.testing import capture_logs

from app import errors
from app.api.application import Application
from app.api.errors import problem_response
from app.api.middleware import RequestContext
from app.metrics import registry
from app.postgres.database import Database
from app.web.failures import STATUSES
from tests.support.people import person
from tests.users.people import new_user

USERS = "/api/v1/users"
JSON = {"Content-Type": "application/json"}

RequestRaising = Callable[[Exception], Awaitable[httpx.Response]]


def test_every_failure_has_a_status() -> None:
    kinds = [errors.Failure]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    ours = {kind for kind in kinds[1:] if kind.__module__.startswith("app.")}
    unnamed = {kind for kind in ours if not any(issubclass(kind, named) for named in STATUSES)}
    assert not unnamed
    assert set(STATUSES) <= ours


@pytest.fixture
async def request_raising() -> AsyncIterator[RequestRaising]:
    """A function that sends a request to a handler that raises the given error."""
    raised: list[Exception] = []

    @get("/")
    async def handler() -> None:
        raise raised.pop()

    app = Litestar([handler], exception_handlers={Exception: problem_response}, logging_config=None)
    transport = httpx.ASGITransport(app=lambda *args: RequestContext().run(app, *args))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def request(error: Exception) -> httpx.Response:
            raised.append(error)
            return await client.get("/")

        yield request


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.Invalid("No."), 400, {}),
        (errors.Unauthenticated("No."), 401, {"www-authenticate": "Bearer"}),
        (errors.Forbidden("No."), 403, {}),
        (errors.NotFound("No."), 404, {}),
        (errors.Conflict("No."), 409, {}),
        (errors.Gone("No."), 410, {}),
        (errors.TooMany("No.", retry_after=7), 429, {"retry-after": "7"}),
        (errors.Busy("No.", retry_after=2), 503, {"retry-after": "2"}),
        (errors.Unavailable("No.", dependency="s3", retry_after=3), 503, {"retry-after": "3"}),
        (errors.StatementCancelled("No.", retry_after=4), 503, {"retry-after": "4"}),
    ],
)
async def test_failure_is_translated_to_its_status_and_detail(
    request_raising: RequestRaising, error: errors.Failure, status: int, headers: dict[str, str]
) -> None:
    response = await request_raising(error)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.json()["status"], response.json()["detail"]) == (status, "No.")
    assert headers.items() <= dict(response.headers).items()


async def test_invalid_field_is_named_in_the_errors(request_raising: RequestRaising) -> None:
    response = await request_raising(errors.Invalid("It is in the future.", field="started_at"))
    assert response.json()["errors"] == [{"field": "started_at", "detail": "It is in the future."}]


async def test_unexpected_exception_is_logged_and_not_disclosed(
    request_raising: RequestRaising, capfd: pytest.CaptureFixture[str]
) -> None:
    response = await request_raising(RuntimeError("an internal secret"))
    assert response.status_code == 500
    assert "secret" not in response.text
    logged = "".join(capfd.readouterr())
    assert "an internal secret" in logged
    assert "Traceback" in logged


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "/schema/nothing", 404),
        ("GET", "/api/v1/activities/no-uuid", 404),
        ("PUT", USERS, 405),
        ("TRACE", "/health/live", 405),
    ],
)
async def test_router_errors_are_problem_json(
    api: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await api.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.headers["x-request-id"]


async def test_response_to_an_unsupported_method_lists_the_supported_ones(
    api: httpx.AsyncClient,
) -> None:
    assert "POST" in (await api.put(USERS)).headers["allow"]


async def test_all_invalid_fields_are_reported_at_once(api: httpx.AsyncClient) -> None:
    response = await api.post(USERS, json={"email": "kim", "name": "", "nick": "K"})
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"field": "nick", "detail": "Unknown field."},
        {
            "field": "email",
            "detail": "An email address such as kim@example.com. Case is ignored.",
        },
        {"field": "name", "detail": "Expected str of length >= 1"},
        {"field": "password", "detail": "This field is required."},
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b'{"email": }',
        b'{"email": "\xff"}',
        b'{"email": "\\ud800 alone"}',
        b'{"email": 1e999}',
        b"[" * 15_000,
        b'{"a":' * 3_000,
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"",
    ],
)
async def test_invalid_json_or_json_that_is_not_an_object_is_400(
    api: httpx.AsyncClient, body: bytes
) -> None:
    response = await api.post(USERS, content=body, headers=JSON)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Kim\0"}, "name"),
        ({"password": "a long walk\0on the beach"}, "password"),
        ({"nick": "\0"}, "nick"),
    ],
)
async def test_nul_in_a_body_is_400(
    api: httpx.AsyncClient, changes: dict[str, str], field: str
) -> None:
    response = await api.post(USERS, json=new_user(**changes))
    assert response.status_code == 400
    assert "NUL" in response.json()["detail"]
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_escaped_backslash_before_u0000_is_not_a_nul(api: httpx.AsyncClient) -> None:
    response = await api.post(USERS, json=new_user(name="C:\\u0000"))
    assert (response.status_code, response.json()["name"]) == (201, "C:\\u0000")


@pytest.mark.parametrize(
    "path", ["/api/v1/friends?cursor=%00", "/api/v1/friends?limit=1%00", "/api/v1/friends?x=%00"]
)
async def test_nul_in_a_query_is_400(api: httpx.AsyncClient, database: Database, path: str) -> None:
    response = await api.get(path, headers=(await person(database, "kim")).headers)
    assert (response.status_code, "NUL" in response.json()["detail"]) == (400, True)


async def test_nul_in_a_path_is_400(api: httpx.AsyncClient) -> None:
    response = await api.post("/api/v1/users/confirm/%00")
    assert (response.status_code, "NUL" in response.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=ten", "limit=", "cursor=***", "cursor=%ff"],
)
async def test_error_names_the_invalid_parameter(
    api: httpx.AsyncClient, database: Database, query: str
) -> None:
    response = await api.get(
        f"/api/v1/friends?{query}", headers=(await person(database, "kim")).headers
    )
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [query.partition("=")[0]]


async def test_body_over_a_megabyte_is_413(api: httpx.AsyncClient) -> None:
    response = await api.post(USERS, content=b" " * 1_000_001, headers=JSON)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


async def test_chunked_body_over_a_megabyte_is_413(api: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100_000

    assert (await api.post(USERS, content=chunks(), headers=JSON)).status_code == 413


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_wrong_media_type_is_415(api: httpx.AsyncClient, media_type: str) -> None:
    response = await api.post(USERS, content=b"{}", headers={"Content-Type": media_type})
    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, gzip"])
async def test_body_with_a_content_encoding_is_415(
    api: httpx.AsyncClient, database: Database, coding: str
) -> None:
    kim = await person(database, "kim")
    headers = {**kim.headers, "Content-Encoding": coding}
    for method, path in (("POST", USERS), ("PATCH", f"{USERS}/me"), ("DELETE", f"{USERS}/me")):
        response = await api.request(
            method, path, content=b"{}", headers={**headers, "Content-Type": "application/json"}
        )
        assert response.status_code == 415
        assert response.headers["accept-encoding"] == "identity"
        assert "Content-Encoding" in response.json()["detail"]


async def test_form_with_a_content_encoding_is_415(api: httpx.AsyncClient) -> None:
    for path in ("/sign-in", "/unsubscribe/token"):
        headers = {"Content-Encoding": "gzip"}
        response = await api.post(path, data={"email": "kim@example.com"}, headers=headers)
        assert response.status_code == 415


async def test_identity_is_an_accepted_content_encoding(api: httpx.AsyncClient) -> None:
    headers = {"Content-Encoding": "identity"}
    response = await api.post(USERS, json=new_user(), headers=headers)
    assert response.status_code == 201


async def test_wrong_media_type_is_answered_with_the_accepted_one(api: httpx.AsyncClient) -> None:
    response = await api.post(USERS, content=b"{}", headers={"Content-Type": "text/plain"})
    assert response.headers["accept"] == "application/json"


async def test_media_type_with_a_charset_is_accepted(api: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/JSON; charset=utf-8"}
    response = await api.post(USERS, content=b"{}", headers=headers)
    assert response.status_code == 400


MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize("headers", ["", "\r\nContent-Type: text/plain; charset=nonsense"])
@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/activities/{}/photos"])
async def test_form_whose_text_cannot_be_decoded_is_400(
    api: httpx.AsyncClient, database: Database, path: str, headers: str
) -> None:
    kim = await person(database, "kim")
    body = (
        f'--b\r\nContent-Disposition: form-data; name="csrf"{headers}\r\n\r\n'.encode()
        + b"\xff\r\n--b--\r\n"
    )
    response = await api.post(
        path.format(uuid4()), content=body, headers={**kim.headers, **MULTIPART}
    )
    assert response.status_code == 400
    assert "UTF-8" in response.text


@pytest.mark.parametrize("path", [USERS, "/sign-in"])
async def test_client_that_disconnects_before_the_end_of_its_body_causes_no_error(
    application: Application, path: str
) -> None:
    messages: list[Any] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    statuses: list[int] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    form = b"application/x-www-form-urlencoded" if path == "/sign-in" else b"application/json"
    headers = [(b"content-type", form)]
    before = _requests_without_response(path)
    with capture_logs() as lines:
        await application(http_scope("POST", path, headers), receive, send)

    assert statuses == [400]
    assert not [line for line in lines if line["log_level"] in ("error", "warning")]
    assert _requests_without_response(path) == before + 1


def _requests_without_response(route: str) -> float:
    labels = {"method": "POST", "route": route, "status": "none"}
    return registry.get_sample_value("activelog_http_requests_total", labels) or 0


def http_scope(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> Any:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }

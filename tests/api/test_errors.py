"""Every failure is a problem+json that says what is wrong and nothing that it should not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from litestar import Litestar, get

from app import errors
from app.api.errors import problem_response
from app.api.middleware import RequestContext
from app.postgres.database import Database
from app.web.failures import STATUSES
from tests.support.people import person
from tests.users.people import new_user

USERS = "/api/v1/users"
JSON = {"Content-Type": "application/json"}

Raising = Callable[[Exception], Awaitable[httpx.Response]]


def test_every_kind_of_failure_has_a_status() -> None:
    kinds = [errors.Failure]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    ours = {kind for kind in kinds[1:] if kind.__module__.startswith("app.")}
    unnamed = {kind for kind in ours if not any(issubclass(kind, named) for named in STATUSES)}
    assert not unnamed
    assert set(STATUSES) <= ours


@pytest.fixture
async def raising() -> AsyncIterator[Raising]:
    """Answer a request whose handler raises, through the table of errors."""
    raised: list[Exception] = []

    @get("/")
    async def handler() -> None:
        raise raised.pop()

    app = Litestar([handler], exception_handlers={Exception: problem_response}, logging_config=None)
    transport = httpx.ASGITransport(app=lambda *args: RequestContext().run(app, *args))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def ask(error: Exception) -> httpx.Response:
            raised.append(error)
            return await client.get("/")

        yield ask


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
    ],
)
async def test_a_failure_becomes_its_status_with_its_sentence(
    raising: Raising, error: errors.Failure, status: int, headers: dict[str, str]
) -> None:
    answer = await raising(error)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["detail"]) == (status, "No.")
    assert headers.items() <= dict(answer.headers).items()


async def test_a_failure_of_a_field_names_it(raising: Raising) -> None:
    answer = await raising(errors.Invalid("It is in the future.", field="started_at"))
    assert answer.json()["errors"] == [{"field": "started_at", "detail": "It is in the future."}]


async def test_an_unexpected_exception_is_logged_and_tells_nothing(
    raising: Raising, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = await raising(RuntimeError("the secret of the house"))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    logged = "".join(capfd.readouterr())
    assert "the secret of the house" in logged
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
async def test_what_the_router_refuses_is_a_problem_too(
    api: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.headers["x-request-id"]


async def test_a_method_that_is_not_taken_tells_those_that_are(api: httpx.AsyncClient) -> None:
    assert "POST" in (await api.put(USERS)).headers["allow"]


async def test_all_wrong_fields_are_told_at_once(api: httpx.AsyncClient) -> None:
    answer = await api.post(USERS, json={"email": "kim", "name": "", "nick": "K"})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
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
        b"[" * 400_000,
        b'{"a":' * 150_000,
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"",
    ],
)
async def test_a_body_that_is_no_object_is_400(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post(USERS, content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Kim\0"}, "name"),
        ({"password": "a long walk\0on the beach"}, "password"),
        ({"nick": "\0"}, "nick"),
    ],
)
async def test_a_nul_in_a_body_is_400(
    api: httpx.AsyncClient, changes: dict[str, str], field: str
) -> None:
    answer = await api.post(USERS, json=new_user(**changes))
    assert answer.status_code == 400
    assert "NUL" in answer.json()["detail"]
    assert [wrong["field"] for wrong in answer.json()["errors"]] == [field]


async def test_a_backslash_before_u0000_is_no_nul(api: httpx.AsyncClient) -> None:
    answer = await api.post(USERS, json=new_user(name="C:\\u0000"))
    assert (answer.status_code, answer.json()["name"]) == (201, "C:\\u0000")


@pytest.mark.parametrize(
    "path", ["/api/v1/friends?cursor=%00", "/api/v1/friends?limit=1%00", "/api/v1/friends?x=%00"]
)
async def test_a_nul_in_a_query_is_400(
    api: httpx.AsyncClient, database: Database, path: str
) -> None:
    answer = await api.get(path, headers=(await person(database, "kim")).headers)
    assert (answer.status_code, "NUL" in answer.json()["detail"]) == (400, True)


async def test_a_nul_in_a_path_is_400(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/users/confirm/%00")
    assert (answer.status_code, "NUL" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=ten", "limit=", "cursor=***", "cursor=%ff"],
)
async def test_a_wrong_parameter_is_named(
    api: httpx.AsyncClient, database: Database, query: str
) -> None:
    answer = await api.get(
        f"/api/v1/friends?{query}", headers=(await person(database, "kim")).headers
    )
    assert answer.status_code == 400
    assert [wrong["field"] for wrong in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_a_body_over_a_megabyte_is_413(api: httpx.AsyncClient) -> None:
    answer = await api.post(USERS, content=b" " * 1_000_001, headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_over_a_megabyte_that_does_not_say_so_is_413(api: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100_000

    assert (await api.post(USERS, content=chunks(), headers=JSON)).status_code == 413


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_another_media_type_is_415(api: httpx.AsyncClient, media_type: str) -> None:
    answer = await api.post(USERS, content=b"{}", headers={"Content-Type": media_type})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


async def test_a_charset_does_not_make_json_another_type(api: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/JSON; charset=utf-8"}
    answer = await api.post(USERS, content=b"{}", headers=headers)
    assert answer.status_code == 400

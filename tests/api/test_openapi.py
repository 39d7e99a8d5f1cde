"""The OpenAPI document and the page that lists its routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
async def document(api: httpx.AsyncClient) -> dict[str, Any]:
    response = await api.get("/schema/openapi.json")
    assert response.status_code == 200
    described: dict[str, Any] = response.json()
    return described


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    paths = document["paths"].values()
    return [item[method] for item in paths for method in METHODS if method in item]


async def test_operations_have_unique_ids_and_known_tags(
    document: dict[str, Any],
) -> None:
    ids = [operation["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids))
    known = {tag["name"] for tag in document["tags"]}
    assert {tag for operation in operations(document) for tag in operation["tags"]} <= known


async def test_operations_have_descriptions_and_error_responses(
    document: dict[str, Any],
) -> None:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operation in operations(document):
        failures = {
            status: response for status, response in operation["responses"].items() if status >= "4"
        }
        assert {"400"} <= set(failures) <= {str(status) for status in (*range(400, 430), 503)}
        for status, failure in failures.items():
            assert failure["content"] == {"application/problem+json": problem}
            assert failure["description"].endswith(".")
            assert ("Retry-After" in failure.get("headers", {})) == (status in ("429", "503"))
        assert operation["description"]
    assert "Problem" in document["components"]["schemas"]


def statuses(document: dict[str, Any], method: str, path: str) -> str:
    return " ".join(sorted(document["paths"][path][method]["responses"]))


async def test_responses_follow_from_the_route_and_its_description(
    document: dict[str, Any],
) -> None:
    activity = "/api/v1/activities/{activity_id}"
    assert statuses(document, "patch", activity) == "200 400 401 404 412 413 415 429 503"
    assert statuses(document, "get", activity) == "200 304 400 401 404 412 429 503"
    assert statuses(document, "post", "/api/v1/users") == "201 400 409 413 415 422 429 503"
    assert statuses(document, "get", "/api/v1/admin/queues") == "200 400 401 403 429 503"
    assert statuses(document, "get", "/health/ready") == "200 400 503"
    download = "/api/v1/export/{export_id}/download"
    assert statuses(document, "get", download) == "200 302 400 401 404 409 410 429 503"
    gone = document["paths"][download]["get"]["responses"]["410"]
    assert gone["description"] == "If it has expired."


async def test_responses_without_content_declare_none(document: dict[str, Any]) -> None:
    checked = 0
    for operation in operations(document):
        for status in {"204", "304"} & set(operation["responses"]):
            assert "content" not in operation["responses"][status]
            checked += 1
    assert checked > 8
    accepted = document["paths"]["/api/v1/users/confirm"]["post"]["responses"]["202"]
    assert "content" not in accepted


async def test_numbers_that_must_not_be_negative_have_a_minimum_of_0(
    document: dict[str, Any],
) -> None:
    for name in ("Entry", "Changes"):
        properties = document["components"]["schemas"][name]["properties"]
        for field in ("distance_m", "calories"):
            assert (name, field, properties[field]["minimum"]) == (name, field, 0)
        assert properties["duration_s"]["minimum"] == 1


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Return every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from parts(part)


async def test_document_passes_the_rules_of_redocly_and_spectral_that_it_once_broke(
    document: dict[str, Any],
) -> None:
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    assert document["info"]["contact"]
    assert all(len(part.get("oneOf", "12")) > 1 for part in parts(document))
    for operation in operations(document):
        first = {status[0] for status in operation["responses"]}
        assert {"2", "4"} <= first, operation["operationId"]


async def test_conditional_routes_declare_their_headers(document: dict[str, Any]) -> None:
    for path in ("/api/v1/activities/{activity_id}", "/api/v1/users/me"):
        for method in ("get", "patch", "delete"):
            operation = document["paths"][path][method]
            names = {parameter["name"] for parameter in operation["parameters"]}
            assert {"If-Match", "If-None-Match"} <= names
        assert "ETag" in document["paths"][path]["get"]["responses"]["200"]["headers"]


async def test_operations_have_readable_summaries_and_response_descriptions(
    document: dict[str, Any],
) -> None:
    paths = document["paths"]
    pause = paths["/api/v1/admin/queues/{name}/pause"]["post"]
    assert pause["summary"] == "Pause a queue"
    assert paths["/api/v1/sessions/current"]["delete"]["summary"] == "Sign out"
    assert paths["/api/v1/users"]["post"]["responses"]["201"]["description"] == "Created"
    assert all(operation["summary"] for operation in operations(document))


async def test_bearer_token_is_declared_except_on_public_routes(document: dict[str, Any]) -> None:
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"]["/api/v1/users"]["post"]["security"] == []
    assert "security" not in document["paths"]["/api/v1/users/me"]["get"]


async def test_bodies_declare_that_unknown_fields_are_forbidden(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = [
        (content["schema"].get("allOf") or [content["schema"]])[0]["$ref"].rpartition("/")[2]
        for operation in operations(document)
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    assert len(bodies) > 5
    for name in (*bodies, "PreferencesChange"):
        assert (name, schemas[name]["additionalProperties"]) == (name, False)


async def test_every_json_body_has_an_example(document: dict[str, Any]) -> None:
    bodies = [
        content["schema"]
        for operation in operations(document)
        if (content := operation.get("requestBody", {}).get("content", {}).get("application/json"))
    ]
    assert bodies
    assert all(body.get("examples") for body in bodies)


async def test_posts_that_accept_an_idempotency_key_declare_it(
    document: dict[str, Any],
) -> None:
    creating_paths = (
        "users",
        "activities",
        "activities/{activity_id}/photos",
        "friends/requests",
        "export/request",
    )
    for path in (f"/api/v1/{path}" for path in creating_paths):
        parameters = document["paths"][path]["post"]["parameters"]
        assert "Idempotency-Key" in {parameter["name"] for parameter in parameters}


async def test_schema_page_lists_the_routes_and_loads_nothing_external(
    api: httpx.AsyncClient,
) -> None:
    response = await api.get("/schema")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "POST /api/v1/users" in response.text
    assert "&lt;token&gt;" in response.text
    assert "<script" not in response.text
    assert "http" not in response.text
    policy = response.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy)

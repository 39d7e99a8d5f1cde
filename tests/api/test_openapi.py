"""The OpenAPI document and the page that lists its routes."""

from __future__ import annotations

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
        failure = operation["responses"]["default"]
        assert failure["content"]["application/problem+json"] == problem
        assert operation["description"]
    assert "Problem" in document["components"]["schemas"]


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


async def test_json_posts_that_accept_an_idempotency_key_declare_it(
    document: dict[str, Any],
) -> None:
    creating_paths = ("users", "activities", "friends/requests", "export/request")
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

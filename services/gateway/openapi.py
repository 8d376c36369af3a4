"""The OpenAPI 3.1 document, made from the contracts' schemas and the table of routes; nothing is described twice."""

import re
from typing import Any

from marshmallow import Schema

from services.gateway.api.door import BASE, PUBLIC, Route
from shared.contract import json_schema

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "allowed_actions": {"type": "array", "items": {"type": "string"}},
        "retry_after": {"type": "integer"},
    },
}
_SAID = {
    200: "As asked.",
    201: "Made.",
    202: "Taken; it settles later.",
    204: "Done.",
    400: "The body is not JSON.",
    401: "Not signed in.",
    402: "The card was declined.",
    403: "Not in the role, or without the CSRF token.",
    404: "Not there, or another's.",
    405: "Not that method.",
    409: "The state forbids it.",
    413: "Over 1 MB.",
    415: "Not JSON.",
    422: "Fields need another look.",
    429: "Too often.",
    502: "The processor refused.",
    503: "A part behind is not available.",
}


def document(routes: list[Route], version: str) -> dict:
    """The whole document."""
    schemas = _Schemas()
    paths: dict[str, dict] = {}
    for route in routes:
        paths.setdefault(BASE + route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Client Billing",
            "version": version,
            "description": "Amounts are whole numbers of the currency's minor unit; times are UTC; decimals are text.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **schemas.found},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-session"},
            },
        },
    }


class _Schemas:
    """The components: each schema under its own name, once for sending and once for reading."""

    def __init__(self) -> None:
        self.found: dict[str, dict] = {}
        self._names: dict[tuple[type[Schema], bool], str] = {}

    def reference(self, schema: type[Schema], reading: bool) -> dict:
        if (schema, reading) not in self._names:
            name = schema.__name__.lstrip("_")
            if not reading and name in self.found:
                name += "Request"
            while name in self.found:
                name += "Too"
            self._names[schema, reading] = name
            self.found[name] = {**json_schema(schema, reading), **_described(schema)}
        return {"$ref": f"#/components/schemas/{self._names[schema, reading]}"}


def _described(schema: type[Schema]) -> dict:
    words = schema.__dict__.get("__doc__")
    return {"description": " ".join(words.split())} if words else {}


def _operation(route: Route, schemas: _Schemas) -> dict:
    said: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.subject],
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
    }
    if route.roles is PUBLIC:
        said["security"] = []
    else:
        said["x-roles"] = list(route.roles) or ["any"]
    if route.takes is not None:
        content = {"application/json": {"schema": schemas.reference(route.takes, reading=False)}}
        said["requestBody"] = {"required": True, "content": content}
    return said


def _parameters(route: Route) -> list[dict]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        properties = json_schema(route.query)["properties"]
        found += [{"name": name, "in": "query", "required": False, "schema": _plain(schema)} for name, schema in properties.items()]
    if route.method == "POST":
        key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    return found


def _plain(schema: dict) -> dict:
    """A query's value is never null: it is left out."""
    if isinstance(schema.get("type"), list):
        schema = {**schema, "type": schema["type"][0]}
    if "enum" in schema:
        schema = {**schema, "enum": [word for word in schema["enum"] if word is not None]}
    return schema


def _responses(route: Route, schemas: _Schemas) -> dict:
    found = {str(status): _answer(route, status, schemas) for status in _good(route)}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in sorted(_bad(route)):
        found[str(status)] = {"description": _SAID[status], "content": problem}
    return found


def _good(route: Route) -> list[int]:
    status = 204 if route.gives is None else route.status
    return [status, 202] if route.later else [status]


def _bad(route: Route) -> set[int]:
    """The refusals a route can answer: from where it stands, what it takes and what it said of itself."""
    found = {429, 503, *route.faults}
    if route.roles is not PUBLIC:
        found |= {401, 403}
    if "{" in route.path:
        found.add(404)
    if route.method != "GET":
        found |= {400, 413, 415, 422}
    if route.query is not None:
        found.add(422)
    return found


def _answer(route: Route, status: int, schemas: _Schemas) -> dict:
    said: dict[str, Any] = {"description": _SAID[status]}
    if route.gives is not None:
        said["content"] = {"application/json": {"schema": schemas.reference(route.gives, reading=True)}}
    if route.method == "POST":
        said["headers"] = {"Idempotent-Replayed": {"schema": {"type": "string", "enum": ["true"]}}}
    return said

"""The OpenAPI document: every route is in it, with schemas that exist and answers that fit them."""

import re

import pytest

from services.gateway.api.routes import routes
from shared.contract import json_schema


@pytest.fixture
def document(steady):
    return steady.visitor().must("GET", "/openapi.json", 200)


def references(part):
    """Every `$ref` below a part of the document."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_route_is_in_the_document_with_what_it_takes_and_gives(document):
    """Method and path, body and answer of each route are described from the very schemas that read and write them."""
    components = document["components"]["schemas"]
    for route in routes():
        operation = document["paths"]["/api/v1" + route.path][route.method.lower()]
        assert operation["operationId"] == route.name and operation["summary"].endswith(".")
        if route.takes:
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert json_schema(route.takes)["properties"] == components[name]["properties"], route
        if route.gives:
            name = operation["responses"][str(route.status)]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert json_schema(route.gives, reading=True)["properties"] == components[name]["properties"], route


def test_the_document_describes_nothing_that_is_not_there(steady, document):
    """Paths are routes of the app; operation names are unique; every reference leads somewhere; path ids are declared."""
    served = {re.sub(r"<(\w+)>", r"{\1}", rule.rule) for rule in steady.app.url_map.iter_rules()}
    assert set(document["paths"]) <= served
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) == len({operation["operationId"] for operation in operations})
    for reference in references(document):
        assert reference.rpartition("/")[2] in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert set(re.findall(r"{(\w+)}", path)) == declared


def test_the_document_has_the_form_of_openapi_3_1(document):
    """Versions, schemas with types that JSON Schema knows, and responses with a description."""
    assert "3.1.0" == document["openapi"] and document["info"]["title"] and document["info"]["version"]
    kinds = {"object", "array", "string", "integer", "boolean", "number", "null"}

    def look(schema):
        said = schema.get("type", [])
        assert set([said] if isinstance(said, str) else said) <= kinds
        for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
            look(inner)
        assert set(schema.get("required", [])) <= set(schema.get("properties", {}))

    for schema in document["components"]["schemas"].values():
        look(schema)
    for methods in document["paths"].values():
        for operation in methods.values():
            assert all(response["description"] for response in operation["responses"].values())


def test_what_is_answered_is_documented(steady, document):
    """Of a handful of calls, each status is one that the document names for that route."""
    admin = steady.steady_admin
    for method, path, body in (
        ("GET", "/me", None),
        ("GET", "/clients", None),
        ("POST", "/clients", {"name": "C", "email": "c@home.example"}),
        ("POST", "/clients", {}),
        ("PATCH", "/practice", {"terms_days": 7}),
        ("PUT", "/alert-preferences", {"email": False}),
    ):
        answer = admin.ask(method, path, json=body) if body is not None else admin.ask(method, path)
        assert str(answer.status_code) in document["paths"]["/api/v1" + path][method.lower()]["responses"]


def test_the_reader_shows_every_route_without_script(steady, document):
    """The page at /docs names each path and brings no script of anybody's."""
    page = steady.visitor().ask("GET", "/docs").get_data(as_text=True)
    assert all(path in page for path in document["paths"]) and "<script" not in page

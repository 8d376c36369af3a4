"""The reader of the OpenAPI document at `/docs`: one plain page, made on the server, without anybody else's script."""

from typing import Any

from markupsafe import Markup

_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<title>Client Billing: the API</title><link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/style.css"></head>'
    '<body><main id="main"><h1>The API</h1><p>{intro} The document itself: <a href="/openapi.json">openapi.json</a>.</p>'
    '<nav aria-label="Subjects"><ul>{contents}</ul></nav>{subjects}</main></body></html>'
)


def page(document: dict) -> str:
    """The whole document as HTML."""
    by_subject: dict[str, list[Markup]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_subject.setdefault(operation["tags"][0], []).append(_operation(method, path, operation, document))
    contents = Markup("").join(Markup('<li><a href="#{0}">{0}</a></li>').format(subject) for subject in by_subject)
    subjects = Markup("").join(
        Markup('<section id="{0}"><h2>{0}</h2>{1}</section>').format(subject, Markup("").join(parts))
        for subject, parts in by_subject.items()
    )
    return _PAGE.format(intro=document["info"]["description"], contents=contents, subjects=subjects)


def _operation(method: str, path: str, operation: dict, document: dict) -> Markup:
    who = ", ".join(operation.get("x-roles", ["anyone"]))
    parts = [
        Markup("<h3><code>{} {}</code></h3><p>{} <span>For: {}.</span></p>").format(method.upper(), path, operation["summary"], who)
    ]
    query = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    if query:
        parts.append(Markup("<p>Query: <code>{}</code></p>").format(", ".join(query)))
    if "requestBody" in operation:
        parts.append(_fields("Send", operation["requestBody"]["content"]["application/json"]["schema"], document))
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if schema:
            parts.append(_fields(f"Answer {status}", schema, document))
    others = [status for status in operation["responses"] if int(status) >= 400]
    parts.append(Markup("<p>Refusals: {}</p>").format(", ".join(others)))
    return Markup("<article>{}</article>").format(Markup("").join(parts))


def _fields(title: str, reference: dict, document: dict) -> Markup:
    schema = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    rows = Markup("").join(
        Markup("<tr><th scope=row><code>{}</code></th><td>{}</td><td>{}</td></tr>").format(
            name, _kind(inner), "needed" if name in schema.get("required", ()) else ""
        )
        for name, inner in schema["properties"].items()
    )
    return Markup("<details><summary>{}</summary><table><tbody>{}</tbody></table></details>").format(title, rows)


def _kind(schema: dict[str, Any]) -> str:
    kinds = schema.get("type", "anything")
    kind = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if "enum" in schema:
        kind = " · ".join(str(word) for word in schema["enum"] if word is not None)
    if kind.startswith("array"):
        return f"list of {_kind(schema.get('items', {}))}"
    if "object" in kind and schema.get("properties"):
        return f"{{{', '.join(schema['properties'])}}}"
    return kind

"""The OpenAPI document as a page to read: one HTML text without scripts, fonts or pictures from anywhere.

Rule 1: pure: the document comes in, a page goes out. Rule 2: every word of the document is escaped. Rule 3: the page can do nothing: its
policy allows the one style sheet in it, by hash, and no more.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from html import escape

from mmsproxy.web.answers import Json

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav a { margin-right: 1rem; }
section { border-top: 1px solid #8886; margin-top: 2rem; padding-top: 0.5rem; }
h3 code { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8883; }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.5rem; background: #8882; }
.method { display: inline-block; min-width: 4rem; font-weight: bold; }
.muted { opacity: 0.75; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
NOTHING = ("default-src", "frame-ancestors", "base-uri", "form-action")
HEADERS = {"Content-Security-Policy": "; ".join([f"style-src 'sha256-{_HASH}'", *(f"{name} 'none'" for name in NOTHING)])}


def page(document: Json) -> str:
    """A whole HTML text."""
    info, tags = document["info"], [tag["name"] for tag in document["tags"]]
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in (*tags, "schemas"))
    groups = "".join(_group(name, document) for name in tags)
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f'<h1>{title}</h1><p>{escape(info["description"])} The same for machines: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<p>Every address but those marked otherwise wants <code>Authorization: Bearer TOKEN</code>.</p>"
        f"<nav>{links}</nav>{groups}{_schemas(document)}</body></html>"
    )


def _anchor(name: str) -> str:
    return escape("".join(char if char.isalnum() else "-" for char in name))


def _group(name: str, document: Json) -> str:
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if name in operation["tags"]
    ]
    return (
        f'<section><h2 id="{_anchor(name)}">{escape(name.capitalize())}</h2>{"".join(_operation(*item) for item in operations)}</section>'
    )


def _operation(method: str, path: str, operation: Json) -> str:
    scope = operation.get("x-scope")
    right = "No token is asked for." if scope is None else f"Scope: <code>{escape(scope)}</code>."
    if scope == "any":
        right = "Any token."
    text = escape(operation.get("description", ""))
    return (
        f'<h3><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h3>'
        f'<p>{escape(operation["summary"])}. {text} <span class="muted">{right}</span></p>'
        f"{_parameters(operation['parameters'])}{_body(operation.get('requestBody'))}{_answers(operation['responses'])}"
    )


def _parameters(parameters: list[Json]) -> str:
    rows = [(item["name"], item["in"], _kind(item["schema"]), escape(item["description"])) for item in parameters]
    return _table(("parameter", "in", "type", ""), ((f"<code>{escape(name)}</code>", *rest) for name, *rest in rows)) if rows else ""


def _body(body: Json | None) -> str:
    if body is None:
        return ""
    kinds = (f"<code>{escape(media)}</code> {_kind(content['schema'])}" for media, content in body["content"].items())
    return f"<p>Body{'' if body['required'] else ' (may be left out)'}: {', or '.join(kinds)}</p>"


def _answers(responses: Json) -> str:
    rows = ((escape(status), _contents(response), escape(response["description"])) for status, response in responses.items())
    return _table(("answer", "body", ""), rows)


def _contents(response: Json) -> str:
    kinds = (_kind(content["schema"]) if "json" in media else escape(media) for media, content in response.get("content", {}).items())
    return "<br>".join(kinds)


def _kind(schema: Json) -> str:
    """A schema in a few words; what has a name is a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{_anchor(name)}">{escape(name)}</a>'
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema and all(isinstance(item, dict) and ("type" in item or "$ref" in item) for item in schema[key]):
            return " or ".join(dict.fromkeys(_kind(item) for item in schema[key]))
    if "enum" in schema or "const" in schema:
        return " ".join(f"<code>{escape(str(word))}</code>" for word in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"list of {_kind(schema['items'])}"
    return escape(f"{schema.get('type', 'any')}{_limits(schema)}")


def _limits(schema: Json) -> str:
    names = ("format", "minimum", "maximum", "minLength", "maxLength", "pattern")
    found = [f"{name} {schema[name]}" for name in names if name in schema]
    return f" ({', '.join(found)})" if found else ""


def _schemas(document: Json) -> str:
    found = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return f'<section><h2 id="schemas">Schemas</h2>{found}</section>'


def _schema(name: str, schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = (
        (f"<code>{escape(field)}</code>", _kind(inner), f"{_default(field, inner, required)}{escape(inner.get('description', ''))}")
        for field, inner in schema.get("properties", {}).items()
    )
    fields = _table(("field", "type", ""), rows) if schema.get("properties") else f"<p>{_kind(schema)}</p>"
    return f'<h3 id="{_anchor(name)}"><code>{escape(name)}</code></h3><p>{escape(schema.get("description", ""))}</p>{fields}'


def _default(field: str, schema: Json, required: set[str]) -> str:
    if "default" in schema:
        return f"Default <code>{escape(json.dumps(schema['default']))}</code>. "
    return "" if field in required else "May be left out. "


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

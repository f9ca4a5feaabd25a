"""The page to read: everything of the document, nothing from anywhere, and no word of it as markup."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

from mmsproxy.web import docs_page
from mmsproxy.web.api import gathered
from mmsproxy.web.openapi import document

VOID = {"meta", "br"}


class Outline(HTMLParser):
    """The tags, in order, and what they point at."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.anchors: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        named = dict(attrs)
        self.links += [str(named[name]) for name in ("href", "src") if name in named]
        self.anchors += [str(named["id"])] if "id" in named else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outlined(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


async def test_every_address_and_schema_is_on_it_and_every_link_leads_somewhere(api: Any) -> None:
    described = document(gathered(api.desk))
    text = docs_page.page(described)
    for path in described["paths"]:
        assert f"<code>{path}</code>" in text
    page = outlined(text)
    assert set(described["components"]["schemas"]) <= set(page.anchors)
    assert {link for link in page.links if link.startswith("#")} <= {f"#{anchor}" for anchor in page.anchors}
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form"}


async def test_the_policy_allows_the_style_sheet_and_nothing_else(api: Any) -> None:
    status, headers, body = await api.ask("GET", "/docs")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    style = re.findall(r"<style>(.*?)</style>", body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert rules == {
        "style-src": f"'sha256-{digest}'",
        "default-src": "'none'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert len(style) == 1


def test_no_word_becomes_markup() -> None:
    evil = "<script>alert('1')</script>\"&"
    parameter = {"name": evil, "in": "query", "description": evil, "schema": {"type": "string", "enum": [evil]}}
    operation = {
        "tags": [evil],
        "summary": evil,
        "description": evil,
        "parameters": [parameter],
        "x-scope": evil,
        "requestBody": {"required": False, "content": {evil: {"schema": {"type": evil, "pattern": evil}}}},
        "responses": {evil: {"description": evil, "content": {evil: {"schema": {"$ref": f"#/{evil}"}}}}},
    }
    schema = {"description": evil, "properties": {evil: {"type": evil, "default": evil, "description": evil}}}
    text = docs_page.page(
        {
            "info": {"title": evil, "version": evil, "description": evil},
            "tags": [{"name": evil}],
            "paths": {evil: {"get": operation}},
            "components": {"schemas": {evil: schema}},
        }
    )
    assert "script" not in outlined(text).tags
    assert text.count("&lt;script&gt;") > 10

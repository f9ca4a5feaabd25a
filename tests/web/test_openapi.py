"""The OpenAPI document: valid, complete, and kept by the door: schemathesis asks what the document allows, and what it does not."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import CHECKS as CHECK_TABLE
from schemathesis.checks import load_all_checks
from schemathesis.generation import GenerationMode

from mmsproxy.web.api import gathered
from mmsproxy.web.openapi import document
from mmsproxy.web.problems import PROBLEMS
from mmsproxy.web.routes import SCOPES

TOKEN = "mmp_" + "t" * 43  # tests/web/conftest.py
EXAMPLES = 4
PHASES = (Phase.generate,)
STREAMS = ("/v1/events",)  # never end


@pytest.fixture
def described(api: Any) -> dict[str, Any]:
    return document(gathered(api.desk))


async def test_it_is_valid(described: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(described).validate()


async def test_it_is_what_the_door_shows(api: Any, described: dict[str, Any]) -> None:
    status, _, shown = await api.ask("GET", "/openapi.json")
    assert (status, shown) == (200, described)


async def test_each_route_is_in_it_and_no_other(api: Any, described: dict[str, Any]) -> None:
    routes = {(row.method, row.path) for row in gathered(api.desk)}
    assert {(method.upper(), path) for path, methods in described["paths"].items() for method in methods} == routes
    assert len(routes) == len(gathered(api.desk))


async def test_each_operation_says_what_it_wants_and_gives(api: Any, described: dict[str, Any]) -> None:
    names = set()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            names.add(operation["operationId"])
            assert operation["summary"], (method, path)
            assert {item["name"] for item in operation["parameters"] if item["in"] == "path"} == set(re.findall(r"\{(\w+)\}", path))
            assert operation.get("x-scope", "any") in (*SCOPES, "any")
            assert any(status.startswith("2") for status in operation["responses"])
    assert len(names) == sum(len(methods) for methods in described["paths"].values())


async def test_problem_codes_stand_under_their_status(described: dict[str, Any]) -> None:
    found = 0
    for methods in described["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for code in re.findall(r"`(\w+)`: ", response["description"]):
                    assert PROBLEMS[code].status == int(status)
                    found += 1
    assert found > 100


CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def ask_all(described: dict[str, Any], url: str, mode: GenerationMode) -> set[tuple[str, int]]:
    """Asks each operation a few times; what was answered, by operation and status. In a thread: schemathesis does not know asyncio."""
    schema = schemathesis.openapi.from_dict(described)
    load_all_checks()
    checks, seen = CHECK_TABLE.get_by_names(CHECKS), set[tuple[str, int]]()
    for found in schema.get_all_operations():
        operation = found.ok()
        raw = described["paths"][operation.path][operation.method]
        can_be_wrong = "requestBody" in raw or any(item["schema"] != {"type": "string"} for item in raw["parameters"])
        if operation.path in STREAMS or (mode is GenerationMode.NEGATIVE and not can_be_wrong):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck)
        )
        def ask(case: Any) -> None:
            if not all(value.isprintable() for value in (case.headers or {}).values()):
                return  # aiohttp itself answers a NUL in a header, before anything of ours
            answer = case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, checks=checks)
            seen.add((case.operation.label, answer.status_code))

        ask()
    return seen


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_the_door_keeps_what_it_says(api: Any, described: dict[str, Any], mode: GenerationMode) -> None:
    seen = await asyncio.to_thread(ask_all, described, api.url, mode)
    assert len({label for label, _ in seen}) >= (20 if mode is GenerationMode.POSITIVE else 10)
    statuses = {status for _, status in seen}
    assert ({200, 404} if mode is GenerationMode.POSITIVE else {400}) <= statuses, sorted(statuses)

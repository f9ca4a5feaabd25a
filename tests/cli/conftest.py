"""PDUs for the tests of decode and encode: the hand-written vectors of tests/pdus. And a gateway that answers as it is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.wire import mms_pdu


def _octets(column: str) -> bytes:
    return b"".join(
        piece.strip('"').encode() if piece[0] == '"' else bytes.fromhex(piece) for piece in re.findall(r'"[^"]*"|[^\s"]+', column)
    )


@pytest.fixture(scope="session")
def type_vectors(root: Path) -> dict[str, bytes]:
    """One PDU of each of the 24 types, by name."""
    rows = [row.split(" | ") for row in (root / "tests/pdus/types.txt").read_text().splitlines() if row and row[0] != "#"]
    return {row[0].strip(): _octets(row[1]) for row in rows}


@pytest.fixture(scope="session")
def header_vectors(root: Path) -> list[bytes]:
    """Each of the 63 headers in a PDU where it may stand."""
    found = []
    for row in (root / "tests/pdus/headers.txt").read_text().splitlines():
        if row and row[0] != "#":
            kind, _, octets, *_ = row.split(" | ")
            head = bytes((0x8C, int(mms_pdu.MessageType[kind.strip().upper().replace("-", "_")])))
            found.append(head + _octets(octets))
    return found


@dataclass
class Gateway:
    """Keeps what it is asked. `answers` by method and path without the query: each once, the last one again and again; None hangs up."""

    port: int = 0
    answers: dict[tuple[str, str], list[tuple[int, Any, dict[str, str]] | None]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def says(self, method: str, path: str, document: Any, status: int = 200, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers.setdefault((method, path), []).append((status, body, headers))

    def hangs_up(self, method: str, path: str) -> None:
        self.answers.setdefault((method, path), []).append(None)

    def next(self, method: str, path: str) -> tuple[int, Any, dict[str, str]] | None:
        waiting = self.answers.get(
            (method, path.partition("?")[0]), [(404, b'{"title": "None", "detail": "no such", "code": "not_found"}', {})]
        )
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, _, _ in self.requests]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    script = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.requests.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            found = script.next(self.command, self.path)
            if found is None:
                return
            status, octets, headers = found
            self.send_response(status)
            for name, value in {"Content-Length": str(len(octets)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(octets)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        server.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> Path:
    """A folder with a config.yaml that names the scripted gateway, and its token file."""
    other = gateway.port + 1 if gateway.port < 65535 else gateway.port - 1
    (tmp_path / "config.yaml").write_text(
        f"web: {{listen: 127.0.0.1:{gateway.port}, token_file: secret/token}}\nmm1: {{listen: 127.0.0.1:{other}}}\n"
    )
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "token").write_text("the-token-of-the-file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MMSPROXY_TOKEN", raising=False)
    return tmp_path

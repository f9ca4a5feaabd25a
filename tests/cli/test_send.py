"""`mmsproxy send` against a scripted gateway: what it asks, what it prints, and its exit status."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli.send import send
from mmsproxy.errors import ConfigError

NUMBER = "+16195550123"
SENT = {
    "id": "msg_01",
    "status": "sent",
    "line": "mint",
    "simulated": True,
    "size": 1234,
    "sms_parts_saved": 6,
    "carrier": {"message_id": "m-1@mmsc", "response_status": 128, "response_status_name": "Ok", "response_text": None},
    "error": None,
    "timings": {"connect": 0.25, "total": 1.5},
    "warnings": [{"code": "long_text", "detail": "rather long"}],
}
FAILED = {
    **SENT,
    "status": "failed",
    "carrier": {
        "message_id": None,
        "response_status": 224,
        "response_status_name": "Error-permanent-failure",
        "response_text": "no\x1b[2J",
    },
    "error": {"code": "mmsc_error", "detail": "the MMSC refused with status 0xE0"},
}
UNKNOWN = {**SENT, "status": "unknown", "carrier": None, "error": {"code": "answer_timeout", "detail": "no answer in time"}}
PROBLEM = {"title": "No", "status": 422, "detail": "/to: bad", "errors": [{"pointer": "/to", "detail": "'x' is no number"}]}


@dataclass
class Gateway:
    """Answers each POST alike and keeps it. One for both doors."""

    port: int = 0
    status: int = 200
    answer: bytes | None = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def replies(self, document: Any, status: int = 200) -> None:
        self.answer, self.status = json.dumps(document).encode(), status

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    script = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if script.answer is None:
                return
            self.send_response(script.status)
            for name, value in {"Content-Length": str(len(script.answer)), **script.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(script.answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
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


@pytest.mark.usefixtures("home")
def test_address_and_token_come_from_the_configuration(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.replies(SENT)
    assert send(NUMBER, "hello") == 0
    ((path, headers, body),) = gateway.requests
    assert path == "/v1/messages"
    assert headers["authorization"] == "Bearer the-token-of-the-file"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"to": NUMBER, "text": "hello"}
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "sent: the carrier accepted the message",
        "  id          msg_01",
        "  line        mint (simulated: nothing left this machine)",
        "  carrier     Ok (128)",
        "  message-id  m-1@mmsc",
        "  size        1234 octets: one MMS instead of 6 SMS",
        "  seconds     connect 0.25, total 1.50",
        "  warning     rather long",
    ]


def test_another_configuration_may_be_named(gateway: Gateway, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gateway.replies(SENT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert send(NUMBER, "hello", config=home / "config.yaml") == 0
    assert gateway.requests[0][1]["authorization"] == "Bearer the-token-of-the-file"


def test_without_a_configuration_the_token_is_where_serve_makes_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gateway.replies(SENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MMSPROXY_TOKEN", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    (tmp_path / "share" / "mmsproxy" / "data").mkdir(parents=True)
    (tmp_path / "share" / "mmsproxy" / "data" / "token").write_text("token-at-home")
    assert send(NUMBER, "hello", gateway=gateway.url) == 0
    assert gateway.requests[0][1]["authorization"] == "Bearer token-at-home"


def test_a_wrong_configuration_is_told_as_such(home: Path) -> None:
    (home / "config.yaml").write_text("web: {listn: x}\n")
    with pytest.raises(ConfigError, match="listn"):
        send(NUMBER, "hello")


@pytest.mark.usefixtures("home")
def test_all_that_may_be_said(gateway: Gateway, home: Path) -> None:
    gateway.replies(SENT)
    (home / "note").write_bytes(b"\xef\xbb\xbf\xc3\xbcber\n")
    assert send("+16195550123,+16195550124", file="note", subject="S", line="mint", gateway=gateway.url, token="given-token") == 0
    _, headers, body = gateway.requests[0]
    assert headers["authorization"] == "Bearer given-token"
    assert json.loads(body) == {"to": ["+16195550123", "+16195550124"], "text": "\u00fcber", "subject": "S", "line": "mint"}


@pytest.mark.usefixtures("home")
def test_a_text_from_standard_input(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.replies(SENT)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"two\nlines\n")))
    assert send(NUMBER, file="-") == 0
    assert json.loads(gateway.requests[0][2])["text"] == "two\nlines"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("document", "status", "first"),
    [
        (FAILED, 422, "failed: the MMSC refused with status 0xE0"),
        (UNKNOWN, 409, "unknown: it may have been sent; sending it again may send it twice"),
        ({**SENT, "status": "partial"}, 409, "partial: the carrier accepted it for some recipients only"),
        ({**SENT, "carrier": None}, 200, "sent: the carrier accepted the message"),
        (SENT, 202, "sent: the carrier accepted the message"),
        (PROBLEM, 422, "refused: No"),
    ],
)
def test_what_is_no_ok_is_1(gateway: Gateway, capsys: pytest.CaptureFixture[str], document: Any, status: int, first: str) -> None:
    gateway.replies(document, status)
    assert send(NUMBER, "hello") == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0] == first
    assert "\x1b" not in out
    assert send(NUMBER, "hello", json=True) == 1
    assert json.loads(capsys.readouterr().out) == document


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("answer", [b"<html>", b"[]", b""])
def test_an_answer_without_json_is_1(gateway: Gateway, capsys: pytest.CaptureFixture[str], answer: bytes) -> None:
    gateway.answer = answer
    assert send(NUMBER, "hello") == 1
    assert "is this the JSON door" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_no_answer_is_1_for_it_may_have_been_sent(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.answer = None
    assert send(NUMBER, "hello") == 1
    assert "may have been sent" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "name a number"),
        ({"to": NUMBER}, "either"),
        ({"to": NUMBER, "text": "a", "file": "b"}, "either"),
        ({"to": NUMBER, "text": "a", "pdu": "b"}, "leave out: to, text"),
        ({"to": NUMBER, "text": "a", "timeout": 0.0}, "--timeout"),
        ({"to": NUMBER, "file": "none"}, "none"),
        ({"to": NUMBER, "text": "\udcff"}, "UTF-8"),
        ({"to": NUMBER, "text": "a", "token": "two words"}, "token"),
        ({"to": NUMBER, "text": "a", "token_file": Path("none")}, "--token-file"),
        ({"to": NUMBER, "text": "a", "gateway": "h:1"}, "http://HOST:PORT"),
        ({"pdu": "none"}, "none"),
    ],
)
def test_wrong_usage_is_2_and_nothing_is_sent(
    gateway: Gateway, capsys: pytest.CaptureFixture[str], words: dict[str, Any], said: str
) -> None:
    assert send(**words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert not gateway.requests


def test_a_file_that_is_no_utf_8_is_2(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "latin").write_bytes(b"caf\xe9")
    assert send(NUMBER, file="latin") == 2
    assert "octet 3" in capsys.readouterr().err


REQUEST = b"\x8c\x80\x98T1\x00\x8d\x92\x89\x01\x81\x97+16195550123/TYPE=PLMN\x00\x84\xa3\x00"
CONF = b"\x8c\x81\x98T1\x00\x8d\x92\x92%b\x8bid-1@mmsc\x00"


@pytest.mark.parametrize(
    ("body", "status", "origin", "code", "first"),
    [
        (CONF % b"\x80", 200, None, 0, "sent: the carrier accepted the message"),
        (CONF % b"\xe0", 200, None, 1, "not sent: the carrier refused (HTTP 200)"),
        (CONF % b"\xc4", 200, None, 1, "partial: the carrier accepted it for some recipients only"),
        (CONF.replace(b"T1", b"T2") % b"\x80", 200, None, 1, "unknown: the carrier said Ok, but to another Transaction-ID"),
        (CONF % b"\xc3", 503, "gateway", 1, "not sent: the gateway refused (HTTP 503)"),
        (CONF % b"\x86", 504, "gateway", 1, "unknown: it may have been sent; sending it again may send it twice"),
        (b"<html>", 200, None, 1, "not sent: the carrier refused (HTTP 200)"),
        (b"", 200, None, 1, "not sent: the carrier refused (HTTP 200)"),
    ],
)
def test_a_pdu_goes_to_the_mm1_door_octet_for_octet(
    gateway: Gateway, home: Path, capsys: pytest.CaptureFixture[str], body: bytes, status: int, origin: str | None, code: int, first: str
) -> None:
    gateway.answer, gateway.status = body, status
    gateway.headers = {"X-Mmsproxy-Origin": origin} if origin else {}
    (home / "a.mms").write_bytes(REQUEST)
    assert send(pdu="a.mms", gateway=gateway.url) == code
    path, headers, sent = gateway.requests[0]
    assert (path, sent, headers["content-type"]) == ("/", REQUEST, "application/vnd.wap.mms-message")
    assert "authorization" not in headers
    assert capsys.readouterr().out.splitlines()[0] == first
    assert send(pdu="a.mms", gateway=gateway.url, json=True) == code
    report = json.loads(capsys.readouterr().out)
    assert (report["accepted"], report["http_status"], report["origin"]) == (code == 0, status, origin or "carrier")


def test_a_pdu_goes_to_the_configured_door_or_through_a_proxy(gateway: Gateway, home: Path) -> None:
    gateway.answer = CONF % b"\x80"
    (home / "a.mms").write_bytes(REQUEST)
    (home / "config.yaml").write_text(f"mm1: {{listen: 0.0.0.0:{gateway.port}, allow: [127.0.0.0/8]}}\n")
    assert send(pdu="a.mms") == 0
    assert send(pdu="a.mms", gateway="http://mmsc.example/mms", proxy=f"127.0.0.1:{gateway.port}") == 0
    assert [path for path, _, _ in gateway.requests] == ["/", "http://mmsc.example/mms"]


def run(home: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mmsproxy", "send", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=home, env=env, check=False)


def test_as_a_process(gateway: Gateway, home: Path) -> None:
    gateway.replies(SENT)
    done = run(home, NUMBER, "hello", env={"MMSPROXY_TOKEN": "from-env"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sent: ")
    assert gateway.requests[0][1]["authorization"] == "Bearer from-env"
    gateway.replies(FAILED, 422)
    done = run(home, NUMBER, "--file", "config.yaml", "--json")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (1, FAILED, "")
    assert run(home).returncode == 2

"""tools/send.py as a user runs it: a process of a bare interpreter (`python -I -S`: no site-packages) against a scripted gateway."""

from __future__ import annotations

import ast
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

NUMBER = "+16195550123"
TOKEN = "mmp_" + "t" * 43

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
PROBLEM = {
    "title": "A recipient is not a telephone number",
    "status": 422,
    "code": "invalid_number",
    "detail": "/to: bad",
    "errors": [{"pointer": "/to", "code": "invalid_number", "detail": "'x' is no number"}],
}


@dataclass
class Scripted:
    """A gateway that answers with what the test says, and keeps the last request. `answer` None: reads it and hangs up."""

    status: int = 200
    content_type: str = "application/json"
    answer: bytes | None = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    looks: list[dict[str, Any] | None] = field(default_factory=list)  # answers to GET, each once; None hangs up
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def replies(self, document: Any, status: int = 200) -> None:
        self.answer, self.status = json.dumps(document).encode(), status

    def confirms(self, body: bytes, status: int = 200, origin: str | None = None) -> None:
        self.answer, self.status, self.content_type = body, status, "application/vnd.wap.mms-message"
        self.headers = {"X-Mmsproxy-Origin": origin} if origin else {}

    @property
    def sent(self) -> dict[str, Any]:
        return json.loads(self.requests[-1][2])  # type: ignore[no-any-return]


@pytest.fixture
def gateway() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if script.answer is None:
                return
            self.send_response(script.status)
            for name, value in {"Content-Type": script.content_type, "Content-Length": str(len(script.answer)), **script.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(script.answer)

        def do_GET(self) -> None:
            script.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, b""))
            document = script.looks.pop(0) if len(script.looks) > 1 else script.looks[0]
            if document is None:
                return
            body = json.dumps(document).encode()
            self.send_response(200 if "id" in document else document.get("status", 403))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        server.shutdown()
        thread.join()


def run(root: Path, *words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, str, str]:
    command = [sys.executable, "-I", "-S", str(root / "tools" / "send.py"), *words]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, env=env or {"PATH": "", "LANG": "C"}, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def send(root: Path, gateway: Scripted) -> Any:
    def sender(*words: str, **more: Any) -> tuple[int, str, str]:
        return run(root, *words, "--gateway", gateway.url, "--token", TOKEN, **more)

    return sender


def test_a_text_goes_out_as_the_api_wants_it(gateway: Scripted, send: Any) -> None:
    gateway.replies(SENT)
    code, out, err = send(NUMBER, "hello")
    assert (code, err) == (0, "")
    path, headers, _ = gateway.requests[0]
    assert path == "/v1/messages"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["content-type"] == "application/json"
    assert gateway.sent == {"to": NUMBER, "text": "hello"}
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


def test_group_subject_and_line_are_passed_on(gateway: Scripted, send: Any) -> None:
    gateway.replies(SENT)
    assert send("+16195550123, +16195550124", "hi", "--subject", "S", "--line", "mint")[0] == 0
    assert gateway.sent == {"to": ["+16195550123", "+16195550124"], "text": "hi", "subject": "S", "line": "mint"}
    assert send("+16195550123,+16195550124", "hi", "--group", "--as", "mms")[0] == 0
    assert gateway.sent == {"to": ["+16195550123", "+16195550124"], "text": "hi", "group": True, "as": "mms"}


def test_a_file_goes_as_base64(gateway: Scripted, send: Any, tmp_path: Path) -> None:
    gateway.replies(SENT)
    (tmp_path / "cat.jpg").write_bytes(b"\xff\xd8jpeg")
    assert send(NUMBER, "--media", str(tmp_path / "cat.jpg"))[0] == 0
    assert gateway.sent == {"to": NUMBER, "media": [{"data": "/9hqcGVn", "filename": "cat.jpg"}]}


QUEUED = {**SENT, "status": "queued", "carrier": None, "timings": None}


def test_a_message_is_followed_until_it_is_decided(gateway: Scripted, send: Any) -> None:
    gateway.replies(QUEUED, 202)
    gateway.looks = [QUEUED, None, {**QUEUED, "status": "failed", "replaced_by": "msg_02"}, {**SENT, "id": "msg_02"}]
    code, out, err = send(NUMBER, "hello", "--json")
    assert (code, json.loads(out)["id"], err) == (0, "msg_02", "")
    assert [path for path, _, _ in gateway.requests] == ["/v1/messages", *["/v1/messages/msg_01"] * 3, "/v1/messages/msg_02"]
    assert all(headers["authorization"] == f"Bearer {TOKEN}" for _, headers, _ in gateway.requests)


def test_an_sms_in_its_place_is_followed(gateway: Scripted, send: Any) -> None:
    failed = {**FAILED, "type": "mms", "replaced_by": None}
    gateway.replies(QUEUED, 202)
    gateway.looks = [failed, failed, {**failed, "replaced_by": "msg_02"}, {**SENT, "id": "msg_02", "type": "sms"}]
    code, out, _ = send(NUMBER, "hello", "--as", "mms", "--fallback", "sms", "--json")
    assert (code, json.loads(out)["id"]) == (0, "msg_02")
    assert gateway.requests[0][2] == b'{"to": "+16195550123", "text": "hello", "as": "mms", "fallback": "sms"}'


def test_a_failure_without_an_sms_in_its_place_is_a_failure(gateway: Scripted, send: Any) -> None:
    gateway.replies(QUEUED, 202)
    gateway.looks = [{**FAILED, "type": "mms", "replaced_by": None}]
    code, out, _ = send(NUMBER, "hello", "--fallback", "sms", "--timeout", "1")
    assert (code, out.splitlines()[0]) == (1, "failed: the MMSC refused with status 0xE0")


@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_without_time_is_waited_for(gateway: Scripted, send: Any, status: int) -> None:
    gateway.replies(QUEUED, 202)
    gateway.looks = [{"title": "Busy", "status": status}, SENT]
    assert send(NUMBER, "hello")[0] == 0


def test_all_tries_together_have_one_deadline(root: Path, gateway: Scripted) -> None:
    gateway.answer = None
    assert run(root, NUMBER, "hello", "--gateway", gateway.url, "--token", TOKEN, "--timeout", "0.001")[0] == 1
    assert len(gateway.requests) == 1


def test_an_interrupted_run_says_that_the_message_is_kept(root: Path, gateway: Scripted) -> None:
    gateway.replies(QUEUED, 202)
    gateway.looks = [QUEUED]
    command = [sys.executable, "-I", "-S", str(root / "tools" / "send.py"), NUMBER, "hello", "--gateway", gateway.url, "--token", TOKEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 30  # a hang guard
        while len(gateway.requests) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "message msg_01 is kept" in err
    assert "mmsproxy messages cancel msg_01" in err
    assert "Traceback" not in err


def test_an_interrupted_pdu_may_be_there(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-I", "-S", str(root / "tools" / "send.py"), "--pdu", str(root / "README.md"), "--gateway", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(30)  # a hang guard
            connection, _ = silent.accept()
            with connection:
                connection.recv(100)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "may have the message" in err
    assert "Traceback" not in err


def test_an_sms_is_sent_without_a_word_of_the_mmsc(gateway: Scripted, send: Any) -> None:
    gateway.replies({**SENT, "carrier": None, "size": None})
    assert send(NUMBER, "hello")[0] == 0


def test_the_time_may_be_over_before_it_is_decided(gateway: Scripted, send: Any) -> None:
    gateway.replies(QUEUED, 202)
    gateway.looks = [QUEUED]
    code, out, _ = send(NUMBER, "hello", "--timeout", "0.3")
    assert (code, out.splitlines()[0]) == (1, "queued: it waits still; the gateway goes on with it")


def test_a_batch_is_sent_when_all_are(gateway: Scripted, send: Any) -> None:
    for second, code in ((SENT, 0), (FAILED, 1)):
        gateway.replies({"batch_id": "bat_1", "data": [SENT, second]}, 202)
        found, out, _ = send("+16195550123,+16195550124", "hi", "--json")
        assert (found, json.loads(out)["data"]) == (code, [SENT, second])


def test_a_token_that_may_not_look_is_told_so(gateway: Scripted, send: Any) -> None:
    gateway.replies(QUEUED, 202)
    gateway.looks = [{"detail": "the token lacks messages:read"}]
    code, _, err = send(NUMBER, "hello")
    assert code == 1
    assert "lacks messages:read" in err
    assert "is kept" in err


def test_a_lost_answer_is_asked_for_again_under_the_same_key(gateway: Scripted, send: Any) -> None:
    gateway.answer = None
    assert send(NUMBER, "hello")[0] == 1
    keys = [headers["idempotency-key"] for _, headers, _ in gateway.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_text_may_come_from_a_file_or_from_standard_input(gateway: Scripted, send: Any, tmp_path: Path) -> None:
    gateway.replies(SENT)
    text = "\u00fcber " * 165 + "ab"
    (tmp_path / "note.txt").write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\n")
    assert send(NUMBER, "--file", str(tmp_path / "note.txt"))[0] == 0
    assert gateway.sent["text"] == text
    assert send(NUMBER, "--file", "-", stdin=b"two\nlines\n\n")[0] == 0
    assert gateway.sent["text"] == "two\nlines\n"


def test_json_prints_the_answer_as_it_is(gateway: Scripted, send: Any) -> None:
    gateway.replies(SENT)
    code, out, _ = send(NUMBER, "hello", "--json")
    assert (code, json.loads(out)) == (0, SENT)


@pytest.mark.parametrize(
    ("document", "status", "first"),
    [
        (FAILED, 422, "failed: the MMSC refused with status 0xE0"),
        (FAILED, 503, "failed: the MMSC refused with status 0xE0"),
        (UNKNOWN, 409, "unknown: it may have been sent; sending it again may send it twice"),
        ({**SENT, "status": "partial"}, 409, "partial: the carrier accepted it for some recipients only"),
        (PROBLEM, 422, "refused: A recipient is not a telephone number"),
        ({**SENT, "status": "expired", "carrier": None}, 200, "expired: the message was not accepted"),
    ],
)
def test_what_is_no_ok_exits_1(gateway: Scripted, send: Any, document: dict[str, Any], status: int, first: str) -> None:
    gateway.replies(document, status)
    code, out, err = send(NUMBER, "hello")
    assert (code, out.splitlines()[0], err) == (1, first, "")
    code, out, _ = send(NUMBER, "hello", "--json")
    assert (code, json.loads(out)) == (1, document)


def test_a_problem_shows_its_pointers(gateway: Scripted, send: Any) -> None:
    gateway.replies(PROBLEM, 422)
    assert send("x", "hello")[1].splitlines()[1:] == ["  detail      /to: bad", "  /to         'x' is no number"]


def test_what_the_carrier_wrote_cannot_steer_the_terminal(gateway: Scripted, send: Any) -> None:
    gateway.replies(FAILED, 422)
    out = send(NUMBER, "hello")[1]
    assert "no\\x1b[2J" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"\xff"])
def test_an_answer_without_json_exits_1(gateway: Scripted, send: Any, body: bytes) -> None:
    gateway.answer = body
    code, out, err = send(NUMBER, "hello")
    assert (code, out) == (1, "")
    assert "is this the JSON door" in err


def test_a_gateway_that_hangs_up_may_have_sent_it(gateway: Scripted, send: Any) -> None:
    gateway.answer = None
    code, _, err = send(NUMBER, "hello")
    assert code == 1
    assert "unknown" in err
    assert "may have been sent" in err


def test_half_an_answer_is_no_answer(gateway: Scripted, send: Any) -> None:
    gateway.replies(SENT)
    gateway.headers = {"Content-Length": "5000"}
    code, out, err = send(NUMBER, "hello")
    assert (code, out) == (1, "")
    assert "may have been sent" in err


def test_a_gateway_that_does_not_answer_in_time_may_have_sent_it(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, _, err = run(root, NUMBER, "hello", "--gateway", url, "--token", TOKEN, "--timeout", "0.2")
    assert code == 1
    assert "may have been sent" in err


def test_no_gateway_exits_2_with_the_cure(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for words in ((NUMBER, "hello", "--token", TOKEN), ("--pdu", str(root / "README.md"))):
        code, out, err = run(root, *words, "--gateway", f"http://127.0.0.1:{port}")
        assert (code, out) == (2, "")
        assert f"127.0.0.1:{port}" in err
        assert "make run" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8091", "http://", "http://[::1", "http://h:99999", "http://h\r\nX: y/"])
def test_an_address_that_is_none_exits_2(root: Path, url: str) -> None:
    code, _, err = run(root, NUMBER, "hello", "--token", TOKEN, "--gateway", url)
    assert code == 2
    assert "is no address" in err


@pytest.mark.parametrize(
    "words",
    [
        (),
        (NUMBER,),
        (NUMBER, "text", "--file", "x"),
        ("--file", "x"),
        ("--pdu", "x", NUMBER, "text"),
        ("--pdu", "x", "--line", "y"),
        (NUMBER, "a", "b"),
        (NUMBER, "text", "--timeout", "0"),
        (NUMBER, "text", "--timeout", "soon"),
        (NUMBER, "text", "--unknown"),
    ],
)
def test_wrong_usage_exits_2(root: Path, words: tuple[str, ...]) -> None:
    code, out, err = run(root, *words)
    assert (code, out) == (2, "")
    assert err.startswith("usage: send.py")


def test_a_file_that_cannot_be_read_exits_2(root: Path, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    for words in ((NUMBER, "--file", str(tmp_path / "none")), (NUMBER, "--file", str(tmp_path / "latin")), ("--pdu", str(tmp_path))):
        code, _, err = run(root, *words, "--token", TOKEN)
        assert code == 2
        assert str(tmp_path) in err


class TestToken:
    """Where the token comes from."""

    def auth(self, gateway: Scripted) -> str:
        return gateway.requests[-1][1]["authorization"]

    def test_from_the_environment(self, root: Path, gateway: Scripted) -> None:
        gateway.replies(SENT)
        assert run(root, NUMBER, "hi", "--gateway", gateway.url, env={"MMSPROXY_TOKEN": "from-env"})[0] == 0
        assert self.auth(gateway) == "Bearer from-env"

    def test_from_a_file_that_is_named(self, root: Path, gateway: Scripted, tmp_path: Path) -> None:
        gateway.replies(SENT)
        (tmp_path / "t").write_text("from-file\n")
        assert run(root, NUMBER, "hi", "--gateway", gateway.url, "--token-file", str(tmp_path / "t"))[0] == 0
        assert self.auth(gateway) == "Bearer from-file"

    def test_from_the_file_that_the_gateway_made_beside_it(self, root: Path, gateway: Scripted, tmp_path: Path) -> None:
        gateway.replies(SENT)
        (tmp_path / "tools").mkdir()
        (tmp_path / "data").mkdir()
        (tmp_path / "tools" / "send.py").write_bytes((root / "tools" / "send.py").read_bytes())
        (tmp_path / "data" / "token").write_text("the-gateways-own\n")
        assert run(tmp_path, NUMBER, "hi", "--gateway", gateway.url)[0] == 0
        assert self.auth(gateway) == "Bearer the-gateways-own"

    def test_none_exits_2_with_the_cure(self, root: Path, gateway: Scripted, tmp_path: Path) -> None:
        code, _, err = run(root, NUMBER, "hi", "--gateway", gateway.url, "--token-file", str(tmp_path / "none"))
        assert code == 2
        assert "--token-file" in err
        assert not gateway.requests

    @pytest.mark.parametrize("token", ["two words", "with\nnewline", "\u00fc"])
    def test_one_that_fits_no_header_exits_2(self, root: Path, gateway: Scripted, token: str) -> None:
        code, _, err = run(root, NUMBER, "hi", "--gateway", gateway.url, "--token", token)
        assert code == 2
        assert "token" in err
        assert not gateway.requests


def test_a_proxy_gets_the_whole_url(root: Path, gateway: Scripted) -> None:
    gateway.replies(SENT)
    url, proxy = "http://gateway.example:8091", f"127.0.0.1:{gateway.port}"
    assert run(root, NUMBER, "hi", "--gateway", url, "--token", TOKEN, "--proxy", proxy)[0] == 0
    path, headers, _ = gateway.requests[0]
    assert path == "http://gateway.example:8091/v1/messages"
    assert headers["host"] == "gateway.example:8091"


# An M-Send.req (head only; the tool sends octets, it does not check them) and confirmations of it, laid by hand.
REQUEST = b"\x8c\x80\x98T1\x00\x8d\x92\x89\x01\x81\x97+16195550123/TYPE=PLMN\x00\x84\xa3\x00"
CONF_OK = b"\x8c\x81\x98T1\x00\x8d\x92\x92\x80\x8bid-1@mmsc\x00"


@pytest.fixture
def pdu(root: Path, gateway: Scripted, tmp_path: Path) -> Any:
    (tmp_path / "a.mms").write_bytes(REQUEST)

    def sender(*words: str) -> tuple[int, str, str]:
        return run(root, "--pdu", str(tmp_path / "a.mms"), "--gateway", gateway.url, *words)

    return sender


def test_a_pdu_is_posted_octet_for_octet(gateway: Scripted, pdu: Any) -> None:
    gateway.confirms(CONF_OK)
    code, out, err = pdu()
    assert (code, err) == (0, "")
    path, headers, body = gateway.requests[0]
    assert (path, body) == ("/", REQUEST)
    assert headers["content-type"] == "application/vnd.wap.mms-message"
    assert "authorization" not in headers
    assert out.splitlines()[:-1] == [
        "sent: the carrier accepted the message",
        "  answer      M-Send.conf: Ok (128)",
        "  message-id  id-1@mmsc",
        "  transaction T1",
    ]


def test_a_pdu_through_a_proxy_names_the_mmsc(root: Path, gateway: Scripted, tmp_path: Path) -> None:
    gateway.confirms(CONF_OK)
    (tmp_path / "a.mms").write_bytes(REQUEST)
    words = ("--pdu", str(tmp_path / "a.mms"), "--gateway", "http://mmsc.example/mms/wapenc", "--proxy", f"127.0.0.1:{gateway.port}")
    assert run(root, *words)[0] == 0
    assert gateway.requests[0][0] == "http://mmsc.example/mms/wapenc"
    assert gateway.requests[0][1]["host"] == "mmsc.example"


@pytest.mark.parametrize(
    ("body", "status", "origin", "first", "text"),
    [
        (b"\x8c\x81\x98T1\x00\x8d\x92\x92\xe0\x93nope\x00", 200, None, "not sent: the carrier refused (HTTP 200)", "nope"),
        (b"\x8c\x81\x98T1\x00\x8d\x92\x92\xc4", 200, None, "partial: the carrier accepted it for some recipients only", None),
        (b"\x8c\x81\x98T2\x00\x8d\x92\x92\x80", 200, None, "unknown: the carrier said Ok, but to another Transaction-ID", None),
        (b"\x8c\x81\x98T1\x00\x8d\x92\x92\x80", 502, None, "not sent: the carrier refused (HTTP 502)", None),
        (b"\x8c\x81\x98T1\x00\x8d\x92\x92\xc3\x93down\x00", 503, "gateway", "not sent: the gateway refused (HTTP 503)", "down"),
        (b"\x8c\x81\x98T1\x00\x8d\x92\x92\x86", 504, "gateway", "unknown: it may have been sent; sending it again may send it twice", None),
        (b"\x8c\x81\x98T1\x00\x8d\x92", 200, None, "not sent: the carrier refused (HTTP 200)", None),
        (b"\x8c\x84\x98T1\x00\x8d\x92\x92\x80", 200, None, "not sent: the carrier refused (HTTP 200)", None),
        (b"<html>out of credit</html>", 200, None, "not sent: the carrier refused (HTTP 200)", None),
        (b"", 200, None, "not sent: the carrier refused (HTTP 200)", None),
        (b"\x8c\x81\x98T1\x00\x8d\x92\x92\x99", 200, None, "not sent: the carrier refused (HTTP 200)", None),
        (
            b"\x8c\x81\x98T1\x00\x8d\x92\x92\xe5\x93\x06\xea\x7f\xc3\xbc!\x00",
            200,
            None,
            "not sent: the carrier refused (HTTP 200)",
            "\xfc!",
        ),
        (b"\x8c\x81\x98T1\x00\x8d\x92\x92\xe5\x93\x06\x02\x03\xf7\x00A\x00", 200, None, "not sent: the carrier refused (HTTP 200)", None),
    ],
)
def test_a_pdu_without_the_carriers_ok_exits_1(
    gateway: Scripted, pdu: Any, body: bytes, status: int, origin: str | None, first: str, text: str | None
) -> None:
    gateway.confirms(body, status, origin)
    code, out, err = pdu()
    assert (code, out.splitlines()[0], err) == (1, first, "")
    code, out, _ = pdu("--json")
    report = json.loads(out)
    assert (code, report["accepted"], report["http_status"], report["origin"]) == (1, False, status, origin or "carrier")
    assert text is None or report["response_text"] == text


@pytest.mark.parametrize(
    "body",
    [
        CONF_OK + b"\xff\x81X-Odd\x00value\x00",
        b"\x8c\x81\x98T1\x00\x8d\x93\x92\x80\x8b\x0d\xeaid-1@mmsc\x00\x00\x00",
        b"\x8c\x81X-Early\x00yes\x00\x98T1\x00\x8d\x90\x99\x1f\x80\x02ab\x92\x80\x8bid-1@mmsc\x00",
        b"\x8c\x8a\x98T1\x00\x8d\x92\x92\x80\x8bid-1@mmsc\x00",
        b"\x8c\x81\x98T1\x00\x8d\x92\x92\x80\x8bid-1@mmsc\x00\x93\x1f\xff\xff\xff\xff\xff\xff",
    ],
)
def test_an_odd_ok_is_still_an_ok(gateway: Scripted, pdu: Any, body: bytes) -> None:
    gateway.confirms(body)
    code, out, _ = pdu("--json")
    report = json.loads(out)
    assert (code, report["response_status_name"], report["message_id"]) == (0, "Ok", "id-1@mmsc")


def test_a_conf_cut_anywhere_never_makes_it_fail(root: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("send_tool", root / "tools" / "send.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    full = b"\x8c\x81\x98T1\x00\x8d\x92\x92\xe5\x93\x06\xea\x7f\xc3\xbc!\x00\x99\x1f\x80\x02ab\x8bid\x00"
    for end in range(len(full) + 1):
        fields = tool.conf_fields(full[:end])
        assert (fields is not None) == (end >= 10)
    assert tool.conf_fields(full)[tool.STATUS] == 0xE5
    for octet in range(256):
        tool.conf_fields(bytes([0x8C, 0x81, octet, octet, octet]))


def test_it_is_written_for_python_3_8(root: Path) -> None:
    source = (root / "tools" / "send.py").read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)
    newer = {"removeprefix", "removesuffix", "to_thread", "pairwise", "batched", "is_relative_to", "bit_count"}
    assert not newer & {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_it_is_a_program(root: Path) -> None:
    path = root / "tools" / "send.py"
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!/usr/bin/env python3\n")
    assert run(root, "--help")[0] == 0

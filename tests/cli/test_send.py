"""`mmsproxy send` against a scripted gateway: what it asks, what it prints, and its exit status."""

from __future__ import annotations

import email
import io
import json
import signal
import socket
import subprocess
import sys
import time
from email import policy
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli.api import Access
from mmsproxy.cli.send import send
from mmsproxy.errors import ConfigError

NUMBER = "+16195550123"
SENT = {
    "id": "msg_01",
    "status": "sent",
    "to": [{"number": NUMBER, "status": "sent"}],
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


QUEUED = {**SENT, "status": "queued", "carrier": None, "timings": None, "warnings": []}
ONE, EVENTS = "/v1/messages/msg_01", "/v1/messages/msg_01/events"


def timeline(*words: str) -> dict[str, Any]:
    return {"data": [{"type": f"message.{word}", "timestamp": "2027-01-15T08:00:00.000Z"} for word in words], "attempts": []}


def ends_as(gateway: Any, document: dict[str, Any]) -> None:
    """Kept at once; then it is as told."""
    gateway.says("POST", "/v1/messages", {**QUEUED, "id": document.get("id", "msg_01")}, 202)
    gateway.says("GET", EVENTS, timeline("queued", "sending", document["status"]))
    gateway.says("GET", ONE, document)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.cli.send.RETRY_PAUSE", 0.0)


@pytest.mark.usefixtures("home")
def test_address_and_token_come_from_the_configuration(gateway: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ends_as(gateway, SENT)
    assert send(NUMBER, "hello") == 0
    assert gateway.asked == [("POST", "/v1/messages"), ("GET", ONE), ("GET", EVENTS)]
    _, _, headers, body = gateway.requests[0]
    assert headers["authorization"] == "Bearer the-token-of-the-file"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"to": NUMBER, "text": "hello"}
    out, err = capsys.readouterr()
    assert err.splitlines() == [f"{NUMBER}: queued", f"{NUMBER}: sending by mint", f"{NUMBER}: sent"]
    assert out.splitlines() == [
        "sent: the carrier accepted the message",
        "  id          msg_01",
        "  to          +16195550123 (sent)",
        "  line        mint (simulated: nothing left this machine)",
        "  carrier     Ok (128)",
        "  message-id  m-1@mmsc",
        "  size        1234 octets: one MMS instead of 6 SMS",
        "  seconds     connect 0.25, total 1.50",
        "  warning     rather long",
    ]


def test_another_configuration_may_be_named(gateway: Any, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ends_as(gateway, SENT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert send(NUMBER, "hello", access=Access(config=home / "config.yaml")) == 0
    assert gateway.requests[0][2]["authorization"] == "Bearer the-token-of-the-file"


def test_without_a_configuration_the_token_is_where_serve_makes_it(gateway: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ends_as(gateway, SENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MMSPROXY_TOKEN", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    (tmp_path / "share" / "mmsproxy" / "data").mkdir(parents=True)
    (tmp_path / "share" / "mmsproxy" / "data" / "token").write_text("token-at-home")
    assert send(NUMBER, "hello", access=Access(gateway=gateway.url)) == 0
    assert gateway.requests[0][2]["authorization"] == "Bearer token-at-home"


def test_a_wrong_configuration_is_told_as_such(home: Path) -> None:
    (home / "config.yaml").write_text("web: {listn: x}\n")
    with pytest.raises(ConfigError, match="listn"):
        send(NUMBER, "hello")


@pytest.mark.usefixtures("home")
def test_all_that_may_be_said(gateway: Any, home: Path) -> None:
    ends_as(gateway, SENT)
    (home / "note").write_bytes(b"\xef\xbb\xbf\xc3\xbcber\n")
    assert (
        send("+16195550123,+16195550124", file="note", subject="S", line="mint", access=Access(gateway=gateway.url, token="given-token"))
        == 0
    )
    _, _, headers, body = gateway.requests[0]
    assert headers["authorization"] == "Bearer given-token"
    assert json.loads(body) == {"to": ["+16195550123", "+16195550124"], "text": "\u00fcber", "subject": "S", "line": "mint"}


@pytest.mark.usefixtures("home")
def test_a_text_from_standard_input(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_as(gateway, SENT)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"two\nlines\n")))
    assert send(NUMBER, file="-") == 0
    assert json.loads(gateway.requests[0][3])["text"] == "two\nlines"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("document", "first"),
    [
        (FAILED, "failed: the MMSC refused with status 0xE0"),
        (UNKNOWN, "unknown: it may have been sent; sending it again may send it twice"),
        ({**SENT, "status": "partial"}, "partial: the carrier accepted it for some recipients only"),
        ({**SENT, "status": "expired", "error": {"detail": "its time is over"}}, "expired: its time is over"),
        ({**SENT, "status": "canceled"}, "canceled: it was canceled"),
    ],
)
def test_what_is_no_ok_is_1(gateway: Any, capsys: pytest.CaptureFixture[str], document: Any, first: str) -> None:
    ends_as(gateway, document)
    assert send(NUMBER, "hello") == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0] == first
    assert "\x1b" not in out
    assert send(NUMBER, "hello", json=True) == 1
    assert json.loads(capsys.readouterr().out) == document


@pytest.mark.usefixtures("home")
def test_a_refusal_is_1_with_its_places(gateway: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("POST", "/v1/messages", PROBLEM, 422)
    assert send(NUMBER, "hello") == 1
    assert capsys.readouterr().out.splitlines() == ["refused: No", "  detail      /to: bad", "  /to         'x' is no number"]
    assert send(NUMBER, "hello", json=True) == 1
    assert json.loads(capsys.readouterr().out) == PROBLEM


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("answer", [b"<html>", b"[]", b""])
def test_an_answer_without_json_is_1(gateway: Any, capsys: pytest.CaptureFixture[str], answer: bytes) -> None:
    gateway.says("POST", "/v1/messages", answer)
    assert send(NUMBER, "hello") == 1
    assert "is this the JSON door" in capsys.readouterr().out


@pytest.mark.usefixtures("home")
def test_no_answer_is_1_for_it_may_have_been_sent(gateway: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.hangs_up("POST", "/v1/messages")
    assert send(NUMBER, "hello") == 1
    assert len(gateway.requests) == 3
    assert "may have been sent" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "name a number"),
        ({"to": NUMBER}, "--media"),
        ({"to": NUMBER, "text": "a", "file": "b"}, "either"),
        ({"to": NUMBER, "text": "a", "pdu": "b"}, "leave out: to, text"),
        ({"to": NUMBER, "text": "a", "timeout": 0.0}, "--timeout"),
        ({"to": NUMBER, "file": "none"}, "none"),
        ({"to": NUMBER, "text": "\udcff"}, "UTF-8"),
        ({"to": NUMBER, "text": "a", "access": Access(token="two words")}, "token"),
        ({"to": NUMBER, "text": "a", "access": Access(token_file=Path("none"))}, "--token-file"),
        ({"to": NUMBER, "text": "a", "access": Access(gateway="h:1")}, "http://HOST:PORT"),
        ({"pdu": "none"}, "none"),
        ({"to": NUMBER, "media": ["none.jpg"]}, "none.jpg"),
    ],
)
def test_wrong_usage_is_2_and_nothing_is_sent(gateway: Any, capsys: pytest.CaptureFixture[str], words: dict[str, Any], said: str) -> None:
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


def test_several_numbers_are_followed_each(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = [{**QUEUED, "id": f"msg_0{n}"} for n in (1, 2)]
    gateway.says("POST", "/v1/messages", {"batch_id": "bat_1", "data": made}, 202)
    for message, status in zip(made, ("sent", "failed"), strict=True):
        gateway.says("GET", f"/v1/messages/{message['id']}/events", timeline(status))
        gateway.says("GET", f"/v1/messages/{message['id']}", {**message, "status": status})
    assert send("+16195550123,+16195550124", "hello", json=True) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["batch_id"], [message["status"] for message in answer["data"]]) == ("bat_1", ["sent", "failed"])


def test_files_go_as_a_form(gateway: Any, home: Path) -> None:
    ends_as(gateway, SENT)
    (home / 'a "b".jpg').write_bytes(b"\xff\xd8jpeg")
    (home / "c").write_bytes(b"\x00\r\n--")
    assert send(NUMBER, "look", media=['a "b".jpg', "c"], group=True, kind="mms", fallback="sms", tag="t", valid_for=60) == 0
    _, _, headers, body = gateway.requests[0]
    found = email.message_from_bytes(b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body, policy=policy.HTTP)
    message, first, second = found.iter_parts()
    assert json.loads(message.get_payload(decode=True)) == {
        "to": NUMBER,
        "text": "look",
        "group": True,
        "as": "mms",
        "fallback": "sms",
        "valid_for": 60,
        "tag": "t",
    }
    assert (first.get_content_type(), first.get_payload(decode=True), first.get_filename()) == (
        "image/jpeg",
        b"\xff\xd8jpeg",
        "a %22b%22.jpg",
    )
    assert (second.get_content_type(), second.get_payload(decode=True)) == ("application/octet-stream", b"\x00\r\n--")


def test_without_waiting_kept_is_enough(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("POST", "/v1/messages", QUEUED, 202)
    assert send(NUMBER, "hello", wait=False) == 0
    assert send(NUMBER, "hello", at="2030-01-01T00:00:00Z") == 0
    assert gateway.asked == [("POST", "/v1/messages")] * 2
    assert capsys.readouterr().out.splitlines()[0] == "queued: it waits for its turn"


def test_a_lost_answer_is_asked_for_again_under_the_same_key(gateway: Any, home: Path) -> None:
    gateway.hangs_up("POST", "/v1/messages")
    gateway.says("POST", "/v1/messages", {"title": "Running", "code": "idempotency_running"}, 409)
    ends_as(gateway, SENT)
    assert send(NUMBER, "hello") == 0
    keys = {headers["idempotency-key"] for method, _, headers, _ in gateway.requests if method == "POST"}
    assert len(keys) == 1
    assert send(NUMBER, "hello") == 0
    assert len({headers["idempotency-key"] for method, _, headers, _ in gateway.requests if method == "POST"}) == 2


def test_a_message_that_is_not_decided_in_time_is_1(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("POST", "/v1/messages", QUEUED, 202)
    gateway.says("GET", EVENTS, timeline("queued"))
    gateway.says("GET", ONE, QUEUED)
    assert send(NUMBER, "hello", timeout=0.05) == 1
    assert "mmsproxy messages show msg_01" in capsys.readouterr().err


def test_a_message_that_may_not_be_looked_at_is_kept_all_the_same(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("POST", "/v1/messages", QUEUED, 202)
    gateway.says("GET", ONE, {"title": "Forbidden", "detail": "the token lacks messages:read", "code": "forbidden"}, 403)
    assert send(NUMBER, "hello") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "message msg_01 is kept" in err
    assert "lacks messages:read" in err


def test_an_sms_in_its_place_is_followed(gateway: Any, home: Path) -> None:
    mms = {**FAILED, "type": "mms", "replaced_by": None}
    gateway.says("POST", "/v1/messages", QUEUED, 202)
    gateway.says("GET", ONE, mms)
    gateway.says("GET", ONE, {**mms, "replaced_by": "msg_02"})
    gateway.says("GET", EVENTS, timeline("queued", "failed"))
    gateway.says("GET", "/v1/messages/msg_02", {**SENT, "id": "msg_02", "type": "sms"})
    gateway.says("GET", "/v1/messages/msg_02/events", timeline("sent"))
    assert send(NUMBER, "hello", kind="mms", fallback="sms") == 0


def test_all_tries_together_have_one_deadline(monkeypatch: pytest.MonkeyPatch, gateway: Any, home: Path) -> None:
    gateway.hangs_up("POST", "/v1/messages")
    now = [0.0]
    monkeypatch.setattr("mmsproxy.cli.send.time.monotonic", lambda: now.__setitem__(0, now[0] + 6.0) or now[0])
    assert send(NUMBER, "hello", timeout=10.0) == 1
    assert len(gateway.requests) == 1


def run(home: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mmsproxy", "send", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=home, env=env, check=False)


def test_as_a_process(gateway: Any, home: Path) -> None:
    ends_as(gateway, SENT)
    done = run(home, NUMBER, "hello", env={"MMSPROXY_TOKEN": "from-env"})
    assert done.returncode == 0
    assert done.stderr.endswith(": sent\n")
    assert done.stdout.startswith("sent: ")
    assert gateway.requests[0][2]["authorization"] == "Bearer from-env"
    gateway.answers.clear()
    ends_as(gateway, FAILED)
    done = run(home, NUMBER, "--file", "config.yaml", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, FAILED)
    assert run(home).returncode == 2


def interrupted(home: Path, gateway: Any, path: str) -> tuple[int, str]:
    """The command gets SIGINT once it has asked for `path`: exit status and stderr."""
    command = [sys.executable, "-m", "mmsproxy", "send", NUMBER, "hello"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home) as process:
        end = time.monotonic() + 30  # a hang guard
        while path not in [asked for _, asked in gateway.asked] and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    return process.returncode, err


def test_an_interrupted_command_says_that_the_message_is_kept(gateway: Any, home: Path) -> None:
    gateway.says("POST", "/v1/messages", QUEUED, 202)
    gateway.says("GET", ONE, QUEUED)
    gateway.says("GET", EVENTS, timeline("queued"))
    code, err = interrupted(home, gateway, EVENTS)
    assert code == 130
    assert "message msg_01 is kept" in err
    assert "mmsproxy messages cancel msg_01" in err
    assert "Traceback" not in err


def test_one_that_is_interrupted_before_the_answer_names_the_list(gateway: Any, home: Path) -> None:
    gateway.says("POST", "/v1/messages", {"title": "Running", "code": "idempotency_running"}, 409)
    code, err = interrupted(home, gateway, "/v1/messages")
    assert code == 130
    assert "mmsproxy messages list" in err


def test_an_interrupted_pdu_may_be_there(home: Path, root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "mmsproxy", "send", "--pdu", str(root / "docs/examples/hello.mms"), "--gateway", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home) as process:
            silent.settimeout(30)  # a hang guard
            connection, _ = silent.accept()
            with connection:
                connection.recv(100)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "may have the message" in err

"""`mmsproxy send --pdu` against a scripted MM1 door: what is posted, what is printed, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli.api import Access
from mmsproxy.cli.send import send

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
    gateway: Any, home: Path, capsys: pytest.CaptureFixture[str], body: bytes, status: int, origin: str | None, code: int, first: str
) -> None:
    gateway.says("POST", "/", body, status, **({"X-Mmsproxy-Origin": origin} if origin else {}))
    (home / "a.mms").write_bytes(REQUEST)
    assert send(pdu="a.mms", access=Access(gateway=gateway.url)) == code
    _, path, headers, sent = gateway.requests[0]
    assert (path, sent, headers["content-type"]) == ("/", REQUEST, "application/vnd.wap.mms-message")
    assert "authorization" not in headers
    assert capsys.readouterr().out.splitlines()[0] == first
    assert send(pdu="a.mms", access=Access(gateway=gateway.url), json=True) == code
    report = json.loads(capsys.readouterr().out)
    assert (report["accepted"], report["http_status"], report["origin"]) == (code == 0, status, origin or "carrier")


def test_a_pdu_goes_to_the_configured_door_or_through_a_proxy(gateway: Any, home: Path) -> None:
    for path in ("/", "http://mmsc.example/mms"):
        gateway.says("POST", path, CONF % b"\x80")
    (home / "a.mms").write_bytes(REQUEST)
    (home / "config.yaml").write_text(f"mm1: {{listen: 0.0.0.0:{gateway.port}, allow: [127.0.0.0/8]}}\n")
    assert send(pdu="a.mms") == 0
    assert send(pdu="a.mms", access=Access(gateway="http://mmsc.example/mms"), proxy=f"127.0.0.1:{gateway.port}") == 0
    assert gateway.asked == [("POST", "/"), ("POST", "http://mmsc.example/mms")]

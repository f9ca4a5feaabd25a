"""One POST over a link to a scripted MMSC on loopback: what goes out, what comes back, and what is known when it is cut."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_writer import StreamWriter
from multidict import CIMultiDict

from mmsproxy.carrier.attempt import Outcome, judge
from mmsproxy.carrier.exchange import Exchange, Limits
from mmsproxy.carrier.tunnel import ANSWER_MAX, Tunnel, Upstream, _Body, _nothing, cut_points
from mmsproxy.errors import ConnectError, HeaderError, LinkLost
from mmsproxy.link import Phase

PDU = b"\x8c\x80\x98T1\0" + bytes(range(256)) * 20


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# What goes out.


async def test_the_request_line_by_line(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    trial = await case.post(headers=(("User-Agent", "UA/1"), ("Content-Type", "application/x"), ("Connection", "close")))
    assert mmsc.last.head.decode() == (
        "POST /mms/wapenc HTTP/1.1\r\nHost: mmsc.example\r\nUser-Agent: UA/1\r\nContent-Type: application/x\r\n"
        f"Connection: close\r\nContent-Length: {len(PDU)}\r\n\r\n"
    )
    assert mmsc.last.body == PDU
    assert trial.phase is Phase.ANSWER_WHOLE
    assert (trial.bytes_offered, trial.bytes_total, trial.error) == (len(PDU), len(PDU), None)
    assert case.phases == [Phase.OPEN, Phase.PART_OFFERED, Phase.LAST_BYTE, Phase.ANSWER_BEGUN, Phase.ANSWER_WHOLE]


async def test_aiohttp_adds_nothing(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    await case.post()
    assert [name for name, _ in mmsc.last.fields] == [b"Host", b"Content-Length", b"Connection"]


async def test_values_beyond_ascii_pass_octet_by_octet(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    octets = bytes(range(0x80, 0x100)) + "\u00e4\U000f00e4\U0010ffff".encode() + b"\t plain"
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    await case.post(headers=(("X-Odd", octets.decode("utf-8", "surrogateescape")), ("X-Even", "a")))
    assert mmsc.last.all("X-Odd") == [octets]
    assert mmsc.last.all("X-Even") == [b"a"]
    assert mmsc.last.body == PDU


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
async def test_smuggling_is_refused_before_anything_is_opened(case: Any, value: str) -> None:
    with pytest.raises(HeaderError):
        await case.post(headers=(("X-A", value),))
    with pytest.raises(HeaderError):
        await case.post(headers=(("X A:", "1"),))
    assert case.link.opened == []


async def test_an_empty_body_is_the_callers_mistake(case: Any) -> None:
    with pytest.raises(ValueError, match="empty"):
        await case.post(b"")


PATHS = ["/", "/mms/wapenc", "/a|b/%2f/../{x};y@z?T=a|b&c=%7e%7E", "/servlets/mms?x=http://y/z", "//double", "/%41%2e%2E/."]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("proxy", [None, "10.0.0.172:8799"])
async def test_the_target_travels_byte_for_byte(link: Any, mmsc: Any, make: SimpleNamespace, path: str, proxy: str | None) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    await make.case(link, f"http://mmsc.example:8002{path}", proxy).post()
    target = path if proxy is None else f"http://mmsc.example:8002{path}"
    assert mmsc.last.request_line == f"POST {target} HTTP/1.1"
    assert mmsc.last.all("Host") == [b"mmsc.example:8002"]
    assert link.opened == [("mmsc.example", 8002) if proxy is None else ("10.0.0.172", 8799)]
    assert b"Proxy-Connection" not in mmsc.last.head


@pytest.mark.parametrize(
    ("mmsc", "proxy", "url", "peer"),
    [
        ("http://mmsc", None, "http://mmsc/", "mmsc:80"),
        ("http://mmsc?a=b", None, "http://mmsc/?a=b", "mmsc:80"),
        ("http://MMSC.Example/X", "proxy", "http://mmsc.example/X", "proxy:80"),
        ("http://172.028.023.131:08080/x", "010.001.000.172:9201", "http://172.28.23.131:8080/x", "10.1.0.172:9201"),
        ("https://mmsc.example/x", None, "https://mmsc.example/x", "mmsc.example:443"),
        ("http://[fd00::0:1]/x", None, "http://[fd00::1]/x", "fd00::1:80"),
    ],
)
def test_upstreams(mmsc: str, proxy: str | None, url: str, peer: str) -> None:
    upstream = Upstream.of(mmsc, proxy)
    assert str(upstream.mmsc) == url
    assert upstream.peer == peer


def test_authority() -> None:
    assert Upstream.of("http://MMSC.Example:8002/x", "p:1").authority == ("mmsc.example", 8002)


async def test_300_kb_up_and_64_kb_down(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    pdu = random.Random(1).randbytes(300_000)
    body = make.conf()
    body += b"".join(b"X-%02d\0%s\0" % (number, b"p" * 1000) for number in range(64))
    body += b"X-Last\0" + b"q" * (ANSWER_MAX - len(body) - 8) + b"\0"
    mmsc.act = mmsc.answers(make.answer(body), pieces=1000)
    trial = await case.post(pdu)
    assert sha(mmsc.last.body) == sha(pdu)
    assert trial.answer is not None
    assert len(trial.answer.body) == ANSWER_MAX
    assert sha(trial.answer.body) == sha(body)
    assert trial.phase is Phase.ANSWER_WHOLE


@pytest.mark.parametrize("size", [1, 2, 1000, 1338, 1339, 1340, 1460, 2798, 2799, 2800, 5000])
async def test_withholding_costs_no_segment_more(case: Any, mmsc: Any, make: SimpleNamespace, size: int) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    await case.post(b"x" * size)
    sends = case.link.streams[0].sends
    whole = len(mmsc.last.head) + size
    assert sends == [1460] * (whole // 1460) + ([whole % 1460] if whole % 1460 else [])


def test_cut_points() -> None:
    assert cut_points(100, 50, 1460) == [0, 50]
    assert cut_points(100, 1360, 1460) == [0, 1360]
    assert cut_points(100, 1361, 1460) == [0, 1360, 1361]
    assert cut_points(1460, 10, 1460) == [0, 10]
    assert cut_points(3000, 2840, 1460) == [0, 1380, 2840]
    for head, size, segment in [(123, 7777, 100), (1, 1, 1), (5, 9, 3)]:
        cuts = cut_points(head, size, segment)
        assert cuts == sorted(set(cuts))
        assert all((head + cut) % segment == 0 for cut in cuts[1:-1])


# What comes back.


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("pieces", [None, 1, 7])
async def test_answer_shapes(case: Any, mmsc: Any, make: SimpleNamespace, framing: str, pieces: int | None) -> None:
    body = make.conf(more=b"\xd5\x81X-Odd\0\xff\xfe\0")
    mmsc.act = mmsc.answers(make.answer(body, framing=framing), pieces=pieces)
    trial = await case.post()
    assert trial.answer is not None
    assert (trial.answer.status, trial.answer.body, trial.error) == (200, body, None)
    assert trial.phase is Phase.ANSWER_WHOLE


async def test_100_continue_comes_before(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 102 Processing\r\n\r\n" + make.answer(make.conf()))
    trial = await case.post()
    assert trial.answer is not None
    assert trial.answer.body == make.conf()


async def test_gzip_that_nobody_asked_for_passes_as_it_is(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    packed = gzip.compress(make.conf(), mtime=0)
    mmsc.act = mmsc.answers(make.answer(packed, head=b"Content-Encoding: gzip\r\n"))
    trial = await case.post()
    assert trial.answer is not None
    assert trial.answer.body == packed
    assert trial.answer.header("Content-Encoding") == "gzip"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(case: Any, mmsc: Any, make: SimpleNamespace, status: int) -> None:
    mmsc.act = mmsc.answers(make.answer(b"", status=f"{status} Moved", head=b"Location: http://mmsc.example/other\r\n"))
    trial = await case.post()
    assert judge(trial).outcome is Outcome.REFUSED
    assert len(mmsc.served) == 1


async def test_cookies_are_not_kept(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf(), head=b"Set-Cookie: a=b\r\n"))
    await case.post()
    await case.post()
    assert mmsc.last.all("Cookie") == []


async def test_answer_headers_come_octet_by_octet(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf(), head=b"X-Odd: \xff\xfeJ\xc3\xa4\r\nX-Odd: 2\r\n"))
    trial = await case.post()
    assert trial.answer is not None
    assert [value.encode("utf-8", "surrogateescape") for name, value in trial.answer.headers if name == "X-Odd"] == [
        b"\xff\xfeJ\xc3\xa4",
        b"2",
    ]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_too_long_an_answer(case: Any, mmsc: Any, make: SimpleNamespace, framing: str) -> None:
    mmsc.act = mmsc.answers(make.answer(b"<" * (ANSWER_MAX + 1), framing=framing))
    attempt = judge(await case.post())
    assert (attempt.outcome, attempt.code) == (Outcome.UNKNOWN, "non_mms_answer")
    assert attempt.answer is not None
    assert attempt.answer.body == b"<" * 4096


async def test_an_endless_answer_is_bounded(case: Any, mmsc: Any) -> None:
    async def endless(_: Any, __: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()

    mmsc.act = endless
    assert judge(await case.post()).code == "non_mms_answer"


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH\r\n", b"\0\1\2\3\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"<html>no</html>\r\n\r\n"])
async def test_what_is_no_http(case: Any, mmsc: Any, raw: bytes) -> None:
    mmsc.act = mmsc.answers(raw)
    attempt = judge(await case.post())
    assert (attempt.outcome, attempt.code) == (Outcome.UNKNOWN, "non_mms_answer")
    assert "\n" not in attempt.detail


async def test_no_answer_but_a_close(case: Any, mmsc: Any) -> None:
    mmsc.act = mmsc.answers(b"")
    attempt = judge(await case.post())
    assert (attempt.outcome, attempt.code, attempt.phase) == (Outcome.UNKNOWN, "peer_reset", Phase.LAST_BYTE)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_answer_cut_at_every_octet(link: Any, mmsc: Any, make: SimpleNamespace, framing: str, reset: bool) -> None:
    """Never sent, unless all of the confirmation is there; what is unframed and reset is no whole answer either."""
    conf = make.conf(message_id="m")
    raw = make.answer(conf, framing=framing)
    for stop in range(0, len(raw), 3):
        mmsc.act = mmsc.answers(raw[:stop], reset=reset)
        attempt = judge(await make.case(link).post(b"p" * 10), transaction_id="T1")
        assert attempt.outcome in ((Outcome.UNKNOWN, Outcome.SENT) if conf in raw[:stop] or stop > len(raw) - 8 else (Outcome.UNKNOWN,))
        assert attempt.phase >= Phase.LAST_BYTE


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_an_answer_that_the_link_cut_is_not_whole(case: Any, mmsc: Any, make: SimpleNamespace, framing: str) -> None:
    async def begin(_: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(make.answer(make.conf(), framing=framing)[:-9])
        await writer.drain()
        while not case.tunnel.current.body:
            await asyncio.sleep(0.001)
        case.link.streams[0]._lost.set()
        await reader.read()

    mmsc.act = begin
    trial = await case.post()
    assert isinstance(trial.error, LinkLost)
    assert trial.phase is Phase.ANSWER_BEGUN
    assert judge(trial).outcome is Outcome.UNKNOWN


async def test_the_body_is_an_ordinary_payload_to_aiohttp(make: SimpleNamespace) -> None:
    """What its base class asks for beside the streaming write."""
    exchange = Exchange(3, limits=Limits(), peer="mmsc:80")
    body = _Body(b"abc", exchange, _nothing, None)
    assert (body.size, body.decode(), await body.as_bytes()) == (3, "abc", b"abc")
    writer = StreamWriter(ResponseHandler(asyncio.get_running_loop()), asyncio.get_running_loop())
    await writer.write_headers("POST / HTTP/1.1", CIMultiDict())
    with pytest.raises(aiohttp.ClientConnectionResetError):
        await body.write(writer)  # there is no connection under it


# Other ways than a plain modem stream.


async def test_tls_to_an_https_mmsc(secure_mmsc: Any, make: SimpleNamespace, certificate: Path) -> None:
    secure_mmsc.act = secure_mmsc.answers(make.answer(make.conf(), framing="close"))
    case = make.case(make.link(secure_mmsc.port), "https://mmsc.example/x", trust=ssl.create_default_context(cafile=certificate))
    trial = await case.post()
    assert secure_mmsc.last.body == PDU
    assert (trial.phase, trial.bytes_offered, trial.error) == (Phase.ANSWER_WHOLE, len(PDU), None)
    assert trial.answer is not None
    assert trial.answer.body == make.conf()
    assert case.phases == [Phase.OPEN, Phase.PART_OFFERED, Phase.LAST_BYTE, Phase.ANSWER_BEGUN, Phase.ANSWER_WHOLE]


async def test_tls_that_is_refused_is_not_sent(secure_mmsc: Any, make: SimpleNamespace) -> None:
    case = make.case(make.link(secure_mmsc.port), "https://mmsc.example/x")
    attempt = judge(await case.post())
    assert (attempt.outcome, attempt.code, attempt.phase) == (Outcome.NOT_SENT, "connect_failed", Phase.OPEN)


async def test_tls_cut_anywhere_is_never_not_sent_when_the_mmsc_has_it(secure_mmsc: Any, make: SimpleNamespace, certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    link = make.link(secure_mmsc.port)
    secure_mmsc.act = secure_mmsc.never
    outcomes = []
    for cut in range(100, 4400, 90):
        link.faults.lost_after = cut
        had = len(secure_mmsc.whole)
        attempt = judge(await make.case(link, "https://mmsc.example/x", trust=trust, limits=Limits(answer=0.05)).post(b"x" * 3000))
        await asyncio.sleep(0.005)
        outcomes.append(attempt.outcome)
        assert attempt.outcome is Outcome.UNKNOWN or len(secure_mmsc.whole) == had, cut
    assert outcomes == sorted(outcomes, key=lambda outcome: outcome is Outcome.UNKNOWN)
    assert set(outcomes) == {Outcome.NOT_SENT, Outcome.UNKNOWN}


async def test_an_ordinary_connector(mmsc: Any, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # trust_env is off
    phases: list[Phase] = []
    upstream = Upstream.of(f"http://127.0.0.1:{mmsc.port}/x")
    tunnel = Tunnel(upstream, lambda _: aiohttp.TCPConnector(force_close=True), limits=Limits(answer=0.1))
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    trial = await tunnel.post(b"x" * 50_000, (), on_phase=phases.append)
    assert (trial.phase, trial.bytes_offered, trial.error) == (Phase.ANSWER_WHOLE, 50_000, None)
    assert phases == [Phase.OPEN, Phase.LAST_BYTE, Phase.ANSWER_BEGUN, Phase.ANSWER_WHOLE]
    mmsc.act = mmsc.answers(b"")
    assert judge(await tunnel.post(b"x", ())).outcome is Outcome.UNKNOWN
    mmsc.act = mmsc.never
    assert judge(await tunnel.post(b"x", ())).code == "answer_timeout"


async def test_an_ordinary_connector_that_finds_nobody(mmsc: Any) -> None:
    await mmsc.stop()
    tunnel = Tunnel(Upstream.of(f"http://127.0.0.1:{mmsc.port}/x"), lambda _: aiohttp.TCPConnector(force_close=True))
    trial = await tunnel.post(b"x", ())
    assert isinstance(trial.error, ConnectError)
    assert (trial.phase, judge(trial).outcome) == (Phase.NO_BEARER, Outcome.NOT_SENT)


async def test_head_and_pdu_are_shown_to_the_tap(link: Any, mmsc: Any, make: SimpleNamespace, tap: Any) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf(), head=b"X-C: 1\r\n"))
    await make.case(link, tap=tap).post(b"\x8c\x80", (("X-A", "b"),))
    assert tap.notes == [
        ("http", "> POST /mms/wapenc HTTP/1.1"),
        ("http", "> Host: mmsc.example"),
        ("http", "> X-A: b"),
        ("http", "> Content-Length: 2"),
        ("http", "> Connection: close"),
        ("pdu", "> 8c80"),
        ("http", "< HTTP/1.1 200 OK"),
        ("http", "< Content-Type: application/vnd.wap.mms-message"),
        ("http", "< X-C: 1"),
        ("http", f"< Content-Length: {len(make.conf())}"),
        ("pdu", f"< {make.conf().hex()}"),
    ]

"""A trace that a link wrote, masked, is a transcript: the scripts replay it whole, byte by byte, split, and with URCs in between.

The payload of the sends is taken from the trace; the mask keeps its length, so that every count in the modem's answers is still right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.detect import detect
from mmsproxy.at.dialect import Dialect, Profile, Script, Socket
from mmsproxy.at.sim800 import SIM800
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.errors import AtStringError
from mmsproxy.link import Ledger
from mmsproxy.trace import exchange, load_trace

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
Replayer = Callable[..., Any]


def payloads(name: str) -> list[bytes]:
    return [
        entry.data for entry in exchange(load_trace(TRANSCRIPTS / f"{name}.at")) if entry.kind == "sent" and not entry.data.endswith(b"\r")
    ]


def life(dialect: Dialect, chunks: list[bytes]) -> Script[tuple[bytes, Ledger]]:
    profile = Profile("mms.example", "IP", "xxxx", "xxxxxxxxxx")
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    assert (yield from detect(identity)) is dialect
    yield from startup.make_ready(dialect, profile, identity, "0000", refused=False)
    yield from startup.radio()
    assert (yield from startup.ensure_bearer(dialect, profile)) is True
    assert (yield from startup.ensure_bearer(dialect, profile)) is False
    number = yield from dialect.open(0, "mmsc.example", 80)
    socket = Socket(number, Ledger(given=sum(map(len, chunks))))
    for chunk in chunks:
        yield from deliver(dialect, socket, chunk, more=False)
    received = yield from dialect.read(number, dialect.max_read)
    yield from dialect.close(number)
    assert isinstance(socket.book, Ledger)
    return received.data, socket.book


@pytest.mark.parametrize("dialect", [SIM7600, SIM800], ids=lambda dialect: dialect.name)
def test_a_masked_trace_is_a_transcript(replay: Replayer, dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"recorded_{dialect.name}"
    chunks = payloads(name)
    monkeypatch.setattr(startup, "quoted_pin", lambda pin: b'"xxxx"')  # the mask of the PIN is no PIN
    answer, ledger = replay(name, lambda: life(dialect, chunks), dialect.urcs)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\x92\x80\x8bid-42\x00\r\n")
    assert ledger.accepted == ledger.given == sum(map(len, chunks))


@pytest.mark.parametrize("name", ["recorded_sim7600", "recorded_sim800"])
def test_nothing_secret_is_in_it(name: str) -> None:
    text = (TRANSCRIPTS / f"{name}.at").read_text()
    for secret in ('"4711"', "secretword", '"user"', "6195550123", "c2VjcmV0"):
        assert secret not in text
    assert re.search(r"X-MDN: 0{9}23", text)


def test_the_masks_own_letters_are_refused_as_a_pin() -> None:
    with pytest.raises(AtStringError):
        startup.quoted_pin("xxxx")

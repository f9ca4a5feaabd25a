"""What both SIMCom families share, where the modem says too little."""

from __future__ import annotations

import pytest

from mmsproxy.at import simcom
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.errors import AtError

OK = Reply(Outcome.DONE, (b"OK",), b"OK")


def test_counters_that_are_not_told() -> None:
    for lines in ((b"OK",), (b"+CIPACK: 5,5", b"OK")):
        script = simcom.counters(0)
        next(script)
        with pytest.raises(AtError, match="byte counters"):
            script.send(Reply(Outcome.DONE, lines, b"OK"))


def test_a_read_without_a_header() -> None:
    script = simcom.read(0, 1460)
    next(script)
    with pytest.raises(AtError, match="no data"):
        script.send(OK)


def test_a_read_takes_only_its_own_sockets_data() -> None:
    request = next(simcom.read(3, 1460))
    assert request.rule.data is not None  # type: ignore[union-attr]
    pattern = request.rule.data.pattern  # type: ignore[union-attr]
    assert pattern.match(b"+CIPRXGET: 2,3,10,0\r\n")
    assert pattern.match(b"+CIPRXGET: 2,0,10,0\r\n") is None
    assert pattern.match(b"+CIPRXGET: 2,3,10,0") is None

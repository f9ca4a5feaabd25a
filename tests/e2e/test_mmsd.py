"""Debian's unmodified mmsd-tng sends through the gateway, as MMSC and as MMS proxy (mm1.md 2.3 and 12).

What it shows as `sent` and as `draft` was measured with the program itself: a draft stands for a refusal that it understood.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_mmsdtng, pytest.mark.timeout(180)]

HERE = Path(__file__).resolve().parent.parent / "peers"
MMSC = "http://mmsc.simulator/mms/wapenc"


@pytest.fixture
def mmsd(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """mmsd("up", mmsc, proxy) starts it, mmsd("send", number, file), mmsd("wait", message, state, seconds): what mmsd_peer.sh prints."""
    folder = tmp_path / "mmsd"

    def call(command: str, *arguments: str) -> str:
        environment = os.environ | {"PY": sys.executable}
        script = [str(HERE / "mmsd_peer.sh"), command, str(folder), *arguments]
        return subprocess.run(script, capture_output=True, text=True, env=environment, timeout=120, check=False).stdout.strip()

    yield call
    call("down")


@pytest.fixture
def text_file(tmp_path: Path) -> str:
    path = tmp_path / "hello.txt"
    path.write_text("hello from mmsd-tng")
    return str(path)


def sends(mmsd: Callable[..., str], mmsc: str, proxy: str, text_file: str, state: str) -> str:
    assert mmsd("up", mmsc, proxy).endswith("up")
    message = mmsd("send", "+12065550100", text_file)
    assert message.startswith("/org/ofono/mms/")
    return mmsd("wait", message, state, "40")


def test_as_mmsc_in_origin_form(serve, mmsd, text_file: str) -> None:
    serving = serve("simulator: {line_rate: 0, rtt: 0, activation: 0}")
    assert sends(mmsd, f"{serving.mm1}/mms/wapenc", "NULL", text_file, "sent") == "state=sent"
    assert "message sent" in serving.log


def test_as_mms_proxy_in_absolute_form(serve, mmsd, text_file: str) -> None:
    serving = serve("simulator: {line_rate: 0, rtt: 0, activation: 0}")
    assert sends(mmsd, MMSC, serving.mm1.removeprefix("http://"), text_file, "sent") == "state=sent"
    assert "message sent" in serving.log


@pytest.mark.parametrize(
    ("rest", "mmsc"),
    [
        pytest.param("simulator: {line_rate: 0, rtt: 0, activation: 0, answer: html}", None, id="the carrier answers HTML: unknown, 504"),
        pytest.param("simulator: {line_rate: 0, rtt: 0, activation: 0, answer: '500'}", None, id="the carrier answers 500: unknown, 504"),
        pytest.param("simulator: {line_rate: 0, rtt: 0, activation: 0, answer: drop}", None, id="the carrier drops: unknown, 504"),
        pytest.param(
            "lines: [{name: a, modem: {port: /dev/no-such-port}, carrier: {apn: x, mmsc: 'http://mmsc.simulator/mms'}}]",
            None,
            id="no modem: 503",
        ),
        pytest.param(
            "lines: [{name: a, carrier: {max_size: 1024}}]\nsimulator: {line_rate: 0, rtt: 0, activation: 0}", "large", id="too large: 413"
        ),
        pytest.param("simulator: {line_rate: 0, rtt: 0, activation: 0}", "http://other.example/mms", id="another MMSC: 403"),
    ],
)
def test_a_refusal_of_the_gateway_is_a_draft(serve, mmsd, text_file: str, rest: str, mmsc: str | None) -> None:
    serving = serve(rest)
    if mmsc == "large":
        Path(text_file).write_text("x" * 4000)
    proxy = serving.mm1.removeprefix("http://")
    target = mmsc if mmsc and mmsc.startswith("http") else MMSC
    assert sends(mmsd, target, proxy, text_file, "draft") == "state=draft"


def test_an_unknown_outcome_is_posted_once_however_often_it_asks(serve, mmsd, text_file: str) -> None:
    serving = serve("simulator: {line_rate: 0, rtt: 0, activation: 0, answer: html}")
    assert sends(mmsd, f"{serving.mm1}/", "NULL", text_file, "draft") == "state=draft"
    end = time.monotonic() + 60  # a hang guard: it asks three times, five seconds apart, and a draft is what it began with
    while serving.log.count("status=504") < 3 and time.monotonic() < end:
        time.sleep(0.2)
    assert serving.log.count("status=504") >= 3
    assert serving.log.count("message failed") == 1

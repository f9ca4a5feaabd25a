"""The main job, as a user sees it: a PDU or a text goes in, crosses the simulated modem, and the carrier's answer comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mmsproxy.wire import mms_pdu

LONG_TEXT = ("Some words that are read as one bubble. " * 21)[:827]


def send(root: Path, serving, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(root / "tools" / "send.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_827_characters_leave_as_one_mms_through_each_dialect(serve, root: Path, fast_simulator: str) -> None:
    serving = serve(fast_simulator)
    arguments = ("+16195550123", LONG_TEXT, "--gateway", serving.web, "--token", serving.token, "--json")
    done = send(root, serving, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["type"], answer["sms_parts_saved"], answer["simulated"]) == ("sent", "mms", 6, True)
    assert answer["carrier"]["message_id"]


def test_the_banner_tells_where_and_what_and_that_it_is_simulated(serve) -> None:
    serving = serve("simulator: {line_rate: 0, activation: 0}")
    assert "SIMULATED" in serving.output
    assert str(serving.folder / "token") in serving.output
    assert [word in serving.output for word in ("--data-binary", "/v1/messages", "send.py")] == [True, True, True]


def test_a_pdu_comes_back_as_the_carriers_m_send_conf(serve, root: Path) -> None:
    serving = serve("simulator: {line_rate: 0, rtt: 0, activation: 0}")
    pdu = (root / "docs" / "examples" / "hello.mms").read_bytes()
    request = urllib.request.Request(serving.mm1, pdu, {"Content-Type": "application/vnd.wap.mms-message"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        conf = mms_pdu.decode(answer.read())
    assert isinstance(conf, mms_pdu.SendConf)
    assert (conf.response_status, conf.transaction_id) == (0x80, mms_pdu.decode(pdu).transaction_id)


def test_send_exits_0_only_when_the_carrier_said_ok(serve, root: Path) -> None:
    serving = serve("simulator: {line_rate: 0, rtt: 0, activation: 0, answer: e0}")
    done = send(root, serving, "+16195550123", "Hello", "--as", "mms", "--gateway", serving.web, "--token", serving.token)
    assert done.returncode == 1
    assert "224" in done.stdout + done.stderr or "permanent" in (done.stdout + done.stderr).lower()


def test_an_sms_in_the_place_of_a_refused_mms_is_followed_to_its_end(serve, root: Path) -> None:
    serving = serve("simulator: {line_rate: 0, rtt: 0, activation: 0, answer: e0}")
    words = ["+16195550123", "Hello", "--as", "mms", "--fallback", "sms", "--json", "--gateway", serving.web, "--token", serving.token]
    command = [sys.executable, "-m", "mmsproxy", "send", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=serving.folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert (answer["type"], answer["status"], answer["parent_id"] is not None) == ("sms", "sent", True)
    done = send(root, serving, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["type"] == "sms"


def test_it_stops_in_order_on_sigterm(serve) -> None:
    serving = serve("simulator: {line_rate: 0, activation: 0}")
    assert serving.stop() == 0
    assert "Traceback" not in serving.log


def test_an_address_in_use_is_one_line_with_the_cure(serve, root: Path, tmp_path: Path) -> None:
    serving = serve("simulator: {line_rate: 0, activation: 0}")
    taken = serving.mm1.removeprefix("http://")
    other = tmp_path / "other" / "config.yaml"
    other.parent.mkdir()
    other.write_text(f"mm1: {{listen: '{taken}'}}\nweb: {{listen: 127.0.0.1:0, token_file: token}}\n")
    command = [sys.executable, "-m", "mmsproxy", "serve", "--config", str(other)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (1, 2)
    assert "mm1.listen" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["/dev/no-such-port", "/dev/null"])
def test_a_missing_modem_does_not_stop_the_gateway(serve, root: Path, port: str) -> None:
    serving = serve(f"lines: [{{name: a, modem: {{port: {port}}}, carrier: {{apn: x, mmsc: 'http://mmsc/'}}}}]")
    done = send(root, serving, "+16195550123", "Hello", "--timeout", "2", "--gateway", serving.web, "--token", serving.token)
    assert done.returncode != 0
    assert "queued" in done.stdout + done.stderr  # a modem that is down is no error: the message waits for it
    assert port in serving.log
    assert serving.process.poll() is None

"""`mmsproxy encode` as a process, alone and behind `decode --json`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

CONF = bytes.fromhex("8C81985431008D929280")
PUSH = bytes.fromhex("010603BEAF84") + CONF
REPORT = bytes.fromhex("00062A0B915155210300F0521122227163005211222271630000")
FORM = {"kind": "mms-pdu", "type": "m-acknowledge-ind", "headers": [{"name": "X-Mms-Transaction-ID", "value": "R1"}]}


def run(command: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mmsproxy", command, *arguments], input=stdin, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("octets", [CONF, PUSH, REPORT], ids=["mms", "push", "sms"])
def test_what_decode_prints_comes_back(octets: bytes) -> None:
    form = run("decode", "--json", "-", stdin=octets)
    done = run("encode", "-", stdin=form.stdout)
    assert (done.returncode, done.stdout, done.stderr) == (0, octets, b"")


def test_an_example_of_the_docs_comes_back(root: Path) -> None:
    octets = (root / "docs/examples/hello.mms").read_bytes()
    assert run("encode", "-", stdin=run("decode", "--json", "-", stdin=octets).stdout).stdout == octets


def test_a_form_by_hand_into_a_file_and_as_hex(tmp_path: Path) -> None:
    form, out = tmp_path / "f.json", tmp_path / "o.mms"
    form.write_text(json.dumps(FORM))
    done = run("encode", str(form), "-o", str(out))
    assert (done.returncode, done.stdout) == (0, b"")
    assert out.read_bytes() == bytes.fromhex("8C8598523100")
    assert run("encode", str(form), "--hex").stdout == b"8c8598523100\n"


def test_oddities_are_warned_of_and_refused_in_strict_mode() -> None:
    data = json.dumps(FORM).encode()
    lenient, strict = run("encode", "-", stdin=data), run("encode", "--strict", "-", stdin=data)
    assert lenient.returncode == 0
    assert lenient.stderr.startswith(b"mmsproxy: warning: offset 6: X-Mms-MMS-Version mandatory-header-missing")
    assert (strict.returncode, strict.stdout) == (1, b"")
    assert strict.stderr.startswith(b"mmsproxy: -: offset 6: X-Mms-MMS-Version mandatory-header-missing")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "line 1 column 1: no JSON: "),
        ("{\n 1}", "line 2 column 2: no JSON: "),
        ("[" * 100_000, "no JSON: "),
        ("5", "the whole: an object is wanted, not 5"),
        ("[]", "the whole: an object is wanted, not an array"),
        ("{}", 'the whole: the key "kind" is missing'),
        ('{"kind": "x"}', '/kind: "mms-pdu", "wsp-push", '),
        ('{"kind": 5}', '/kind: "mms-pdu", "wsp-push", '),
        ('[{"kind": "mms-pdu", "headers": 1}]', "/headers: an array is wanted, not 1"),
        ('{"kind": "mms-pdu", "type": "m-send-req", "headers": [{"name": "To", "value": "\\ud800"}]}', "charset 106 cannot hold the text"),
        ('{"kind": "sms-deliver", "octets": "00", "service_centre": true, "fields": []}', "field-missing"),
    ],
)
def test_a_mistake_is_exit_1_with_one_line(document: str, words: str) -> None:
    done = run("encode", "-", stdin=document.encode())
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"mmsproxy: -: ")
    assert words in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_files_that_cannot_be_read_or_written_are_exit_2(tmp_path: Path) -> None:
    assert run("encode", str(tmp_path / "absent")).returncode == 2
    done = run("encode", "-", "-o", str(tmp_path / "no" / "o"), stdin=json.dumps(FORM).encode())
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"mmsproxy: {tmp_path / 'no' / 'o'}: No such file or directory".encode())


def test_octets_do_not_go_to_a_terminal(tmp_path: Path) -> None:
    form = tmp_path / "f.json"
    form.write_text(json.dumps(FORM))
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "mmsproxy", "encode", str(form)], stdout=theirs, stderr=subprocess.DEVNULL, timeout=60, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 4096)
    os.close(ours)
    assert (done.returncode, shown) == (0, b"8c8598523100\r\n")

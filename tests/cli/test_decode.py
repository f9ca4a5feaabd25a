"""`mmsproxy decode` as a process: what it prints, where, and its exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

NOTIFICATION = bytes.fromhex(
    "8C82984E3100 8D90 891880" + b"+15551230000/TYPE=PLMN\0".hex() + "8A80 8E027000 8805810303F480 83" + b"http://mmsc/1\0".hex()
)
PUSH = bytes.fromhex("010603BEAF84") + NOTIFICATION
# SMS-DELIVER of two parts, by hand: service centre +491710760000, from +15551230000, 8-bit, ports 2948 and 9200, reference 7
PARTS = tuple(
    f"0791947101670000{first}0B915155210300F0000452112222716300{12 + len(data):02X}0B05040B8423F000030702{number:02X}" + data.hex().upper()
    for number, first, data in ((1, "40", PUSH[:60]), (2, "44", PUSH[60:]))
)


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mmsproxy", "decode", *arguments], input=stdin, capture_output=True, timeout=60, check=False
    )


def lines(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    return done.stdout.decode().splitlines()


def test_a_pdu_as_a_tree(tmp_path: Path) -> None:
    file = tmp_path / "n.mms"
    file.write_bytes(NOTIFICATION)
    done = run(str(file))
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines(done) == [
        f"{file}: MMS m-notification-ind, {len(NOTIFICATION)} octets",
        "      0   X-Mms-Message-Type         m-notification-ind (130)",
        '      2   X-Mms-Transaction-ID       "N1"',
        "      6   X-Mms-MMS-Version          1.0",
        '      8   From                       "+15551230000/TYPE=PLMN"  (plmn)',
        "     34   X-Mms-Message-Class        personal (128)",
        "     36   X-Mms-Message-Size         28672",
        "     40   X-Mms-Expiry               relative 259200  (3 days, 0:00:00)",
        '     47   X-Mms-Content-Location     "http://mmsc/1"',
    ]


def test_standard_input_and_hex(tmp_path: Path) -> None:
    done = run("-", stdin=NOTIFICATION.hex(" ").encode())
    assert done.returncode == 0
    assert lines(done)[0] == f"-: MMS m-notification-ind, {len(NOTIFICATION)} octets from hex"


def test_a_bad_pdu_is_exit_1_with_the_error_on_stderr(tmp_path: Path) -> None:
    file = tmp_path / "bad.mms"
    file.write_bytes(NOTIFICATION[:20])
    done = run(str(file))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith(f"mmsproxy: {file}: offset 9: headers[3].From value-length-beyond-data: ")
    assert len(done.stderr.splitlines()) == 1


def test_an_unreadable_file_is_exit_2_and_the_others_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "n.mms"
    file.write_bytes(NOTIFICATION)
    done = run(str(tmp_path / "absent"), str(file))
    assert done.returncode == 2
    assert "m-notification-ind" in done.stdout.decode()
    assert done.stderr.decode() == f"mmsproxy: {tmp_path / 'absent'}: No such file or directory\n"


def test_strict_refuses_what_lenient_warns_of() -> None:
    odd = NOTIFICATION[:-1]  # the last text without its NUL
    lenient, strict = run("-", stdin=odd), run("--strict", "-", stdin=odd)
    assert lenient.returncode == 0
    assert "warning: offset 48: headers[7].X-Mms-Content-Location text-without-nul" in lenient.stdout.decode()
    assert strict.returncode == 1
    assert "text-without-nul" in strict.stderr.decode()


def test_json_of_one_file_is_an_object_and_of_several_an_array() -> None:
    one = json.loads(run("--json", "-", stdin=NOTIFICATION).stdout)
    assert (one["file"], one["form"], one["kind"], one["type"]) == ("-", "octets", "mms-pdu", "m-notification-ind")
    assert one["headers"][3] == {
        "offset": 8,
        "name": "From",
        "number": "0x89",
        "value": "+15551230000/TYPE=PLMN",
        "means": "plmn",
        "octets": NOTIFICATION[8:34].hex(),
    }
    two = json.loads(run("--json", "-", "absent", "-", stdin=NOTIFICATION).stdout)
    assert [sorted(item)[:2] for item in two] == [["file", "form"], ["error", "file"]]


def test_a_push_and_what_is_in_it() -> None:
    done = run("-", stdin=PUSH)
    assert done.returncode == 0
    assert lines(done)[:5] == [
        f"-: WSP push, {len(PUSH)} octets",
        "      0   Transaction id             1",
        "      3   Content-Type               application/vnd.wap.mms-message",
        "      4   X-Wap-Application-Id       x-wap-application:mms.ua (4)",
        f"      6   body: MMS m-notification-ind, {len(NOTIFICATION)} octets",
    ]


def test_a_push_with_a_broken_pdu_is_shown_and_is_exit_1() -> None:
    done = run("-", stdin=PUSH[:30])
    assert done.returncode == 1
    assert "WSP push" in done.stdout.decode()
    assert "in the push: offset 9: headers[3].From value-length-beyond-data" in done.stderr.decode()


def test_the_parts_of_a_push_in_a_log_are_joined() -> None:
    log = "".join(f'+CMGL: {n},1,"",{len(part) // 2 - 8}\r\n{part}\r\n' for n, part in enumerate(PARTS)) + "\r\nOK\r\n"
    done = run("-", stdin=log.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode()
    assert shown.count("SMS deliver") == 2
    assert "user-data                  8bit, to port 2948 from 9200, part 1 of 2, reference 7" in shown
    assert "body: MMS m-notification-ind" in shown


def test_a_part_whose_other_part_is_not_here_is_told() -> None:
    done = run("-", stdin=PARTS[1].encode())
    assert done.returncode == 0
    assert done.stderr == b"mmsproxy: of a WAP push the parts 2 are here, not 1\n"


def test_parts_are_saved_under_safe_names(tmp_path: Path) -> None:
    name = b"../../etc/passwd\0"
    part = b"\x83" + b"\x8e" + name + b"hello"
    pdu = bytes.fromhex("8C84 8D92 8504692236 80 84A3 01".replace(" ", "")) + bytes((2 + len(name), 5)) + part
    place = tmp_path / "parts"
    for _ in range(2):
        assert run("-", "--parts", str(place), stdin=pdu).returncode == 0
    assert sorted(path.name for path in place.iterdir()) == ["passwd-2.txt", "passwd.txt"]
    assert {path.read_bytes() for path in place.iterdir()} == {b"hello"}
    assert list(tmp_path.iterdir()) == [place]


def test_a_directory_that_cannot_be_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    pdu = bytes.fromhex("8C848D92850469223680848368656C6C6F")
    done = run("-", "--parts", str(tmp_path / "file"), stdin=pdu)
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "nothing is here"),
        (b"<html><body>Out of credit</body></html>", "HTML, not an MMS PDU"),
        (b"hello, world", "text, not an MMS PDU"),
        (b"8C80 9", "an odd number of hex digits"),
        (bytes(range(200, 256)), "neither an MMS PDU (starts with 8C) nor a WSP push nor an SMS TPDU"),
    ],
)
def test_what_is_no_pdu(data: bytes, words: str) -> None:
    done = run("-", stdin=data)
    assert (done.returncode, done.stdout) == (1, b"")
    assert words in done.stderr.decode()


def test_nothing_from_a_pdu_controls_the_terminal() -> None:
    done = run("-", stdin=bytes.fromhex("8C81985431008D9292E093") + b"x\x1b[2J\xe2\x80\xae\0")
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr
    assert "\\x1b[2J" in done.stdout.decode()


def test_the_output_is_the_same_on_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "n.mms"
    file.write_bytes(NOTIFICATION)
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-m", "mmsproxy", "decode", str(file)], stdout=theirs, timeout=60, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert done.returncode == 0
    assert shown.replace(b"\r\n", b"\n") == run(str(file)).stdout

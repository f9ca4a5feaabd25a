"""Files of parts: names that cannot leave the directory, files that stay."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from mmsproxy.cli.pdu_parts import MAX_NAME, octets_of, safe_name, save, save_parts
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.mms_pdu import ContentType, Disposition, Part, PartHeader, RetrieveConf
from mmsproxy.wire.pdu_view import mms_json

TEXT = ContentType("text/plain")
BLOB = ContentType("application/octet-stream")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Grüße aus Köln.jpg", "Grüße aus Köln.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\autoexec.bat", "autoexec.bat"),
        ("/data/user/0/com.android/cache/a.3gp", "a.3gp"),
        ("C:evil.exe", "evil.exe"),
        ("..", "part-3"),
        (".", "part-3"),
        ("", "part-3"),
        ("/", "part-3"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a\0b\n.txt", "a_b_.txt"),
        ("a\x1b[2J.txt", "a_2J.txt"),
        ("\u202egpj.exe", "_gpj.exe"),
        ("nul", "part-3-nul"),
        ("COM1.txt", "part-3-COM1.txt"),
        ("a" * 300 + ".jpg", "a" * (MAX_NAME - 4) + ".jpg"),
        ("~root", "_root"),
        ("a*b?c|d<e>f.txt", "a_b_c_d_e_f.txt"),
        ("...hidden...", "hidden"),
    ],
)
def test_a_safe_name(given: str, name: str) -> None:
    assert safe_name(Part(BLOB, content_location=given), 3) == name


def test_where_the_name_comes_from() -> None:
    disposition = Disposition("attachment", filename="d.txt")
    full = Part(ContentType("text/plain", name="n.txt"), content_id="<i>", content_location="l.txt", content_disposition=disposition)
    assert safe_name(full, 1) == "n.txt"
    full = full.replace(content_type=TEXT)
    assert safe_name(full, 1) == "d.txt"
    full = full.replace(content_disposition=None)
    assert safe_name(full, 1) == "l.txt"
    full = full.replace(content_location=None)
    assert safe_name(full, 1) == "i.txt"
    assert safe_name(full.replace(content_id=None), 1) == "part-1.txt"


def test_any_name_is_one_component_of_the_directory() -> None:
    rand = random.Random(11)
    for _ in range(5000):
        given = "".join(chr(rand.choice((rand.randrange(128), rand.randrange(0x3000), 46, 47, 92))) for _ in range(rand.randrange(1, 12)))
        name = safe_name(Part(BLOB, content_location=given), 1)
        assert name
        assert os.path.basename(name) == name
        assert not name.startswith((".", "-", " "))
        assert "\0" not in name
        assert len(name.encode()) <= 255


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    paths = [save(tmp_path, "a.tar.gz", bytes((number,))) for number in range(3)]
    assert [path.name for path in paths] == ["a.tar.gz", "a.tar-2.gz", "a.tar-3.gz"]
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]
    assert save(tmp_path, "plain", b"").name == "plain"
    assert save(tmp_path, "plain", b"").name == "plain-2"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "a.txt").symlink_to(target)
    assert save(tmp_path, "a.txt", b"x").name == "a-2.txt"
    assert not target.exists()


def test_a_transfer_encoding_is_undone_where_it_holds() -> None:
    base64 = (PartHeader("Content-Transfer-Encoding", "base64"),)
    assert octets_of(Part(TEXT, b"aGVsbG8=", headers=base64)) == b"hello"
    assert octets_of(Part(TEXT, b"a", headers=base64)) == b"a"


def test_nested_parts_and_a_bare_body(tmp_path: Path) -> None:
    inner = (Part(TEXT, b"one"), Part(TEXT, b"two"))
    mixed = ContentType("application/vnd.wap.multipart.mixed")
    alternative = ContentType("application/vnd.wap.multipart.alternative")
    pdu = mms_pdu.decode(
        mms_pdu.encode(RetrieveConf(date=1, content_type=mixed, parts=(Part(alternative, parts=inner), Part(BLOB, b"three"))))
    )
    shown = mms_json(pdu)
    save_parts(pdu, shown, tmp_path / "new" / "place")
    saved = [Path(part["saved"]) for part in (*shown["parts"][0]["parts"], shown["parts"][1])]
    assert [(path.name, path.read_bytes()) for path in saved] == [("part-1.txt", b"one"), ("part-2.txt", b"two"), ("part-3", b"three")]
    bare = mms_pdu.decode(mms_pdu.encode(RetrieveConf(date=1, content_type=TEXT, parts=(Part(TEXT, b"bare"),))))
    shown = mms_json(bare)
    save_parts(bare, shown, tmp_path)
    assert Path(shown["body"]["saved"]).read_bytes() == b"bare"

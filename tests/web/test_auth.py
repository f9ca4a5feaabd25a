"""The token file: made once with 256 bits for its owner only, read when it is there; the comparison admits nothing but the token."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import ConfigError
from mmsproxy.web import auth
from mmsproxy.web.auth import TokenHash, token_from_file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_absent_file_is_made_with_a_fresh_token(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data" / "token"
    token = token_from_file(path)
    assert token.startswith("mmp_")
    assert len(base64.urlsafe_b64decode(token.removeprefix("mmp_") + "==")) == 32
    assert path.read_text() == token + "\n"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)
    assert os.listdir(path.parent) == ["token"]


def test_an_odd_umask_does_not_open_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        token_from_file(tmp_path / "token")
    finally:
        os.umask(before)
    assert mode(tmp_path / "token") == 0o600


def test_the_same_file_gives_the_same_token_and_another_file_another(tmp_path: Path) -> None:
    assert token_from_file(tmp_path / "a") == token_from_file(tmp_path / "a")
    assert token_from_file(tmp_path / "a") != token_from_file(tmp_path / "b")


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    token_from_file(tmp_path / "token")
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("content", [b"my-own.token_1~/+==", b"  my-own.token_1~/+==\r\n\n"])
def test_a_file_that_is_there_is_read_and_not_changed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    assert token_from_file(path) == "my-own.token_1~/+=="
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"short", "holds no token"),
        (b"two words-in-it", "holds no token"),
        (b"token-one\ntoken-two\n", "holds no token"),
        (b"\xff\xfe\x00\x00\x00\x00\x00\x00\x00", "holds no token"),
        (b"x" * 10_000, "holds no token"),
    ],
)
def test_a_file_without_a_token_is_one_line_with_the_cure(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        token_from_file(path)
    (line,) = caught.value.mistakes
    assert words in line
    assert str(path) in line
    assert "delete it" in line
    assert "\n" not in line
    assert "token-one" not in line


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        token_from_file(tmp_path)


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="cannot be"):
        token_from_file(tmp_path / "data" / "token")


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(auth.os, "link", refuse)
    with pytest.raises(ConfigError, match="cannot be made: Operation not permitted; let the gateway's user write its folder"):
        token_from_file(tmp_path / "token")
    assert os.listdir(tmp_path) == []


def test_two_gateways_that_start_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token"
    link = os.link

    def other_was_first(source: Path, target: Path) -> None:
        path.write_text("the-other-gateway\n")
        link(source, target)

    monkeypatch.setattr(auth.os, "link", other_was_first)
    assert token_from_file(path) == "the-other-gateway"
    assert os.listdir(tmp_path) == ["token"]


TOKEN = "mmp_abcdefghijklmnop"


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "])
def test_the_token_is_admitted(header: str) -> None:
    assert TokenHash.of(TOKEN).admits(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer\t{TOKEN}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN}\x00",
        "Bearer " + "\udcff" * 8,
    ],
)
def test_anything_else_is_not(header: str | None) -> None:
    assert not TokenHash.of(TOKEN).admits(header)


def test_no_header_is_never_admitted_even_for_the_hash_of_nothing() -> None:
    assert not TokenHash.of("").admits(None)


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=80))
def test_no_header_makes_it_fail(header: str) -> None:
    assert TokenHash.of(TOKEN).admits(header) is (header.strip(" ").lower().startswith("bearer ") and header.split()[-1] == TOKEN)


def test_the_hash_does_not_show_itself() -> None:
    assert TOKEN not in repr(TokenHash.of(TOKEN))
    assert "digest" not in repr(TokenHash.of(TOKEN))

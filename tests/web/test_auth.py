"""The token file: made once with 256 bits for its owner only, read when it is there; the comparison admits nothing but the token."""

from __future__ import annotations

import base64
import os
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import ConfigError
from mmsproxy.post import token_rows
from mmsproxy.web import auth
from mmsproxy.web.auth import FIRST, Caller, Keyring, TokenHash, new_token, presented, token_from_file


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


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        f"BEARER   {TOKEN} ",
        basic("AC123", TOKEN),
        basic(TOKEN, "x"),
        basic("", TOKEN),
        basic(TOKEN, TOKEN),
    ],
)
def test_the_token_is_presented(header: str) -> None:
    assert TokenHash.of(TOKEN) in presented(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        "Basic " + base64.b64encode(TOKEN.encode()).decode(),
        "Basic ====",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
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
    assert TokenHash.of(TOKEN) not in presented(header)


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=80))
def test_no_header_makes_it_fail(header: str) -> None:
    assert len(presented(header)) <= 2


def test_the_hash_does_not_show_itself() -> None:
    assert TOKEN not in repr(TokenHash.of(TOKEN))
    assert "digest" not in repr(TokenHash.of(TOKEN))


def test_a_new_token_is_256_bits_and_can_be_presented() -> None:
    token = new_token(bytes(range(32)))
    assert token.startswith("mmp_")
    assert presented(f"Bearer {token}") == (TokenHash.of(token),)
    assert TokenHash.of(token).is_same(TokenHash.of(token))
    assert not TokenHash.of(token).is_same(TokenHash.of(TOKEN))


@pytest.mark.parametrize(
    ("scopes", "need", "may"), [({"lines"}, "lines", True), ({"lines"}, "admin", False), (set(), "any", True), ({"admin"}, "lines", False)]
)
def test_a_scope_is_what_it_says_and_implies_no_other(scopes: set[str], need: Any, may: bool) -> None:
    assert Caller("tok_1", "n", frozenset(scopes)).may(need) is may


async def test_the_keyring_knows_the_first_and_the_stored_ones_until_they_are_revoked(api: Any) -> None:
    keyring = Keyring("first-token", api.store, lambda: api.clock[0])
    assert await keyring.caller("Bearer first-token") == FIRST
    assert await keyring.caller(basic("AC1", "first-token")) == FIRST
    add = partial(token_rows.add, token_id="tok_1", name="door", sha256=TokenHash.of(TOKEN).hex, scopes=["lines"])
    await api.store.write(add)
    caller = await keyring.caller(basic("AC1", TOKEN))
    assert caller == Caller("tok_1", "door", frozenset({"lines"}))
    assert await keyring.caller("Bearer another-token") is None
    assert await keyring.caller(None) is None
    await api.store.write(partial(token_rows.revoke, token_id="tok_1"))
    assert await keyring.caller(f"Bearer {TOKEN}") is None


async def test_the_last_use_is_noted_once_a_minute(api: Any) -> None:
    keyring = Keyring("first-token", api.store, lambda: api.clock[0])
    await api.store.write(partial(token_rows.add, token_id="tok_1", name="door", sha256=TokenHash.of(TOKEN).hex, scopes=["lines"]))
    noted = []
    for step in (0, 30, 31):
        api.clock[0] += step
        await keyring.caller(f"Bearer {TOKEN}")
        ((token),) = await api.store.read(token_rows.token_list)
        noted.append(token.used_at)
    assert noted == [1_800_000_000.0, 1_800_000_000.0, 1_800_000_061.0]

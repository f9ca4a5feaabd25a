"""The bearers of each variant against their transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.detect import detect
from mmsproxy.at.dialect import Dialect, Identity, Profile, Script
from mmsproxy.at.ublox import R5, UBLOX, WITH_PROFILE
from mmsproxy.errors import AtError, AtTimeout, BearerError

PROFILE = Profile("internet")
LOGIN = Profile("internet", "IP", "user", "secret")
Replayer = Callable[..., Any]


def whole_start() -> Script[tuple[Dialect, Identity]]:
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    dialect = yield from detect(identity)
    yield from startup.make_ready(dialect, PROFILE, identity, "4711", refused=False)
    return dialect, identity


def test_start(replay: Replayer) -> None:
    dialect, identity = replay("ublox_start", whole_start, UBLOX.urcs)
    assert dialect is WITH_PROFILE
    assert identity == Identity("u-blox", "SARA-U201", "23.60", "SARA-U201-03B-00")


@pytest.mark.parametrize(
    ("name", "dialect", "profile"),
    [
        ("prepare", UBLOX, LOGIN),
        ("prepare_foreign", UBLOX, PROFILE),
        ("prepare_kept", UBLOX, PROFILE),
        ("prepare_profile", WITH_PROFILE, LOGIN),
        ("prepare_profile_old", WITH_PROFILE, PROFILE),
        ("prepare_profile_kept", WITH_PROFILE, PROFILE),
        ("prepare_profile_foreign", WITH_PROFILE, PROFILE),
    ],
)
def test_prepare(replay: Replayer, name: str, dialect: Dialect, profile: Profile) -> None:
    assert replay(f"ublox_{name}", lambda: dialect.prepare(profile, Identity()), dialect.urcs) is None


def test_a_modem_without_ipv6_at_an_ipv6_carrier(replay: Replayer) -> None:
    profile = Profile("internet", "IPV6")
    kind, text = replay("ublox_prepare_profile_no_ipv6", lambda: WITH_PROFILE.prepare(profile, Identity()), WITH_PROFILE.urcs)
    assert kind is AtError
    assert "AT+UPSD=0,0,1" in text


@pytest.mark.parametrize(
    ("name", "dialect", "brought_up"),
    [
        ("context", UBLOX, True),
        ("context_up", UBLOX, False),
        ("context_adopted", UBLOX, True),
        ("profile", WITH_PROFILE, True),
        ("profile_later", WITH_PROFILE, True),
        ("profile_urc", WITH_PROFILE, True),
        ("profile_adopted", WITH_PROFILE, True),
        ("profile_up", WITH_PROFILE, False),
        ("mapped", R5, True),
        ("mapped_unknown", R5, True),
        ("mapped_again", R5, True),
    ],
)
def test_bearer(replay: Replayer, name: str, dialect: Dialect, brought_up: bool) -> None:
    assert replay(f"ublox_bearer_{name}", lambda: startup.ensure_bearer(dialect, PROFILE), dialect.urcs) is brought_up


@pytest.mark.parametrize(
    ("name", "dialect", "words"),
    [
        ("context_fails", UBLOX, "+CME ERROR: 30"),
        ("profile_fails", WITH_PROFILE, "+CME ERROR: 100"),
    ],
)
def test_bearer_fails_for_good(replay: Replayer, name: str, dialect: Dialect, words: str) -> None:
    kind, text = replay(f"ublox_bearer_{name}", lambda: startup.ensure_bearer(dialect, PROFILE), dialect.urcs)
    assert kind is BearerError
    assert words in text
    assert text.endswith("check the APN, the user and the signal")


def test_a_profile_that_never_gets_active(replay: Replayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.at.ublox_bearer.ACTIVE_POLLS", 3)
    kind, text = replay("ublox_bearer_profile_never", lambda: startup.ensure_bearer(WITH_PROFILE, PROFILE), WITH_PROFILE.urcs)
    assert kind is BearerError
    assert "did not give a bearer" in text


@pytest.mark.parametrize("name", ["mapped_down", "mapped_down_unknown"])
def test_a_mapped_bearer_goes_down(replay: Replayer, name: str) -> None:
    assert replay(f"ublox_bearer_{name}", R5.bearer_down, R5.urcs) is None


def test_silence_is_no_answer(replay: Replayer) -> None:
    kind, text = replay("ublox_bearer_silent", R5.bearer_check, R5.urcs)
    assert kind is AtTimeout
    assert "AT+UPSND=0,8" in text

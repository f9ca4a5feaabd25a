"""What a link has to know."""

from __future__ import annotations

from mmsproxy.at.dialect import Profile
from mmsproxy.modem.settings import ModemSettings


def test_secrets_are_not_shown() -> None:
    settings = ModemSettings("/dev/ttyUSB2", pin="4711", apn="mms", user="user", password="word")
    assert "4711" not in repr(settings)
    assert "word" not in repr(settings)
    assert settings.profile == Profile("mms", "IP", "user", "word")


def test_flow_control_is_off_unless_asked_for() -> None:
    assert not ModemSettings("p").rtscts
    assert ModemSettings("p", flow_control="rtscts").rtscts

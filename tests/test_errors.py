"""The error tree: every error has its own code, says whose fault it is, and is one line."""

from __future__ import annotations

import inspect

from mmsproxy import errors
from mmsproxy.errors import ConfigError, Fault, MmsproxyError, PduError, PortError

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MmsproxyError)]


def test_codes_are_stable_words_and_each_is_used_once() -> None:
    codes = [kind.code for kind in TREE]
    assert len(codes) == len(set(codes)) > 15
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


def test_each_knows_whose_fault_it_is_and_whether_again_can_help() -> None:
    assert all(isinstance(kind.fault, Fault) and isinstance(kind.retryable, bool) for kind in TREE)
    assert not PduError.retryable
    assert PortError.retryable


def test_the_cure_follows_the_detail() -> None:
    assert str(PortError("/dev/ttyUSB2 is busy", cure="stop ModemManager")) == "/dev/ttyUSB2 is busy; stop ModemManager"
    assert str(PortError("gone")) == "gone"


def test_a_pdu_error_names_place_and_rule() -> None:
    error = PduError("value-length-beyond-data", offset=12, path="headers[3].Subject", context="96 20 ea")
    assert str(error) == "offset 12: headers[3].Subject value-length-beyond-data: value length beyond data [96 20 ea]"
    assert (error.rule, error.offset, error.path, error.context) == ("value-length-beyond-data", 12, "headers[3].Subject", "96 20 ea")


def test_a_config_error_keeps_every_mistake() -> None:
    error = ConfigError(("a - x", "b - y"))
    assert (error.mistakes, str(error)) == (("a - x", "b - y"), "a - x\nb - y")

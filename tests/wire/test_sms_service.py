"""Validity periods and delivery status, by the tables of 23.040 9.2.3.12 and 9.2.3.15."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire.sms_service import Delivery, Status, Validity, ValidityFormat, relative_number, relative_period

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


@pytest.mark.parametrize(
    ("number", "period"),
    [
        (0, 5 * MINUTE),
        (11, HOUR),
        (143, 12 * HOUR),
        (144, 12 * HOUR + 30 * MINUTE),
        (167, DAY),
        (168, 2 * DAY),
        (196, 30 * DAY),
        (197, 5 * WEEK),
        (255, 63 * WEEK),
    ],
)
def test_relative_periods_both_ways(number: int, period: timedelta) -> None:
    assert relative_period(number) == period
    assert relative_number(period) == number
    assert relative_number(period - MINUTE) == number, "rounded up, never down"
    assert Validity.relative(period) == Validity(ValidityFormat.RELATIVE, bytes((number,)))
    assert Validity.relative(period).period == period


def test_each_number_round_trips_and_they_grow() -> None:
    periods = [relative_period(number) for number in range(256)]
    assert periods == sorted(set(periods))
    assert [relative_number(period) for period in periods] == list(range(256))


@pytest.mark.parametrize("period", [-MINUTE, 64 * WEEK])
def test_periods_that_cannot_be_told(period: timedelta) -> None:
    with pytest.raises(PduError, match="validity-not-encodable"):
        relative_number(period)


def test_absolute() -> None:
    until = datetime(2026, 11, 25, tzinfo=UTC)
    validity = Validity.absolute(until)
    assert validity == Validity(ValidityFormat.ABSOLUTE, bytes.fromhex("62115200000000"))
    assert (validity.until, validity.period, validity.single_shot) == (until, None, False)


def test_none() -> None:
    assert (Validity().until, Validity().period, Validity().octets) == (None, None, b"")


@pytest.mark.parametrize(
    ("octets", "period", "single_shot"),
    [
        ("00000000000000", None, False),
        ("410b0000000000", HOUR, True),
        ("023c0000000000", MINUTE, False),
        ("03211000000000", 12 * HOUR + MINUTE, False),
        ("03a11000000000", None, False),
        ("04000000000000", None, False),
        ("81000000000000", None, False),
    ],
)
def test_enhanced(octets: str, period: timedelta | None, single_shot: bool) -> None:
    validity = Validity(ValidityFormat.ENHANCED, bytes.fromhex(octets))
    assert (validity.period, validity.single_shot, validity.until) == (period, single_shot, None)


@pytest.mark.parametrize(
    ("octet", "delivery", "final", "words"),
    [
        (0x00, Delivery.DELIVERED, True, "received by the recipient"),
        (0x01, Delivery.UNCONFIRMED, True, "forwarded, delivery cannot be confirmed"),
        (0x02, Delivery.REPLACED, True, "replaced by the service centre"),
        (0x03, Delivery.GAVE_UP, True, "status 03"),
        (0x10, Delivery.UNCONFIRMED, True, "status 10"),
        (0x20, Delivery.TRYING, False, "congestion"),
        (0x25, Delivery.TRYING, False, "error in the recipient"),
        (0x30, Delivery.TRYING, False, "status 30"),
        (0x40, Delivery.FAILED, True, "remote procedure error"),
        (0x46, Delivery.FAILED, True, "validity period expired"),
        (0x5F, Delivery.FAILED, True, "status 5F"),
        (0x61, Delivery.GAVE_UP, True, "recipient busy"),
        (0x63, Delivery.GAVE_UP, True, "service rejected"),
        (0x7F, Delivery.GAVE_UP, True, "status 7F"),
        (0x80, Delivery.GAVE_UP, True, "status 80"),
        (0xFF, Delivery.GAVE_UP, True, "status FF"),
    ],
)
def test_status(octet: int, delivery: Delivery, final: bool, words: str) -> None:
    status = Status(octet)
    assert (status.delivery, status.final, status.words) == (delivery, final, words)

from __future__ import annotations

import pytest

from mmsproxy.post.admission import Known, Refused, Rules, check, choose_line, country_code
from mmsproxy.post.caps import Caps, Usage

NOW = 1_800_000_000.0
HOME = Rules(home="+12025550100")


def codes(recipients: tuple[str, ...], rules: Rules = HOME, known: Known | None = None, cost: int = 1) -> list[tuple[str, str]]:
    try:
        check(recipients, cost, rules, known or Known(), NOW)
    except Refused as refused:
        return [(refusal.pointer, refusal.code) for refusal in refused.refusals]
    return []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+12025550123", None),
        ("2025550123", None),
        ("+1202555012345678", "invalid_number"),
        ("12345", "denied_number"),
        ("*100#", "denied_number"),
        ("+4915112345678", "denied_number"),
        ("someone@example.com", None),
        ("some one@example.com", "invalid_number"),
        ("+1202555\r\n0123", "invalid_number"),
        ("١٢٣٤٥٦٧٨", "invalid_number"),
        ("", "invalid_number"),
    ],
)
def test_numbers(number: str, code: str | None) -> None:
    assert codes((number,)) == ([("/to/0", code)] if code else [])


def test_what_the_user_allows() -> None:
    assert codes(("12345",), Rules(numbers=frozenset({"12345"}))) == []
    assert codes(("+4915112345678",), Rules(home="+12025550100", countries=frozenset({"+49"}))) == []
    assert codes(("+12025550123",), Rules(home="+12025550100", countries=frozenset({"+49"}))) == [("/to/0", "denied_number")]
    assert codes(("+4915112345678",), Rules()) == []  # the own number is not known, and nothing is excluded
    assert codes(("someone@example.com",), Rules(emails=False)) == [("/to/0", "invalid_number")]


def test_every_mistake_is_named() -> None:
    known = Known(opted_out={"+12025550111"})
    recipients = ("+12025550111", "bad", "+12025550112")
    assert codes(recipients, Rules(recipients=2), known) == [
        ("/to", "too_many_recipients"),
        ("/to/0", "opted_out"),
        ("/to/1", "invalid_number"),
    ]
    assert codes(tuple(f"+1202555{n:04}" for n in range(50)), Rules(recipients=0)) == []


def test_caps_of_a_token_and_a_recipient() -> None:
    rules = Rules(per_token=Caps(5, 0), per_recipient=Caps(2, 0))
    busy = Usage(((NOW - 60, 2),))
    known = Known(token_usage=Usage(((NOW - 60, 4),)), recipient_usage={"+12025550123": busy})
    with pytest.raises(Refused) as refused:
        check(("+12025550123", "+12025550124"), 2, rules, known, NOW)
    assert [item.pointer for item in refused.value.refusals] == ["", "/to/0"]
    assert refused.value.code == "rate_limited"
    assert refused.value.retry_after == 3600
    assert "2 per hour" in refused.value.refusals[1].detail
    check(("+12025550124",), 1, rules, known, NOW)


def test_a_wrong_number_is_told_before_a_cap() -> None:
    assert codes(("bad",), Rules(per_token=Caps(1, 0)), Known(token_usage=Usage(((NOW, 9),)))) == [("/to/0", "invalid_number")]


def test_lines_by_name_and_by_own_number() -> None:
    lines = {"mint": "+12025550100", "spare": None}
    assert [choose_line(wanted, lines) for wanted in (None, "", "spare", "+12025550100")] == ["", "", "spare", "mint"]
    with pytest.raises(Refused) as refused:
        choose_line("+12025550199", lines)
    assert (refused.value.code, refused.value.refusals[0].pointer) == ("no_line", "/line")


@pytest.mark.parametrize(
    ("number", "code"), [("+12025550123", "+1"), ("+4915112345678", "+49"), ("+35312345678", "+353"), ("2025550123", ""), ("", "")]
)
def test_country_codes(number: str, code: str) -> None:
    assert country_code(number) == code

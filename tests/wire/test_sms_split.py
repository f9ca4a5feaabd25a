"""Counts that a phone shows, and where a cut may not fall."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire import gsm7
from mmsproxy.wire.gsm7_tables import Language
from mmsproxy.wire.sms_split import Encoding, PartCount, capacity_units, clusters, count_parts, split, well_formed

FIXED = settings(derandomize=True, deadline=None, max_examples=100)
FAMILY = "👨\u200d👩\u200d👧"
TEXTS = st.lists(st.sampled_from([*"aé€{Ωß\r\n", "ş", "😀", "👍🏽", FAMILY, "e\u0301", "🇩🇪", "नि", "\ud83d"]), max_size=400).map("".join)


@pytest.mark.parametrize(
    ("text", "encoding", "parts", "units", "capacity", "left"),
    [
        ("", Encoding.GSM7, 1, 0, 160, 160),
        ("a" * 160, Encoding.GSM7, 1, 160, 160, 0),
        ("a" * 161, Encoding.GSM7, 2, 161, 153, 145),
        ("a" * 306, Encoding.GSM7, 2, 306, 153, 0),
        ("a" * 307, Encoding.GSM7, 3, 307, 153, 152),
        ("€" * 80, Encoding.GSM7, 1, 160, 160, 0),
        ("€" * 81, Encoding.GSM7, 2, 162, 153, 143),  # 76 in a part of 153, and one septet unused
        ("ş" * 70, Encoding.UCS2, 1, 70, 70, 0),
        ("ş" * 71, Encoding.UCS2, 2, 71, 67, 63),
        ("😀" * 35, Encoding.UCS2, 1, 70, 70, 0),
        ("😀" * 36, Encoding.UCS2, 2, 72, 67, 61),  # 33 in a part of 67
        ("a" * 69 + "ş", Encoding.UCS2, 1, 70, 70, 0),
    ],
)
def test_counts(text: str, encoding: Encoding, parts: int, units: int, capacity: int, left: int) -> None:
    assert count_parts(text) == PartCount(encoding, parts, units, capacity, left)


def test_a_16_bit_reference_takes_one_septet_or_one_unit_more() -> None:
    assert count_parts("a" * 305, reference_bits=16) == PartCount(Encoding.GSM7, 3, 305, 152, 151)
    assert count_parts("ş" * 133, reference_bits=16) == PartCount(Encoding.UCS2, 3, 133, 66, 65)
    assert count_parts("a" * 160, reference_bits=16).parts == 1


def test_capacities() -> None:
    assert [capacity_units(octets, 7) for octets in (0, 3, 5, 6, 8, 11)] == [160, 155, 153, 152, 149, 146]
    assert [capacity_units(octets, 16) for octets in (0, 5, 6)] == [70, 67, 66]


def test_an_escape_sequence_is_never_cut() -> None:
    cut = split("a" * 152 + "€" + "b" * 20)
    assert cut.texts == ("a" * 152, "€" + "b" * 20)


def test_a_surrogate_pair_is_never_cut() -> None:
    cut = split("ş" * 66 + "😀" + "x" * 5)
    assert cut.texts == ("ş" * 66, "😀" + "x" * 5)


@pytest.mark.parametrize("cluster", ["e\u0301", "👍🏽", FAMILY, "🇩🇪", "1\ufe0f\u20e3", "\r\n", "🏴\U000e0067\U000e007f"])
def test_what_a_reader_sees_as_one_is_never_cut(cluster: str) -> None:
    units = len(cluster.encode("utf_16_be")) // 2
    lead = "ş" * (67 - units + 1)
    cut = split(lead + cluster + "x" * 10)
    assert cut.texts == (lead, cluster + "x" * 10)


def test_two_flags_are_two() -> None:
    assert list(clusters("🇩🇪🇫🇷a\n")) == ["🇩🇪", "🇫🇷", "a", "\n"]
    assert list(clusters("")) == []


def test_a_cluster_that_no_part_holds_falls_into_characters() -> None:
    cut = split("e" + "\u0301" * 100)
    assert [len(text) for text in cut.texts] == [67, 34]
    assert "".join(cut.texts) == "e" + "\u0301" * 100


def test_languages_are_used_where_they_save_parts() -> None:
    text = "ş" * 100
    assert count_parts(text).parts == 2
    with_turkish = count_parts(text, languages=(Language.TURKISH,))
    assert with_turkish == PartCount(Encoding.GSM7, 1, 100, 155, 55, Language.TURKISH, 0)
    spanish = count_parts("á" * 71, languages=(Language.TURKISH, Language.SPANISH))
    assert spanish == PartCount(Encoding.GSM7, 1, 142, 155, 13, 0, Language.SPANISH)


def test_languages_are_not_used_where_the_default_alphabet_does() -> None:
    assert count_parts("plain", languages=tuple(Language)).locking == 0


def test_both_tables_of_a_language() -> None:
    text = "ନ୦" * 40  # Oriya: letters in the locking table, digits in the single shift table
    assert count_parts(text, languages=(Language.ORIYA,)) == PartCount(Encoding.GSM7, 1, 120, 152, 32, Language.ORIYA, Language.ORIYA)


def test_a_language_that_does_not_hold_the_text_is_left_alone() -> None:
    assert count_parts("ж", languages=(Language.TURKISH,)).encoding is Encoding.UCS2


def test_lone_surrogates() -> None:
    assert well_formed("a\ud83dz") == "a\ufffdz"
    assert well_formed("\ud83d\ude00") == "😀"
    assert count_parts("\ud83d").encoding is Encoding.UCS2


def test_more_than_255_parts_are_counted_but_not_made() -> None:
    assert split("a" * 153 * 255).count.parts == 255
    long = "a" * (153 * 255 + 1)
    assert count_parts(long).parts == 256
    with pytest.raises(PduError) as refused:
        split(long)
    assert refused.value.rule == "too-many-parts"


@FIXED
@given(TEXTS, st.sampled_from([8, 16]), st.sampled_from([(), (Language.TURKISH,), tuple(Language)]))
def test_parts_are_the_text_and_fit(text: str, bits: int, languages: tuple[int, ...]) -> None:
    cut = split(text, reference_bits=bits, languages=languages)
    count = cut.count
    assert "".join(cut.texts) == well_formed(text)
    assert len(cut.texts) == count.parts == count_parts(text, reference_bits=bits, languages=languages).parts
    units = [_units(part, count) for part in cut.texts]
    assert sum(units) == count.units
    assert max(units) <= count.capacity
    assert units[-1] == count.capacity - count.left
    assert all(unicodedata.category(part[0]) not in ("Mn", "Mc") for part in cut.texts[1:])
    assert all(part for part in cut.texts[1:])


def _units(text: str, count: PartCount) -> int:
    if count.encoding is Encoding.UCS2:
        return len(text.encode("utf_16_be")) // 2
    return len(gsm7.encode(text, count.locking, count.single))

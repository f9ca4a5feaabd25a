"""The codec as a whole: vectors by hand, round trips of generated PDUs, fidelity of what was mutated, limits, the public face."""

from __future__ import annotations

import dataclasses
import random
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import construct
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsproxy import pdu_schema
from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import MessageType, label
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.forms import FORMS
from mmsproxy.wire.mms_pdu import (
    MMS_PDU,
    MULTIPART,
    Absolute,
    AcknowledgeInd,
    Address,
    ContentType,
    Counted,
    Disposition,
    ElementDescriptor,
    FromToken,
    Header,
    MboxTotal,
    MmFlags,
    NotificationInd,
    OtherPdu,
    Parameter,
    Part,
    PartHeader,
    Pdu,
    Relative,
    RetrieveConf,
    SendConf,
    SendReq,
    Text,
    canonical,
    decode,
    encode,
    encode_chunks,
)
from mmsproxy.wsp.choices import Assigned, StatusOctet

EXAMPLE = SendReq(
    transaction_id="T1",
    to=(Address.parse("+15551230000"),),
    subject=Text("hi"),
    content_type=ContentType("application/vnd.wap.multipart.related", type="application/smil", start="<smil>"),
    parts=(
        Part(ContentType("application/smil", charset=106), b"<smil/>", content_id="<smil>", content_location="s.smil"),
        Part(ContentType("text/plain", charset=106), "Grüße".encode(), content_id="<t>", content_location="t.txt"),
    ),
)


# --- vectors ------------------------------------------------------------------------------------------------------------------------


def test_each_type_by_hand(pdu_vectors: list[tuple[str, bytes, dict[str, Any]]], as_plain: Callable[[Any], Any]) -> None:
    """Strict mode reads them without a word, and they come back as they were, canonical or not."""
    assert [name for name, _, _ in pdu_vectors] == [label(member) for member in MessageType]
    for name, octets, fields in pdu_vectors:
        pdu = decode(octets, strict=True)
        assert label(MessageType(pdu.message_type)) == name
        assert {attr: as_plain(getattr(pdu, attr)) for attr in fields} == fields
        assert pdu.warnings == ()
        assert pdu.extra == ()
        assert encode(pdu) == b"".join(encode_chunks(pdu)) == octets
        again = decode(encode(canonical(pdu)), strict=True)
        assert again == pdu
        assert mms_pdu.missing(pdu) == ()


def test_each_header_by_hand(header_vectors: list[tuple[str, str, bytes, Any]], as_plain: Callable[[Any], Any]) -> None:
    named = {raw[0] for _, _, raw, _ in header_vectors}
    assert named == set(range(0x81, 0xC0)) - {0x8C, 0xAE, 0xB0}  # the type itself, and two that are names only
    for name, attr, raw, value in header_vectors:
        number = MessageType[name.upper().replace("-", "_")]
        frame = {0x98: b"", 0x8D: b"\x98T\0"}.get(raw[0], b"\x98T\0\x8d\x93")
        octets = bytes((0x8C, number)) + frame + raw
        pdu = decode(octets)
        assert as_plain(getattr(pdu, attr)) == value, name
        assert pdu.extra == ()
        assert encode(pdu) == octets
        assert raw in encode(canonical(pdu))


def test_names_without_a_grammar_are_kept() -> None:
    octets = bytes.fromhex("8C8D 9854 00 8D92 AE05 0102030405 B081")
    pdu = decode(octets)
    assert [(header.name, header.value) for header in pdu.extra] == [
        ("Content", b"\x05\x01\x02\x03\x04\x05"),
        ("Additional-headers", b"\x81"),
    ]
    assert encode(pdu) == encode(canonical(pdu)) == octets


def test_the_example_of_the_module(octets: Callable[[str], bytes]) -> None:
    by_hand = octets(
        '8C 80 98 "T1" 00 8D 92 89 01 81 97 "+15551230000/TYPE=PLMN" 00 96 "hi" 00 84 1B B3 89 "application/smil" 00 8A "<smil>" 00 02'
        '25 07 13 "application/smil" 00 81 EA C0 22 "<smil>" 00 8E "s.smil" 00 "<smil/>"'
        '11 07 03 83 81 EA C0 22 "<t>" 00 8E "t.txt" 00 "Grüße"'
    )
    assert encode(EXAMPLE) == by_hand
    assert decode(by_hand, strict=True) == decode(by_hand) == EXAMPLE
    assert decode(by_hand).root == EXAMPLE.parts[0]
    assert mms_pdu.text(EXAMPLE.parts[1]) == "Grüße"


# --- round trips of generated PDUs --------------------------------------------------------------------------------------------------

CHARACTERS = st.characters(exclude_categories=["Cc", "Cs", "Cn"])
WORDS = st.text(CHARACTERS, max_size=12)
TOKENS = st.text("abcXYZ019-_.", min_size=1, max_size=8)
OCTETS = st.integers(0x80, 0xFF)
COUNTS = st.integers(0, 2**40)
TEXTS = st.builds(Text, WORDS, st.sampled_from([None, 106, 1000, 1001, 1013, 1014, 1015]))
ADDRESSES = st.one_of(st.builds(Address, WORDS), st.from_regex(r"\+[0-9]{4,15}/TYPE=PLMN", fullmatch=True).map(Address))
TIMES = st.one_of(st.builds(Absolute, COUNTS), st.builds(Relative, COUNTS))
OPAQUES = st.one_of(
    OCTETS.map(lambda octet: bytes((octet,))),
    st.binary(max_size=30).map(lambda octets: bytes((len(octets),)) + octets),
    TOKENS.map(lambda text: text.encode() + b"\0"),
)
PARAMETERS = st.one_of(
    st.builds(Parameter, st.just("charset"), COUNTS, st.just(0x01)),
    st.builds(Parameter, st.just("name"), WORDS, st.sampled_from([0x05, 0x17])),
    st.builds(Parameter, st.just("start"), WORDS, st.sampled_from([0x0A, 0x19])),
    st.builds(Parameter, st.just("type"), st.sampled_from(["text/plain", "application/smil", "application/x-wap-59"]), st.just(0x09)),
    st.builds(Parameter, st.just("q"), st.integers(0, 999).map(lambda n: n / 1000), st.just(0x00)),
    st.builds(Parameter, st.just("x-wap-7e"), OPAQUES, st.just(0x7E)),
    st.builds(Parameter, TOKENS.map(lambda name: "x-" + name), st.one_of(COUNTS, WORDS), st.none()),
)
MEDIA = st.sampled_from(["text/plain", "image/jpeg", "audio/amr", "application/smil", "application/vnd.omaloc-supl-init", "x/y"])
LEAF_TYPES = st.builds(ContentType, MEDIA, st.lists(PARAMETERS, max_size=3))
MULTIPART_TYPES = st.sampled_from(["mixed", "related", "alternative"]).map(
    lambda kind: ContentType("application/vnd.wap.multipart." + kind)
)
DISPOSITIONS = st.builds(Disposition, st.sampled_from(["inline", "attachment", "form-data", "own"]), st.lists(PARAMETERS, max_size=2))
PART_HEADERS = st.one_of(
    st.builds(PartHeader, st.just(0x8F), st.binary(min_size=16, max_size=16).map(bytes.hex)),
    st.builds(PartHeader, st.just(0x8C), st.one_of(st.integers(0, 127), TOKENS)),
    st.builds(PartHeader, st.just(0x81), OPAQUES),
    st.builds(PartHeader, TOKENS, WORDS),
)
PART_FIELDS = {
    "content_id": st.none() | WORDS,
    "content_location": st.none() | WORDS,
    "content_disposition": st.none() | DISPOSITIONS,
    "headers": st.lists(PART_HEADERS, max_size=2).map(tuple),
}
LEAVES = st.builds(Part, LEAF_TYPES, st.binary(max_size=40), **PART_FIELDS)
PARTS = st.recursive(
    LEAVES,
    lambda inner: st.builds(Part, MULTIPART_TYPES, parts=st.lists(inner, min_size=1, max_size=2).map(tuple), **PART_FIELDS),
    max_leaves=4,
)
EXTRA = st.one_of(
    st.builds(Header, st.integers(0xC0, 0xFF), OPAQUES),
    st.builds(Header, TOKENS.map(lambda name: "X-" + name), WORDS),
)
BY_ATTR: dict[str, st.SearchStrategy[Any]] = {
    "from_": st.one_of(ADDRESSES, st.just(FromToken.INSERT_ADDRESS)),
    "message_class": st.one_of(st.sampled_from(list(mms_pdu.MessageClass)), TOKENS),
    "mms_version": OCTETS,
    "mm_flags": st.builds(MmFlags, st.sampled_from(list(mms_pdu.MmFlagToken)), TEXTS),
    "mbox_totals": st.builds(MboxTotal, st.sampled_from(list(mms_pdu.MboxToken)), COUNTS),
    "mbox_quotas": st.builds(MboxTotal, st.sampled_from(list(mms_pdu.MboxToken)), COUNTS),
    "previously_sent_by": st.builds(Counted, COUNTS, ADDRESSES),
    "previously_sent_date": st.builds(Counted, COUNTS, COUNTS),
    "attributes": st.one_of(OCTETS, TOKENS),
    "element_descriptor": st.builds(
        ElementDescriptor, WORDS, st.lists(st.builds(Parameter, st.just("type"), st.just("image/png"), st.just(2)), max_size=2)
    ),
}


def values(attr: str, leaf: pdu_schema.Leaf) -> st.SearchStrategy[Any]:
    """Values that the grammar of a field can hold."""
    if attr in BY_ATTR:
        return BY_ATTR[attr]
    if isinstance(leaf, pdu_schema.CountedOrPlain):
        return st.builds(Counted, COUNTS, values("", leaf.plain))
    if isinstance(leaf, StatusOctet):
        return st.one_of(st.sampled_from(list(leaf.values)), st.integers(0, 0xFF).filter(lambda octet: octet not in list(leaf.values)))
    if isinstance(leaf, Assigned):
        return st.one_of(st.sampled_from(list(leaf.values)), OCTETS.filter(lambda octet: octet not in list(leaf.values)))
    by_leaf = {
        pdu_schema.ADDRESS: ADDRESSES,
        pdu_schema.ENCODED_STRING: TEXTS,
        pdu_schema.TIME: TIMES,
        pdu_schema.BOOLEAN: st.booleans(),
        pdu_schema.TEXT_STRING: WORDS,
        pdu_schema.URI_VALUE: WORDS,
    }
    return by_leaf.get(leaf, COUNTS)


@st.composite
def pdus(draw: st.DrawFn) -> Pdu:
    """Any PDU of any type, with any of its headers, and a body where it may have one."""
    row = draw(st.sampled_from(pdu_schema.PDUS))
    made: dict[str, Any] = {}
    for attr in (*row.mandatory, *row.optional):
        if attr == "content_type" or not draw(st.booleans()):
            continue
        one = values(attr, row.grammar(attr))
        made[attr] = tuple(draw(st.lists(one, max_size=3))) if attr in row.repeated else draw(one)
    made["extra"] = tuple(draw(st.lists(EXTRA, max_size=2)))
    if row.has_body and draw(st.booleans()):
        made["content_type"] = draw(MULTIPART_TYPES)
        made["parts"] = tuple(draw(st.lists(PARTS, max_size=3)))
    return FORMS[row.number].cls(**made)


@given(pdus())
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_generated_pdus_come_back_equal(pdu: Pdu) -> None:
    octets = encode(pdu)
    again = decode(octets)
    assert again == pdu
    assert hash(again.transaction_id) == hash(pdu.transaction_id)
    assert encode(again) == encode(canonical(again)) == octets


@given(LEAF_TYPES, st.binary(max_size=50))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_body_that_is_no_multipart_comes_back(content_type: ContentType, data: bytes) -> None:
    pdu = RetrieveConf(date=1, content_type=content_type, parts=(Part(content_type, data),) if data else ())
    again = decode(encode(pdu))
    assert again == pdu
    assert encode(again) == encode(pdu)


# --- fidelity of whatever decode accepts ----------------------------------------------------------------------------------------------


def mutations(vectors: list[bytes], count: int) -> list[bytes]:
    """Every truncation of every vector, and `count` copies with a few octets changed, cut, doubled or put in."""
    dice = random.Random(20130725)
    made = [vector[:stop] for vector in vectors for stop in range(len(vector))]
    for _ in range(count):
        octets = bytearray(dice.choice(vectors))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(1, len(octets))
            match dice.randrange(5):
                case 0:
                    octets[at] = dice.randrange(256)
                case 1:
                    octets[at] ^= 1 << dice.randrange(8)
                case 2:
                    del octets[at : at + dice.randint(1, 4)]
                case 3:
                    octets[at:at] = octets[at : at + dice.randint(1, 9)]
                case _:
                    octets[at:at] = bytes((dice.choice((0, 0x1F, 0x22, 0x7F, 0x80, 0x81, 0x84, 0xC5, 0xFF)),))
            if len(octets) < 2:
                break
        made.append(bytes(octets))
    return made


def test_what_is_accepted_comes_back_octet_by_octet(
    pdu_vectors: list[tuple[str, bytes, dict[str, Any]]], header_vectors: list[tuple[str, str, bytes, Any]]
) -> None:
    """Also: strict accepts no more than lenient, only PduError leaves, and an edit changes nothing but what was edited."""
    vectors = [octets for _, octets, _ in pdu_vectors] + [encode(EXAMPLE), encode(nested(3))]
    vectors += [bytes((0x8C, MessageType[name.upper().replace("-", "_")])) + b"\x98T\0\x8d\x93" + raw for name, _, raw, _ in header_vectors]
    accepted = 0
    for octets in mutations(vectors, 12000):
        try:
            pdu = decode(octets)
        except PduError:
            error = refusal(octets)
            assert 0 <= error.offset <= len(octets)
            continue
        accepted += 1
        assert encode(pdu) == octets
        check_strict(octets, pdu)
        check_edit(pdu)
    assert accepted > 5000


def check_strict(octets: bytes, pdu: Pdu) -> None:
    try:
        strict = decode(octets, strict=True)
    except PduError:
        return
    assert strict == pdu
    assert encode(strict) == octets


def check_edit(pdu: Pdu) -> None:
    """Sets the transaction id, reads the result again: all else is as it was."""
    edited = pdu.replace(transaction_id="edited")
    again = decode(encode(edited))
    assert again.transaction_id == "edited"
    for field in dataclasses.fields(pdu):
        if field.compare and field.name not in ("transaction_id", "extra"):
            assert getattr(again, field.name) == getattr(pdu, field.name), field.name
    assert [header.value for header in again.extra if isinstance(header.key, str)] == [
        header.value for header in pdu.extra if isinstance(header.key, str)
    ]


def nested(depth: int) -> SendReq:
    """Multiparts inside one another, `depth` of them with the body itself."""
    part = Part(ContentType("text/plain"), b"deep")
    for _ in range(depth - 1):
        part = Part(ContentType("application/vnd.wap.multipart.mixed"), parts=(part,))
    return SendReq(transaction_id="T", content_type=ContentType("application/vnd.wap.multipart.mixed"), parts=(part,))


# --- limits -------------------------------------------------------------------------------------------------------------------------

SEND = b"\x8c\x80\x98T\0\x8d\x92\x89\x01\x81\x97a\0"


def refusal(octets: bytes) -> PduError:
    """What lenient mode says of octets that it refuses; strict mode refuses them too, perhaps for an earlier flaw."""
    with pytest.raises(PduError) as lenient:
        decode(octets)
    with pytest.raises(PduError) as strict:
        decode(octets, strict=True)
    assert strict.value.offset <= max(lenient.value.offset, 1) or strict.value.rule == "mandatory-header-missing"
    return lenient.value


def test_limit_of_the_pdu() -> None:
    assert mms_pdu.MAX_PDU == 2 * 1024 * 1024
    head = SEND + b"\x84\x83"
    fits = head + bytes(mms_pdu.MAX_PDU - len(head))
    assert encode(decode(fits)) == fits
    assert refusal(fits + b"\0").rule == "pdu-too-long"


def test_limit_of_headers() -> None:
    fits = SEND + b"\x8f\x80" * (mms_pdu.MAX_HEADERS - 5)
    assert len(decode(fits).extra) == mms_pdu.MAX_HEADERS - 6
    error = refusal(fits + b"\x8f\x80")
    assert (error.rule, error.offset) == ("too-many-headers", len(fits))


def test_limit_of_headers_of_a_part() -> None:
    head = b"\x83" + b"\x8d\x80" * 511
    lengths = bytes((0x80 | len(head) >> 7, len(head) & 0x7F))
    body = SEND + b"\x84\xa3\x01" + lengths + b"\0" + head
    assert len(decode(body).parts[0].headers) == 511
    head += b"\x8d\x80"
    lengths = bytes((0x80 | len(head) >> 7, len(head) & 0x7F))
    assert refusal(SEND + b"\x84\xa3\x01" + lengths + b"\0" + head).rule == "too-many-headers"


def test_limit_of_parts() -> None:
    part = b"\x01\0\x83"
    assert len(decode(SEND + b"\x84\xa3\x82\x00" + part * 256).parts) == 256
    error = refusal(SEND + b"\x84\xa3\x82\x01" + part * 257)
    assert (error.rule, error.offset) == ("too-many-parts", len(SEND) + 2)
    assert refusal(SEND + b"\x84\xa3\x8f\xff\xff\xff\x7f").rule == "too-many-parts"


def test_limit_of_depth() -> None:
    assert len(list(decode(encode(nested(mms_pdu.MAX_DEPTH))).walk())) == 8
    error = refusal(encode(nested(mms_pdu.MAX_DEPTH + 1).replace(to=(Address("a"),))))
    assert error.rule == "multipart-too-deep"
    assert error.path == ".".join(["parts[0]"] * 8)


def test_limit_of_all_items_together() -> None:
    head = b"\x83" + b"\x8d\x80" * 400
    part = bytes((0x80 | len(head) >> 7, len(head) & 0x7F)) + b"\0" + head
    assert len(decode(SEND + b"\x84\xa3\x0a" + part * 10).parts) == 10
    assert refusal(SEND + b"\x84\xa3\x0b" + part * 11).rule == "too-many-items"


@pytest.mark.parametrize("key", [b"\x91", b"\xae", b"\xc5"])
def test_parameters_count_among_all_items(key: bytes) -> None:
    value = b"\x1f\x81\x01\x81" + b"\x81\xea" * 64
    head = b"\x83" + (key + value) * 70
    lengths = bytes((0x80 | len(head) >> 14, 0x80 | len(head) >> 7 & 0x7F, len(head) & 0x7F)) + b"\0"
    assert refusal(SEND + b"\x84\xa3\x01" + lengths + head).rule == "too-many-items"


def test_parameters_of_element_descriptors_count_too() -> None:
    value = b"\x1f\x81\x02a\0" + b"\x82\x9e" * 64
    assert refusal(b"\x8c\x82\x98T\0\x8d\x92" + (b"\xb2" + value) * 70).rule == "too-many-items"


def test_limit_of_oddities() -> None:
    head = b"\x83" + b"\xf0\x80" * 510
    part = bytes((0x80 | len(head) >> 7, len(head) & 0x7F)) + b"\0" + head
    assert len(decode(SEND + b"\x84\xa3\x02" + part * 2).parts) == 2
    assert refusal(SEND + b"\x84\xa3\x03" + part * 3).rule == "too-many-flaws"


def test_limit_of_parameters() -> None:
    def content_type(count: int) -> bytes:
        return b"\x84\x1f" + bytes((0x81, 1 + 2 * count - 128)) + b"\x83" + b"\x81\xea" * count

    assert len(decode(SEND + content_type(64)).content_type.parameters) == 64  # type: ignore[union-attr]
    assert refusal(SEND + content_type(65)).rule == "too-many-parameters"


def test_limit_of_a_text() -> None:
    longest = b"x" * 65536
    pdu = decode(SEND + b"\x96" + longest + b"\0")
    assert isinstance(pdu, SendReq)
    assert pdu.subject is not None
    assert len(pdu.subject.text) == 65536
    assert refusal(SEND + b"\x96" + longest + b"x\0").rule == "text-too-long"
    with pytest.raises(PduError):
        encode(pdu.replace(subject=Text("x" * 65537)))


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (b"\x8e\x1f\x1f" + bytes(31), None),  # as a long-integer 31 octets are too many; the skip rule takes them
        (b"\x88\x1f\x90\x80\x80\x80\x00", "uintvar-too-large"),
        (b"\x88\x1f\x8f\xff\xff\xff\xff\x7f", "uintvar-too-long"),
        (b"\x88\x1f\x8f\xff\xff\xff\x7f", "value-length-beyond-data"),
        (b"\x85\x04\x01", "value-beyond-data"),
    ],
)
def test_limits_of_lengths(value: bytes, rule: str | None) -> None:
    if rule is None:
        assert decode(SEND + value).warnings[0].rule == "long-integer-length"
    else:
        assert refusal(SEND + value).rule == rule


def test_hostile_counts_allocate_nothing() -> None:
    octets = SEND + b"\x84\xa3\x82\x00" + b"\x8f\xff\xff\xff\x7f\x8f\xff\xff\xff\x7f"
    tracemalloc.start()
    assert refusal(octets).rule == "part-beyond-data"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_large_part_is_not_copied() -> None:
    data = bytes(300_000)
    octets = encode(EXAMPLE.replace(parts=(*EXAMPLE.parts, Part(ContentType("image/jpeg"), data))))
    tracemalloc.start()
    pdu = decode(octets)
    _, after_decode = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    pieces = list(encode_chunks(pdu))
    _, after_chunks = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    whole = encode(pdu)
    _, after_encode = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after_decode < 15_000
    assert after_chunks < 15_000 + after_decode
    assert after_encode < 1.1 * len(octets)
    assert whole == b"".join(pieces) == octets
    assert isinstance(pdu.parts[2].data, memoryview)
    assert pdu.parts[2].data.obj is octets


# --- the public face --------------------------------------------------------------------------------------------------------------------


def test_decode_takes_any_buffer() -> None:
    octets = encode(EXAMPLE)
    assert decode(bytearray(octets)) == decode(memoryview(octets)) == EXAMPLE


def test_an_unassigned_pdu_type_is_read_and_kept() -> None:
    octets = bytes.fromhex("8C99 985431 00 8D93 85 0101 966869 00 C581 84 A3 00")
    pdu = decode(octets)
    assert isinstance(pdu, OtherPdu)
    assert (pdu.message_type, pdu.number, pdu.transaction_id) == (0x99, 0x99, "T1")
    assert [(header.name, header.value) for header in pdu.extra] == [("Date", 1), ("Subject", Text("hi")), ("0xC5", b"\x81")]
    assert encode(pdu) == octets
    assert decode(encode(canonical(pdu))) == pdu
    assert mms_pdu.missing(pdu) == ()
    with pytest.raises(PduError) as caught:
        decode(octets, strict=True)
    assert (caught.value.rule, caught.value.offset) == ("octet-not-assigned", 1)


def test_missing_names_what_the_specification_asks_for() -> None:
    assert mms_pdu.missing(SendReq(from_=None, mms_version=None)) == (
        "X-Mms-Transaction-ID",
        "From",
        "Content-Type",
        "X-Mms-MMS-Version",
        "To",
    )
    assert mms_pdu.missing(EXAMPLE) == ()
    assert mms_pdu.missing(mms_pdu.DeleteReq(transaction_id="T")) == ("X-Mms-Content-Location",)


@pytest.mark.parametrize(
    ("encoding", "data", "expected"),
    [
        ("base64", b"SGFsbG8=\r\n", b"Hallo"),
        ("Quoted-Printable", b"Gr=C3=BC=\r\nn", "Grün".encode()),
        ("8bit", b"abc", b"abc"),
        ("none-such", b"abc", b"abc"),
    ],
)
def test_a_transfer_encoding_is_undone_on_request_only(encoding: str, data: bytes, expected: bytes) -> None:
    part = Part(ContentType("text/plain", charset=106), data, headers=(PartHeader("Content-Transfer-Encoding", encoding),))
    assert mms_pdu.content(part) == expected
    assert bytes(part.data) == data


def test_broken_base64_is_the_one_error() -> None:
    part = Part(ContentType("text/plain"), b"abc", headers=(PartHeader("content-transfer-encoding", " BASE64 "),))
    with pytest.raises(PduError) as caught:
        mms_pdu.content(part)
    assert caught.value.rule == "transfer-encoding"


def test_text_of_a_part() -> None:
    assert mms_pdu.text(Part(ContentType("text/plain"), "Ä".encode())) == "Ä"
    assert mms_pdu.text(Part(ContentType("text/plain", charset="iso-8859-1"), b"\xc4")) == "Ä"
    assert mms_pdu.text(Part(ContentType("text/plain", charset=1015), "\ufeffÄ".encode("utf_16_le"))) == "\ufeffÄ"
    assert mms_pdu.text(Part(ContentType("text/plain", charset=106), b"\xc4")) == "\ufffd"


def test_the_driver_is_a_construct() -> None:
    octets = encode(EXAMPLE)
    assert MMS_PDU.parse(octets) == EXAMPLE
    assert MMS_PDU.build(EXAMPLE) == octets
    push = construct.Struct("tid" / construct.Byte, "pdu" / MMS_PDU)
    assert push.parse(b"\x07" + octets).pdu == EXAMPLE


def test_a_multipart_alone_is_a_grammar() -> None:
    body = b"\x01\x01\x02\x83hi"
    (part,) = MULTIPART.parse(body)
    assert (part.content_type, bytes(part.data)) == (ContentType("text/plain"), b"hi")
    assert MULTIPART.build((part,)) == body
    assert MULTIPART.build(nested(3).parts) == encode(nested(3)).split(b"\x84\xa3", 1)[1]
    assert {type(leaf).__name__ for leaf in MULTIPART.inner()} >= {"UIntVar", "ContentTypeValue"}
    with pytest.raises(PduError) as caught:
        MULTIPART.parse(b"\x01\x01\x8f\xff\xff\x7f\x83hi")
    assert (caught.value.rule, caught.value.path) == ("part-beyond-data", "parts[0]")


def test_chunks_of_a_small_pdu_are_one() -> None:
    assert list(encode_chunks(AcknowledgeInd(transaction_id="T"))) == [b"\x8c\x85\x98T\x00\x8d\x92"]
    big = Part(ContentType("image/jpeg"), bytes(5000))
    pieces = list(encode_chunks(EXAMPLE.replace(parts=(big, EXAMPLE.parts[0], big))))
    assert [len(piece) for piece in pieces][1::2] == [5000, 5000]
    assert decode(b"".join(pieces)).parts[1] == EXAMPLE.parts[0]


def test_chunks_of_a_large_head_stand_alone() -> None:
    big = Part(ContentType("image/jpeg"), bytes(5000))
    pdu = decode(encode(EXAMPLE.replace(to=(Address("+15551230000/TYPE=PLMN"),) * 200, parts=(big,))))
    pieces = list(encode_chunks(pdu))
    assert len(pieces) == 2
    assert decode(b"".join(pieces)) == pdu


def test_a_notification_by_hand_reads_as_people_expect() -> None:
    pdu = decode(encode(NotificationInd(transaction_id="N", message_size=5, expiry=Relative(60), content_location="http://m/1")))
    assert isinstance(pdu, NotificationInd)
    assert (pdu.expiry, pdu.message_size, pdu.subject) == (Relative(60), 5, None)


def test_a_conf_without_message_id_is_a_conf() -> None:
    pdu = decode(b"\x8c\x81\x98T\0\x8d\x92\x92\xe0")
    assert isinstance(pdu, SendConf)
    assert (pdu.response_status, pdu.message_id, pdu.warnings) == (0xE0, None, ())


def test_depth_does_not_depend_on_the_recursion_limit() -> None:
    octets = encode(nested(8))
    limit = sys.getrecursionlimit()
    assert decode(octets) == nested(8)
    assert sys.getrecursionlimit() == limit

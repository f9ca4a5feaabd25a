"""The tables of `pdu_schema`: complete, in order, walkable; and the shared value vectors."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import construct
import pytest

from mmsproxy import pdu_schema as schema
from mmsproxy import wap_numbers as numbers
from mmsproxy.errors import PduError
from mmsproxy.pdu_schema import GRAMMARS, HEADER_BY_ATTR, HEADERS, PDU_BY_NUMBER, PDUS, Place
from mmsproxy.wap_numbers import MessageType, RetrieveStatus, fold_retrieve_status, label, media_number
from mmsproxy.wsp.choices import version_name
from mmsproxy.wsp.leaf import Leaf
from mmsproxy.wsp.parameters import PARAMETER_GRAMMARS
from mmsproxy.wsp.values import Absolute, Address, AddressKind, Counted, ElementDescriptor, MmFlags, Relative, Text


def every_leaf() -> Iterator[Leaf]:
    """All grammars that a header, a part header or a parameter can reach."""
    seen: set[int] = set()
    roots = [row.grammar for row in HEADERS]
    roots += [row.grammar(attr) for row in PDUS for attr in row.grammars]
    heap = [*roots, *schema.PART_GRAMMARS.values(), *PARAMETER_GRAMMARS.values(), *GRAMMARS.values()]
    while heap:
        leaf = heap.pop()
        if id(leaf) not in seen:
            seen.add(id(leaf))
            heap.extend(leaf.inner())
            yield leaf


def test_the_63_headers_stand_in_order_without_a_gap() -> None:
    assert [row.number for row in HEADERS] == list(range(0x81, 0xC0))
    assert len({row.name for row in HEADERS}) == len({row.attr for row in HEADERS}) == 63
    assert {row.version for row in HEADERS} == {"1.0", "1.1", "1.2", "1.3"}
    assert [row.version for row in HEADERS] == sorted(row.version for row in HEADERS)
    assert all(row.clause.startswith("7.3") for row in HEADERS)


def test_each_header_has_its_own_clause() -> None:
    exact = [row.clause for row in HEADERS if row.clause != "7.3"]
    assert len(exact) == len(set(exact)) == 57


def test_the_24_pdus_stand_in_order() -> None:
    assert [row.number for row in PDUS] == list(MessageType) == list(range(0x80, 0x98))
    assert [row.name for row in PDUS] == [label(member) for member in MessageType]


@pytest.mark.parametrize("row", PDUS, ids=lambda row: row.name)
def test_a_pdu_row_names_known_headers_once(row: schema.PduDef) -> None:
    placed = (*row.mandatory, *row.optional)
    assert len(placed) == len(set(placed))
    assert set(placed) <= set(HEADER_BY_ATTR)
    assert set(row.repeated) | set(row.any_of) | set(row.grammars) <= set(placed)


def test_places() -> None:
    send, conf = PDU_BY_NUMBER[MessageType.M_SEND_REQ], PDU_BY_NUMBER[MessageType.M_DELETE_CONF]
    assert [send.place(attr) for attr in ("message_type", "from_", "subject", "status")] == [
        Place.MANDATORY,
        Place.MANDATORY,
        Place.OPTIONAL,
        Place.OUT,
    ]
    assert conf.grammar("content_location") is schema.CONTENT_LOCATION_DEL
    assert send.grammar("subject") is schema.ENCODED_STRING
    assert [row.name for row in PDUS if row.has_body] == [
        "m-send-req",
        "m-retrieve-conf",
        "m-mbox-view-conf",
        "m-mbox-upload-req",
        "m-mbox-descr",
    ]


def test_every_grammar_is_a_construct_with_an_indexed_face() -> None:
    leaves = list(every_leaf())
    assert len(leaves) > 50
    for leaf in leaves:
        assert isinstance(leaf, construct.Construct)
        assert isinstance(leaf, Leaf)
        assert leaf.grammar, leaf
        assert leaf.clause.startswith(("WSP", "ENC")) or leaf.inner() == (), leaf


def test_no_banned_construct_and_no_lambda(root: Path) -> None:
    banned = {"VarInt", "CString", "NullTerminated", "GreedyRange", "GreedyString", "GreedyBytes", "Lambda"}
    files = [root / "mmsproxy" / "pdu_schema.py", *sorted((root / "mmsproxy" / "wsp").glob("*.py"))]
    for path in files:
        tree = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not names & banned, path
        assert not any(isinstance(node, ast.Lambda) for node in ast.walk(tree)), path
    assert not {type(leaf).__name__ for leaf in every_leaf()} & banned


def cases(root: Path) -> list[tuple[str, str, str]]:
    lines = (root / "tests" / "pdus" / "values.txt").read_text().splitlines()
    return [tuple(part.strip() for part in line.split("|")) for line in lines if line and line[0] != "#"]  # type: ignore[misc]


def assemble(notation: str) -> bytes:
    out = bytearray()
    for index, piece in enumerate(notation.split('"')):
        out += piece.encode() if index % 2 else bytes.fromhex(piece)
    return bytes(out)


def plain(value: Any) -> Any:
    if isinstance(value, Absolute | Relative):
        return {type(value).__name__.lower(): value.seconds}
    if hasattr(value, "parameters"):
        head = "reference" if isinstance(value, ElementDescriptor) else "media" if hasattr(value, "media") else "kind"
        return {head: getattr(value, head)} | {name: found for name, found, _ in value.parameters}
    if isinstance(value, Counted):
        return {"count": value.count, "value": plain(value.value)}
    if isinstance(value, MmFlags):
        return {"token": value.token, "keyword": value.keyword.text}
    return getattr(value, "text", value)


@pytest.mark.parametrize("case", cases(Path(__file__).resolve().parent.parent), ids=" ".join)
def test_single_values(case: tuple[str, str, str]) -> None:
    """`X.parse` and `X.read` agree; what is accepted is written back and read again alike."""
    name, notation, expected = case
    leaf, octets = GRAMMARS[name], assemble(notation)
    if expected.startswith("!"):
        with pytest.raises(PduError) as caught:
            leaf.parse(octets)
        assert caught.value.rule == expected[1:]
        assert 0 <= caught.value.offset <= len(octets)
        return
    value = leaf.parse(octets)
    assert plain(value) == json.loads(expected)
    assert leaf.read(b"\xff\xff" + octets + b"zz", 2, 2 + len(octets)) == (value, 2 + len(octets))
    again = leaf.build(value)
    assert plain(leaf.parse(again)) == plain(value)
    assert len(again) <= len(octets) + 1  # + 1: text octets without a Quote gain theirs


def test_each_grammar_refuses_the_wrong_type_with_the_one_error() -> None:
    wrong = object()
    for name, leaf in GRAMMARS.items():
        if name != "NO_VALUE":
            with pytest.raises(PduError):
                leaf.build(wrong)


def test_a_digest_has_16_octets_both_ways() -> None:
    with pytest.raises(PduError) as caught:
        schema.DIGEST.build("00ff")
    assert caught.value.rule == "digest-length"


def test_a_leaf_works_inside_stock_constructs() -> None:
    both = construct.Struct("a" / schema.TEXT_STRING, "b" / schema.LONG_INTEGER)
    parsed = both.parse(b"hi\0\x02\x01\x00rest")
    assert (parsed.a, parsed.b) == ("hi", 256)
    assert both.build({"a": "hi", "b": 256}) == b"hi\0\x02\x01\x00"


# --- the shared value vectors ----------------------------------------------------------------------------------------------------

_LEAVES = {
    "value-length": "VALUE_LENGTH",
    "boolean": "BOOLEAN",
    "date-value": "DATE_VALUE",
    "expiry": "TIME",
    "q-value": "Q_VALUE",
    "version": "VERSION_VALUE",
    "uri-value": "URI_VALUE",
    "media-type": "CONSTRAINED_MEDIA",
    "content-type": "CONTENT_TYPE",
    "charset-mib": "CHARSET",
    "encoded-string": "ENCODED_STRING",
    "from": "FROM",
    "address": "ADDRESS",
    "mm-flags": "MM_FLAGS",
    "previously-sent-by": "PREVIOUSLY_SENT_BY",
    "previously-sent-date": "PREVIOUSLY_SENT_DATE",
    "content-location": "CONTENT_LOCATION_DEL",
    "element-descriptor": "ELEMENT_DESCRIPTOR",
}


def as_published(kind: str, value: Any) -> Any:
    """Our value in the words of wsp-values.json."""
    simple: dict[str, Callable[[Any], Any]] = {
        "version": version_name,
        "from": lambda found: None if found == 0x81 else found.text,
        "message-class": label,
        "media-type": str.lower,  # media types compare without case; ours keeps what came
        "charset-mib": lambda found: found or "*",
        "encoded-string": lambda found: found.text,
        "expiry": plain,
        "mm-flags": lambda found: {"type": found.token, "text": found.keyword.text},
        "content-type": lambda found: {"media": found.media, "params": {name.lower(): one for name, one, _ in found.parameters}},
        "previously-sent-by": lambda found: {"count": found.count, "address": found.value.text},
        "previously-sent-date": lambda found: {"count": found.count, "date": found.value},
        "element-descriptor": lambda found: {"ref": found.reference, "type": media_number(found.get("type"))},
        # The octet is kept here and folded where something is decided; Gecko folds what is in no class while it reads.
        "retrieve-status": lambda found: found if found >= 0xC0 else fold_retrieve_status(found),
    }
    return simple.get(kind, lambda found: found)(value)


def from_published(kind: str, value: Any) -> Any:
    """A value of wsp-values.json in our shapes, for writing."""
    if kind == "expiry":
        return Absolute(value["absolute"])
    if kind == "from":
        return numbers.FromToken.INSERT_ADDRESS
    if kind == "message-class":
        return numbers.MessageClass[value.upper()]
    return Text(value) if kind == "encoded-string" else value


def address_as_published(address: Address) -> dict[str, str]:
    kind = address.kind
    return {"address": address.value, "type": address.type or (kind.value if kind is not AddressKind.RAW else "")}


@pytest.mark.needs_corpus
def test_the_shared_value_vectors(corpus: Path) -> None:
    vectors = json.loads((corpus / "wsp-values.json").read_text())["vectors"]
    done = 0
    for vector in vectors:
        kind = vector["kind"]
        if kind == "address-guess":  # policy of that project: a name becomes /TYPE=PLMN
            expected = {"PLMN": AddressKind.PLMN, "IPv4": AddressKind.IPV4, "IPv6": AddressKind.IPV6, "email": AddressKind.EMAIL}
            guessed = Address.parse(vector["value"])
            assert guessed.kind is (AddressKind.ALPHANUM if vector["value"].isalpha() else expected[vector["type"]])
            done += 1
            continue
        check_vector(vector)
        done += 1
    assert done == len(vectors) == 278


def check_vector(vector: dict[str, Any]) -> None:
    kind = vector["kind"]
    base = kind.split("(")[0]
    leaf = GRAMMARS[_LEAVES.get(base, base.upper().replace("-", "_"))]
    if kind == "content-location":
        leaf = schema.URI_VALUE
    if vector["op"] == "encode":
        assert leaf.build(from_published(kind, vector["value"])).hex() == vector["hex"], vector
        return
    octets = bytes.fromhex(vector["hex"])
    if kind == "address":
        address = leaf.parse(octets)
        if "error" in vector:
            assert address.kind is AddressKind.RAW, vector
        else:
            assert address_as_published(address) == vector["value"], vector
        return
    if "error" in vector:
        with pytest.raises(PduError):
            leaf.parse(octets)
        return
    value = leaf.parse(octets)
    if base == "content-location":
        found = {"uri": value} if isinstance(value, str) else {"status-count": value.count, "uri": value.value}
        assert found == vector["value"], vector
    else:
        assert as_published(kind, value) == vector["value"], vector


def test_statuses_that_are_reserved_keep_their_octet() -> None:
    assert schema.RETRIEVE_STATUS.parse(b"\xc9") == 0xC9
    assert schema.RETRIEVE_STATUS.parse(b"\xe2") is RetrieveStatus.ERROR_PERMANENT_MESSAGE_NOT_FOUND

"""Parts of one message: their key, what is missing, and their text and data joined."""

from __future__ import annotations

from dataclasses import replace

from mmsproxy.wire.sms_parts import PartKey, is_wap_push, joined_data, joined_text, missing, part_key, sequence
from mmsproxy.wire.sms_pdu import Address, Concatenation, Dcs, Deliver, Element, Ports, Timestamp, UserData

TIME = Timestamp(bytes.fromhex("62114211014240"))
PUSH = Ports(2948, 9200)


def part(body: bytes | str, place: Concatenation | None = None, *, dcs: int = 0x04, ports: Ports | None = None) -> Deliver:
    elements: list[Element] = [it.element() for it in (ports, place) if it]
    scheme = Dcs(dcs)
    user_data = UserData.of_text(body, scheme, elements) if isinstance(body, str) else UserData.of_data(body, elements)
    return Deliver(originator=Address.of("+4917012345"), timestamp=TIME, user_data=user_data, dcs=scheme)


def test_the_key_is_sender_reference_total_and_ports() -> None:
    assert part_key(part(b"x", Concatenation(7, 3, 2), ports=PUSH)) == PartKey("+4917012345", 7, 3, PUSH)
    assert part_key(part(b"x", Concatenation(0x9F8E, 3, 1, 16))) == PartKey("+4917012345", 0x9F8E, 3, None)
    other = replace(part(b"x", Concatenation(7, 3, 2), ports=PUSH), originator=Address.of("2211"))
    assert part_key(other) != part_key(part(b"x", Concatenation(7, 3, 2), ports=PUSH))


def test_a_message_of_its_own_has_no_key() -> None:
    assert part_key(part(b"x")) is None
    assert part_key(part(b"x", Concatenation(7, 1, 1))) is None


def test_what_is_missing() -> None:
    first, third = part(b"x", Concatenation(7, 4, 1)), part(b"x", Concatenation(7, 4, 3))
    assert missing([third, first]) == (2, 4)
    assert missing([part(b"x")]) == ()
    assert missing([]) == (1,)
    assert (sequence(third), sequence(part(b"x"))) == (3, 1)


def test_data_is_joined_in_order() -> None:
    parts = [part(b"lo", Concatenation(7, 2, 2), ports=PUSH), part(b"hel", Concatenation(7, 2, 1), ports=PUSH)]
    assert joined_data(parts) == b"hello"
    assert joined_text(parts) is None


def test_a_surrogate_pair_that_the_sender_cut_is_whole_again() -> None:
    parts = [part(b"\x00A\xd8\x3d", Concatenation(7, 2, 1), dcs=8), part(b"\xde\x00", Concatenation(7, 2, 2), dcs=8)]
    assert joined_text(parts) == "A😀"
    assert parts[0].text == "A\ufffd"


def test_an_escape_that_the_sender_cut_is_whole_again() -> None:
    header = "0500030702"
    first = bytes.fromhex(header + "01" + "36")  # fill bit, then the escape
    second = bytes.fromhex(header + "02" + "ca")  # fill bit, then 65
    parts = [
        replace(
            part(b"", Concatenation(7, 2, index), dcs=0),
            user_data=UserData(8, octets, part(b"", Concatenation(7, 2, index)).user_data.header),
        )
        for index, octets in ((1, first), (2, second))
    ]
    assert joined_text(parts) == "€"


def test_parts_in_different_alphabets() -> None:
    parts = [part("hello ", Concatenation(7, 2, 1), dcs=0), part("Ж", Concatenation(7, 2, 2), dcs=8)]
    assert joined_text(parts) == "hello Ж"
    assert joined_text([]) == ""


def test_wap_push_is_known_by_the_destination_port_only() -> None:
    assert is_wap_push(part(b"x", ports=PUSH))
    assert is_wap_push(part(b"x", ports=Ports(2948, 1)))
    assert not is_wap_push(part(b"x", ports=Ports(9200, 2948)))
    assert not is_wap_push(part(b"x"))

"""The SMIL part is exactly what delivery.md 7 says, and names every part once."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from mmsproxy.message import smil

EXPECTED = (
    b'<smil><head><layout><root-layout/><region id="Text" top="0" left="0" height="100%" width="100%"/></layout></head>'
    b'<body><par dur="5000ms"><text src="text.000000.txt" region="Text"/></par></body></smil>'
)


def test_the_slide_of_a_text() -> None:
    assert smil.text_slide("text.000000.txt") == EXPECTED


def test_it_is_xml_whose_only_medium_is_the_part_in_a_declared_region() -> None:
    tree = ElementTree.fromstring(smil.text_slide("text.000000.txt"))
    media = [(node.tag, dict(node.attrib)) for node in tree.iter() if "src" in node.attrib]
    assert media == [("text", {"src": "text.000000.txt", "region": "Text"})]
    assert [region.get("id") for region in tree.iter("region")] == ["Text"]


@pytest.mark.parametrize("name", ["", 'a"b.txt', "a<b", "a&b", "../x", "\u00e9.txt", "a b", "x" * 41])
def test_a_name_that_is_not_ours_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="part name"):
        smil.text_slide(name)

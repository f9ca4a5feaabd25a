"""The SMIL part is exactly what delivery.md 7 says, and names every part once."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from mmsproxy.message import smil

EXPECTED = (
    b'<smil><head><layout><root-layout/><region id="Text" top="0" left="0" height="100%" width="100%"/></layout></head>'
    b'<body><par dur="5000ms"><text src="text.000000.txt" region="Text"/></par></body></smil>'
)


def text_slide(source: str) -> bytes:
    return smil.slides(((smil.Shown("text", source),),))


def test_the_slide_of_a_text() -> None:
    assert text_slide("text.000000.txt") == EXPECTED


def test_it_is_xml_whose_only_medium_is_the_part_in_a_declared_region() -> None:
    tree = ElementTree.fromstring(text_slide("text.000000.txt"))
    media = [(node.tag, dict(node.attrib)) for node in tree.iter() if "src" in node.attrib]
    assert media == [("text", {"src": "text.000000.txt", "region": "Text"})]
    assert [region.get("id") for region in tree.iter("region")] == ["Text"]


@pytest.mark.parametrize("name", ["", 'a"b.txt', "a<b", "a&b", "../x", "\u00e9.txt", "a b", "x" * 41])
def test_a_name_that_is_not_ours_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="part name"):
        text_slide(name)


IMAGE, VIDEO, AUDIO, CARD = (
    smil.Shown("image", "image000000.jpg"),
    smil.Shown("video", "video000000.mp4", 12_000),
    smil.Shown("audio", "audio000000.amr", 7_000),
    smil.Shown("contact", "contact000000.vcf"),
)
TEXT = smil.Shown("text", "text.000000.txt")


def test_a_picture_with_its_caption_is_one_par_with_two_regions() -> None:
    shown = smil.slides(smil.pages((IMAGE,), TEXT, text_first=False))
    assert shown == (
        b'<smil><head><layout><root-layout/><region id="Image" top="0" left="0" height="80%" width="100%" fit="meet"/>'
        b'<region id="Text" top="80%" left="0" height="20%" width="100%" fit="scroll"/></layout></head>'
        b'<body><par dur="5000ms"><img src="image000000.jpg" region="Image"/>'
        b'<text src="text.000000.txt" region="Text"/></par></body></smil>'
    )


def test_text_first_is_above() -> None:
    shown = smil.slides(smil.pages((IMAGE,), TEXT, text_first=True), text_first=True)
    tops = {region.get("id"): region.get("top") for region in ElementTree.fromstring(shown).iter("region")}
    assert tops == {"Image": "20%", "Text": "0"}


@pytest.mark.parametrize(
    ("media", "text", "expected"),
    [
        ((IMAGE, VIDEO), TEXT, ((IMAGE, TEXT), (VIDEO,))),
        ((IMAGE, AUDIO), TEXT, ((IMAGE, AUDIO, TEXT),)),
        ((AUDIO, IMAGE), None, ((AUDIO, IMAGE),)),
        ((VIDEO, AUDIO), TEXT, ((VIDEO, TEXT), (AUDIO,))),
        ((CARD,), TEXT, ((TEXT,), (CARD,))),
        ((CARD, IMAGE), None, ((CARD,), (IMAGE,))),
        ((), TEXT, ((TEXT,),)),
    ],
)
def test_what_is_shown_together(media: tuple[smil.Shown, ...], text: smil.Shown | None, expected: tuple[smil.Page, ...]) -> None:
    assert smil.pages(media, text, text_first=False) == expected


def test_a_page_lasts_as_long_as_its_longest_medium() -> None:
    tree = ElementTree.fromstring(smil.slides(smil.pages((VIDEO, CARD, IMAGE, AUDIO), None, text_first=False)))
    assert [par.get("dur") for par in tree.iter("par")] == ["12000ms", "5000ms", "7000ms"]


def test_the_sources_of_any_well_formed_smil() -> None:
    text = "<smil a='src=\"no\"'>\n<img\n src = 'a.jpg'/><text src=\"b\" xsrc='c' x:src='d'/> src='e' </smil>"
    assert smil.sources(text) == ("a.jpg", "b")
    assert smil.renamed(text, {"a.jpg": "x.jpg", "b": "y"}).decode() == text.replace(" src = 'a.jpg'", ' src="x.jpg"').replace('"b"', '"y"')

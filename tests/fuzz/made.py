"""PDUs made at random by our own encoder: seeds for the fuzzers, and what the oracle reads. Deterministic for a given `random.Random`.

Values are those of the schema's grammars; every header that a type may hold is there with a chance of one half, mandatory ones always.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from mmsproxy import pdu_schema as schema
from mmsproxy.wap_numbers import FromToken
from mmsproxy.wire import mms_pdu, sms_compose, sms_pdu, wap_push
from mmsproxy.wire.forms import FORMS
from mmsproxy.wire.mms_pdu import ContentType, Disposition, Header, Parameter, Part, PartHeader, Pdu
from mmsproxy.wsp import choices, encoded, integers, parameters, texts
from mmsproxy.wsp.leaf import Leaf
from mmsproxy.wsp.values import Absolute, Address, ElementDescriptor, Relative, Text

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ADDRESSES = (
    "+15551230000/TYPE=PLMN",
    "10.0.0.1/TYPE=IPv4",
    "::8/TYPE=IPv6",
    "a.b@example.org",
    "Joe User <joe@example.org>",
    "2211",
    "*100",
)
MEDIA = ("text/plain", "image/jpeg", "application/smil", "audio/amr", "video/3gpp", "text/x-vCard", "application/octet-stream")
CHARSETS = (106, 4, 1000, 2026, 17)


def word(rand: random.Random, most: int = 12) -> str:
    """Letters and digits."""
    return "".join(rand.choices(ALPHABET, k=rand.randint(1, most)))


def text(rand: random.Random, ascii_only: bool) -> str:
    """A few words, by chance in another script."""
    words = " ".join(word(rand) for _ in range(rand.randint(1, 4)))
    return words if ascii_only else rand.choice((words, words + " Grüße", "Ärg " + words, "日本語 " + words, words + " 😀"))


class Maker:
    """Makes values and PDUs. `ascii_only`: nothing outside ASCII and no pictures, of which the oracle reads more than the MMS."""

    def __init__(self, rand: random.Random, *, ascii_only: bool = False) -> None:
        self.rand = rand
        self.ascii_only = ascii_only

    def value(self, leaf: Leaf) -> Any:
        """A value that the grammar can hold, of the kind that decoding gives."""
        rand = self.rand
        if isinstance(leaf, choices.Assigned):
            return rand.choice(list(leaf.values))
        if isinstance(leaf, choices.Boolean):
            return rand.random() < 0.5
        if isinstance(leaf, choices.VersionValue):
            return rand.choice((0x90, 0x91, 0x92, 0x93))
        if isinstance(leaf, encoded.AddressValue):
            return Address(rand.choice(ADDRESSES))
        if isinstance(leaf, encoded.EncodedString):
            return Text(text(rand, self.ascii_only))
        return self._other(leaf)

    def _other(self, leaf: Leaf) -> Any:
        rand = self.rand
        if isinstance(leaf, schema.FromValue):
            return rand.choice((FromToken.INSERT_ADDRESS, Address(rand.choice(ADDRESSES))))
        if isinstance(leaf, schema.TimeValue):
            return rand.choice((Absolute(rand.randrange(2**31)), Relative(rand.randrange(2**24))))
        if isinstance(leaf, schema.General):
            return leaf.make(*(self.value(inner) for inner in leaf.fields.values()))
        if isinstance(leaf, schema.CountedOrPlain):
            return self.value(leaf.counted)
        if isinstance(leaf, schema.MessageClassValue):
            return rand.choice((self.value(leaf.IDENTIFIER), word(rand)))
        if isinstance(leaf, schema.HeaderName):
            return rand.choice([row.number for row in schema.HEADERS])
        if isinstance(leaf, texts.TextString):
            return word(rand) if isinstance(leaf, texts.TokenText) else f"http://mmsc.example/{word(rand)}"
        if isinstance(leaf, parameters.ElementDescriptorValue):
            return ElementDescriptor(word(rand), (Parameter("type", "image/jpeg", 2),))
        if isinstance(leaf, parameters.ContentTypeValue):
            return self.content_type()
        if isinstance(leaf, parameters.DispositionValue):
            return Disposition(rand.choice(("attachment", "inline", "form-data")), filename=word(rand))
        if isinstance(leaf, choices.Opaque):
            return bytes((0x80 | rand.randrange(128),))
        if isinstance(leaf, (integers.LongInteger, integers.IntegerValue)):
            return rand.choice((rand.randrange(128), rand.randrange(2**16), rand.randrange(2**31)))
        raise AssertionError(f"no values for {leaf.grammar}")

    def content_type(self) -> ContentType:
        """Of a leaf part."""
        rand = self.rand
        media = rand.choice([media for media in MEDIA if not (self.ascii_only and media.startswith("image/"))])
        named: dict[str, Any] = {"charset": rand.choice(CHARSETS)} if media.startswith("text/") and rand.random() < 0.8 else {}
        return ContentType(media, name=word(rand), **named) if rand.random() < 0.5 else ContentType(media, **named)

    def part(self, depth: int = 0) -> Part:
        """A leaf, or a multipart with parts in it."""
        rand = self.rand
        if depth and rand.random() < 0.15:
            kind = ContentType("application/vnd.wap.multipart.alternative")
            return Part(kind, parts=tuple(self.part(depth - 1) for _ in range(rand.randint(1, 3))))
        kind = self.content_type()
        return Part(
            kind,
            self.data(kind.media),
            content_id=rand.choice((None, f"<{word(rand)}>")),
            content_location=rand.choice((None, word(rand))),
            content_disposition=rand.choice((None, Disposition("inline"), Disposition("attachment", filename="a.jpg"))),
            headers=(PartHeader("Content-Transfer-Encoding", "binary"),) if rand.random() < 0.2 else (),
        )

    def data(self, media: str) -> bytes:
        """What a part of this type holds; never nothing where the oracle reads, which breaks off there."""
        rand = self.rand
        if media == "application/smil":
            return b"<smil/>"
        if media.startswith("text/"):
            return word(rand, 60).encode() + b"\r\n"
        return rand.randbytes(rand.choice((1 if self.ascii_only else 0, 1, 7, 200)))

    def pdu(self, cls: type[Pdu], *, extra: bool = True, depth: int = 2) -> Pdu:
        """One PDU of a class."""
        form, rand = FORMS[int(cls.TYPE)], self.rand
        row = form.row
        assert row is not None
        fields: dict[str, Any] = {}
        for attr in (*row.mandatory, *row.optional):
            if attr in ("message_type", "content_type") or (attr not in row.mandatory and rand.random() < 0.5):
                continue
            leaf = row.grammar(attr)
            fields[attr] = tuple(self.value(leaf) for _ in range(rand.randint(1, 3))) if attr in row.repeated else self.value(leaf)
        if row.any_of and not any(attr in fields for attr in row.any_of):
            fields[row.any_of[0]] = (Address(ADDRESSES[0]),)
        if "content_type" in row.mandatory or (row.has_body and rand.random() < 0.5):
            fields |= self._body(depth)
        if extra and rand.random() < 0.2:
            fields["extra"] = (Header("X-Scanned-By", word(rand)), Header(0xC5, b"\x80"))
        return cls(**fields)

    def _body(self, depth: int) -> dict[str, Any]:
        mixed = ContentType("application/vnd.wap.multipart.mixed")
        related = ContentType("application/vnd.wap.multipart.related", type="application/smil", start="<smil>")
        kind = self.rand.choice((mixed, related))
        return {"content_type": kind, "parts": tuple(self.part(depth) for _ in range(self.rand.randint(1, 4)))}


def mms_seeds(rand: random.Random, rounds: int = 3) -> list[bytes]:
    """PDUs of every type."""
    maker = Maker(rand)
    return [mms_pdu.encode(maker.pdu(form.cls)) for _ in range(rounds) for form in FORMS.values()]


def push_seeds(rand: random.Random) -> list[bytes]:
    """Pushes of MMS in the four forms of the content type, and of something else."""
    bodies = [mms_pdu.encode(Maker(rand).pdu(FORMS[number].cls)) for number in (0x82, 0x86, 0x88, 0x96)]
    heads = ("0603BEAF84", "0605BEAF848D81", "07" + "04" + "01BE" + "AF84", "0601AE")
    textual = b"\x06\x22application/vnd.wap.mms-message\0\xaf\x84"
    general = b"\x06\x24\x1f\x22application/vnd.wap.mms-message\0\x81\x84"
    made = [bytes((rand.randrange(256),)) + head + body for head in (*map(bytes.fromhex, heads), textual, general) for body in bodies]
    return [*made, *(wap_push.encode(wap_push.mms_push(body)) for body in bodies)]


def tpdu_seeds(rand: random.Random) -> list[bytes]:
    """DELIVERs, SUBMITs and STATUS-REPORTs, with and without service centre."""
    bodies = [
        *sms_compose.text_bodies("hello [€]", reference=1),
        *sms_compose.text_bodies("日本😀", reference=1),
        *sms_compose.text_bodies("long text " * 40, reference=2, reference_bits=16),
        *sms_compose.text_bodies("ığüşöç", reference=3, languages=(1,)),
        *sms_compose.data_bodies(rand.randbytes(200), reference=4, ports=sms_compose.WAP_PUSH),
    ]
    when = datetime(2025, 11, 22, 22, 17, 36, tzinfo=UTC)
    made: list[bytes] = []
    for smsc in (None, sms_pdu.ServiceCentre(), sms_pdu.ServiceCentre.of("+491710760000")):
        made += [sms_pdu.encode(tpdu) for tpdu in sms_compose.delivers("+15551230000", bodies, when=when, smsc=smsc)]
        made += [sms_pdu.encode(tpdu) for tpdu in sms_compose.delivers("Carrier", bodies[:1], when=when, smsc=smsc)]
        made += [sms_pdu.encode(tpdu) for tpdu in sms_compose.submits("2211", bodies, report=True, smsc=smsc)]
    report = "062A0B915155210300F0521122227163005211222271630000"
    return [*made, bytes.fromhex("00" + report), bytes.fromhex(report), bytes.fromhex(report + "07000401AA")]

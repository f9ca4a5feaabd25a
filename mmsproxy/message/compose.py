"""From what a person means to the M-Send.req that says it (delivery.md 7, mms.md 10).

Rule 1: pure: the Transaction-ID and the date come in, so the same content composes to the same octets at every try.
Rule 2: one content is one PDU, whatever the length of its text: size is the carrier's limit to judge, not this module's.
Rule 3: the sender is left to the MMSC (insert-address): operators refuse any other.
Rule 4: parts have names of ours; a user's file name stands in the `name` parameter only, clean.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmsproxy.message import smil
from mmsproxy.message.length import milliseconds
from mmsproxy.message.media import File, clean_name
from mmsproxy.message.model import InvalidRequest, Mistake
from mmsproxy.message.smil import Shown
from mmsproxy.wap_numbers import MessageClass, MmsVersion, Priority
from mmsproxy.wire.mms_pdu import Address, ContentType, Part, Relative, SendReq, Text

RELATED = "application/vnd.wap.multipart.related"
UTF_8 = 106  # IANA MIBenum
EXPIRY_SECONDS = 604_800  # 7 days: the longest that carriers keep a message for a phone that is off
MAX_TRANSACTION_ID = 40  # characters (mms.md 10)

_PRIORITIES = {"low": Priority.LOW, "normal": Priority.NORMAL, "high": Priority.HIGH}


@dataclass(frozen=True, slots=True)
class Content:
    """What one M-Send.req says.

    recipients  numbers, all in To; several are a group
    files       recognised and fitted, in the order in which they are shown
    layout      auto, text_first, image_first or custom (then `smil` names each part, by part name or by file name)
    priority    low, normal or high
    expiry      seconds for which the carrier keeps it
    """

    recipients: tuple[str, ...]
    text: str | None = None
    subject: str | None = None
    files: tuple[File, ...] = ()
    layout: str = "auto"
    smil: str | None = None
    delivery_report: bool = False
    read_report: bool = False
    priority: str = "normal"
    expiry: int = EXPIRY_SECONDS


@dataclass(frozen=True, slots=True)
class _Named:
    """A file with the Content-Location of its part."""

    location: str
    file: File

    @property
    def stem(self) -> str:
        return self.location.rpartition(".")[0]


def compose(content: Content, *, transaction_id: str, date: int) -> SendReq:
    """The message as one M-Send.req, all recipients in To.

    transaction_id  unique for this gateway: 1 to 40 printable ASCII characters, else ValueError
    date            seconds since 1970, UTC

    Raises InvalidRequest when a custom SMIL does not name each part once.
    """
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{MAX_TRANSACTION_ID}}}", transaction_id):
        raise ValueError(f"{transaction_id!r} is no Transaction-ID: 1 to {MAX_TRANSACTION_ID} printable ASCII characters are wanted")
    return SendReq(
        transaction_id=transaction_id,
        mms_version=MmsVersion.V1_2,
        date=date,
        to=tuple(Address(f"{number}/TYPE=PLMN") for number in content.recipients),
        subject=None if content.subject is None else Text(content.subject),
        message_class=MessageClass.PERSONAL,
        expiry=Relative(content.expiry),
        priority=_PRIORITIES[content.priority],
        delivery_report=True if content.delivery_report else None,
        read_report=True if content.read_report else None,
        content_type=ContentType(RELATED, type=smil.CONTENT_TYPE, start=f"<{smil.CONTENT_ID}>"),
        parts=_parts(content),
    )


def _parts(content: Content) -> tuple[Part, ...]:
    """The SMIL, then the parts in the order in which it names them."""
    named = _named(content)
    slide = _custom(content.smil, named) if content.layout == "custom" and content.smil is not None else _laid_out(content, named)
    by_location = {item.location: item for item in named}
    order = smil.sources(slide.decode())
    head = Part(ContentType(smil.CONTENT_TYPE), slide, content_id=f"<{smil.CONTENT_ID}>", content_location=smil.CONTENT_LOCATION)
    return (head, *(_part(by_location[location]) for location in order))


def _named(content: Content) -> tuple[_Named, ...]:
    """Every file with its name, the text first: `text.000000.txt`, `image000000.jpg`."""
    text = () if content.text is None else (File("text/plain", content.text.encode()),)
    counted: Counter[str] = Counter()
    found = []
    for file in (*text, *content.files):
        kind = file.kind
        found.append(_Named(f"{'text.' if kind == 'text' else kind}{counted[kind]:06}.{file.ending}", file))
        counted[kind] += 1
    return tuple(found)


def _laid_out(content: Content, named: Sequence[_Named]) -> bytes:
    shown = [Shown(item.file.kind, item.location, _length(item.file)) for item in named]
    text = None if content.text is None else shown.pop(0)
    text_first = content.layout == "text_first"
    return smil.slides(smil.pages(shown, text, text_first=text_first), text_first=text_first)


def _length(file: File) -> int | None:
    return milliseconds(file.data) if file.kind in ("audio", "video") else None


def _custom(wanted: str, named: Sequence[_Named]) -> bytes:
    """The user's SMIL with our names. A part may be called by its file name, by its name here with any ending, or by cid:."""
    places = {source: _meant(source, named) for source in smil.sources(wanted)}
    unknown = [source for source, item in places.items() if item is None]
    meant = [item.location for item in places.values() if item is not None]
    missing = [item.location for item in named if item.location not in meant]
    if unknown or missing or len(set(meant)) != len(meant):
        wrong = f"{ascii(unknown[0])[:60]} is no part" if unknown else f"{missing[0]} is not named" if missing else "a part is named twice"
        names = ", ".join(item.location for item in named)
        raise InvalidRequest((Mistake("/smil", "smil_mismatch", f"{wrong}; each of these stands in the SMIL once: {names}"),))
    return smil.renamed(wanted, {source: item.location for source, item in places.items() if item is not None})


def _meant(source: str, named: Sequence[_Named]) -> _Named | None:
    name = source.removeprefix("cid:").removeprefix("./")
    by_name = [item for item in named if name in (item.location, item.stem) or name.rpartition(".")[0] == item.stem]
    by_file = [item for item in named if item.file.filename is not None and item.file.filename == clean_name(name, item.file.content_type)]
    found = by_name or by_file
    return found[0] if len(found) == 1 else None


def _part(item: _Named) -> Part:
    media = item.file.content_type
    is_text = media.lower().startswith("text/")
    named: dict[str, Any] = {"charset": UTF_8} if is_text else {}
    if item.file.filename is not None:
        named["name"] = item.file.filename
    return Part(
        ContentType(media, (), **named),
        item.file.data,
        content_id=f"<{item.stem}>",
        content_location=item.location,
    )

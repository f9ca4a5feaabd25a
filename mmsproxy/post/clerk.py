"""The clerk at the counter: from what a person asks for to the rows that are kept, and later from a row to the octets that leave.

Rule 1: whatever is wrong with a message is found here, before anything is kept: media are recognised and fitted, the PDU is composed once
to know its size. Rule 2: what leaves is composed from what was kept, so a message is the same whenever its turn comes. Rule 3: the choice
between SMS and MMS is made once, at the counter, and `preview` makes the same one.
It knows no HTTP, no SQL and no modem; fetching a `media.url` is a callable.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from mmsproxy.config_post import OutboxConfig
from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.message.compose import Content, compose
from mmsproxy.message.media import File, recognise
from mmsproxy.message.model import MediaItem, SendRequest
from mmsproxy.post.admission import Known, Refusal, Refused, check, choose_line
from mmsproxy.post.caps import exceeded
from mmsproxy.post.choice import Choice, choose
from mmsproxy.post.fitter import Fitter, TooLarge
from mmsproxy.post.job import Fallback, Kind, Priority
from mmsproxy.post.outbox import Parcel, SendingLine
from mmsproxy.post.records import Accepted, Draft, IdempotencyKey, Message, NewMedia, Pdu
from mmsproxy.post.sms import compose_sms
from mmsproxy.post.store import Store
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.mms_pdu import SendReq
from mmsproxy.wire.sms_split import MAX_PARTS, count_parts

LARGEST_PDU = 2 * 1024 * 1024  # octets; what the codec and the MM1 door take: more is refused on a line whose carrier's limit is not known
USUAL_PDU = 307_200  # octets that every carrier takes (delivery.md 7): what pictures are fitted to there
THREAD_FROM = 16_384  # octets; a larger message is composed beside the event loop
MAX_MEDIA = 16 * 1024 * 1024  # octets of all files of one message as they came: what the web door takes in one body
EXPIRY_SECONDS = 604_800  # 7 days that the carrier may keep it for a phone that is off (delivery.md 7)
LONG_TEXT = 1600  # characters; what the large gateways cut at (delivery.md 7)
VERY_LONG_TEXT = 5000
LONG_SUBJECT = 40  # characters; what some phones show (mms.md 10)

Fetch = Callable[[str], Awaitable[tuple[str, bytes]]]
Warnings = tuple[Mapping[str, object], ...]


class ClerkLine(Protocol):
    """What the clerk needs of carrier.line.Line."""

    @property
    def name(self) -> str: ...

    @property
    def max_size(self) -> int | None: ...

    @property
    def sms(self) -> object | None: ...


@dataclass(frozen=True, slots=True)
class _Offer:
    """A request that can be accepted.

    choice    SMS or MMS, and why
    drafts    one message, or one for each recipient
    send_req  the first M-Send.req as it would be composed now; None for SMS
    limit     the octets that the line takes
    """

    choice: Choice
    drafts: list[Draft]
    send_req: SendReq | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent.

    kind, why    SMS or MMS, and what decided that (choice.py)
    line         "" for any line
    messages     how many messages it becomes; `units` what they cost of the caps
    pdu          of the first MMS as it would leave; None for SMS
    size_limit   octets that the line takes; None for SMS
    sms_parts, sms_encoding   how the text goes, or would go, as SMS; 0 and "" without text
    """

    kind: Kind
    why: str
    line: str
    messages: int
    units: int
    pdu: bytes | None
    size_limit: int | None
    sms_parts: int
    sms_encoding: str
    warnings: tuple[Mapping[str, object], ...]


class Clerk:
    """`lines` are the gateway's lines with their own numbers; `simulated` names those behind which there is no carrier."""

    def __init__(
        self,
        store: Store,
        lines: Iterable[ClerkLine],
        fitter: Fitter,
        *,
        numbers: Mapping[str, str | None],
        outbox: OutboxConfig,
        simulated: frozenset[str] = frozenset(),
        fetch: Fetch | None = None,
    ) -> None:
        self._store = store
        self._lines = {line.name: line for line in lines}
        self._fitter = fitter
        self._numbers = numbers
        self._outbox = outbox
        self._simulated = simulated
        self._fetch = fetch

    # At the counter.

    async def submit(self, wanted: SendRequest, *, token: str | None = None, key: IdempotencyKey | None = None) -> Accepted:
        """Keeps the message, or one for each recipient, in one commit with the key.

        Raises Refused, UnsupportedMedia, TooLarge, IdempotencyConflict, StoreFull, StoreUnavailable; nothing is kept then.
        """
        if key is not None and (known := await self._store.replayed(key)) is not None:
            return known  # a repeat gets the first answer, though its time or its media may be gone by now
        self._store.check_intake()
        offer = await self._offer(wanted, token)
        return await self._store.accept(offer.drafts, key=key)

    async def preview(self, wanted: SendRequest) -> Preview:
        """What `submit` would keep; nothing is kept, nothing leaves. Raises as it does, but for full stores and caps."""
        offer = await self._offer(wanted, None)
        first, sms = offer.drafts[0], offer.choice.sms
        return Preview(
            kind=first.kind,
            why=offer.choice.why,
            line=first.line,
            messages=len(offer.drafts),
            units=sum(draft.cost for draft in offer.drafts),
            pdu=None if offer.send_req is None else await _encode(offer.send_req, first.size),
            size_limit=offer.limit,
            sms_parts=offer.choice.parts,
            sms_encoding="" if sms is None else sms.encoding.value,
            warnings=first.warnings,
        )

    async def _offer(self, wanted: SendRequest, token: str | None) -> _Offer:
        """Everything but keeping it. Raises as `submit` does."""
        line = choose_line(wanted.line, self._numbers)
        self._check_time(wanted)
        choice = await self._choice(wanted, line)
        groups = [wanted.recipients] if wanted.is_group else [(number,) for number in wanted.recipients]
        self._check_recipients(wanted.recipients, is_one=wanted.is_group)
        self._check_cost(choice)
        draft = self._draft(wanted, line, choice, token)
        if choice.kind is Kind.SMS:
            return _Offer(choice, self._each(draft, groups))
        files, shrunk = await self._fitted(wanted, draft, groups[0])
        send_req = self._compose(_content(draft, groups[0], files))
        size, limit = _size(send_req), self.limit(line)
        if size > limit:
            raise TooLarge(size, limit, tuple(f"/media/{n}" for n in range(len(files))) or ("/text",))
        media = tuple(NewMedia(file.content_type, file.data, file.filename) for file in files)
        draft = replace(draft, media=media, warnings=(*draft.warnings, *shrunk), size=size)
        return _Offer(choice, self._each(draft, groups), send_req, limit)

    async def _choice(self, wanted: SendRequest, line: str) -> Choice:
        """A text that no way can carry is not even counted: counting a megabyte takes most of a second, beside the event loop."""
        octets = len((wanted.text or "").encode())
        if octets > self.limit(line):
            raise TooLarge(octets, self.limit(line), ("/text",))
        made = partial(choose, wanted, sms_parts=self._outbox.sms_parts, auto=self._outbox.auto, has_sms=self._has_sms(line))
        return made() if octets < THREAD_FROM else await asyncio.to_thread(made)

    def _check_cost(self, choice: Choice) -> None:
        """A message over a whole cap could never leave."""
        over = exceeded(self._store.limits.caps, choice.cost)
        if over is not None:
            detail = f"{choice.cost} SMS parts, where limits.{over.cap} of config.yaml allows {over.limit}; write as: mms"
            raise Refused((Refusal("/text", "too_large", detail),))

    async def _fitted(self, wanted: SendRequest, draft: Draft, numbers: tuple[str, ...]) -> tuple[tuple[File, ...], Warnings]:
        """The media as they will leave, and what was done to them."""
        limit, came = self.limit(draft.line), await self._files(wanted.media)
        bare = replace(_content(draft, numbers, ()), layout="auto", smil=None)
        others = _size(self._compose(bare)) + len((wanted.smil or "").encode())
        if others > limit:
            raise TooLarge(others, limit, ("/text",))
        usual = self.limit(draft.line, unknown=USUAL_PDU)
        if others < usual < limit:
            with suppress(TooLarge):  # the carrier may take more than all carriers do
                return await self._fitter.fit_all(came, usual, others, wanted.shrink)
        return await self._fitter.fit_all(came, limit, others, wanted.shrink)

    def limit(self, line: str, *, unknown: int = LARGEST_PDU) -> int:
        """Octets of a whole PDU that the line takes; of every line, where any may send it. `unknown` is that of a carrier without limit."""
        return min(min(item.max_size or unknown, LARGEST_PDU) for item in self._lines.values() if line in ("", item.name))

    def _has_sms(self, line: str) -> bool:
        return any(item.sms is not None for item in self._lines.values() if line in ("", item.name))

    async def _files(self, media: Sequence[MediaItem]) -> list[File]:
        files, total = list[File](), 0
        for n, item in enumerate(media):
            files.append(await self._file(n, item))
            total += len(files[-1].data)
            if total > MAX_MEDIA:
                raise TooLarge(total, MAX_MEDIA, (f"/media/{n}",), "the files of one message, before anything is shrunk")
        return files

    async def _file(self, n: int, item: MediaItem) -> File:
        try:
            claimed, data = await self._octets(n, item)
            return await asyncio.to_thread(recognise, data, claimed, item.filename)
        except MmsproxyError as error:
            if isinstance(error, Refused) or error.fault is not Fault.CALLER:
                raise
            raise Refused((Refusal(f"/media/{n}", error.code, str(error)),)) from None

    async def _octets(self, n: int, item: MediaItem) -> tuple[str | None, bytes]:
        if item.data is not None:
            return item.content_type, item.data
        if self._fetch is None or item.url is None:
            detail = "media.url is not fetched; send the file itself as data, or list its host in media.fetch of config.yaml"
            raise Refused((Refusal(f"/media/{n}/url", "media_fetch_failed", detail),))
        try:
            content_type, data = await self._fetch(item.url)
        except MmsproxyError as error:
            raise Refused((Refusal(f"/media/{n}/url", "media_fetch_failed", str(error)),)) from None
        return item.content_type or content_type, data

    def _check_time(self, wanted: SendRequest) -> None:
        if wanted.send_at is not None and wanted.send_at.timestamp() <= self._store.database.now():
            detail = "send_at is over; leave it out to send at once"
            raise Refused((Refusal("/send_at", "expired_schedule", detail),))

    def _check_recipients(self, numbers: tuple[str, ...], *, is_one: bool) -> None:
        """What can be said of the numbers before anything is made; opt-outs and caps are the store's to know."""
        rules = self._store.rules if is_one else replace(self._store.rules, recipients=0)  # else each message has one
        check(numbers, 0, rules, Known(), self._store.database.now())

    def _each(self, draft: Draft, groups: Sequence[tuple[str, ...]]) -> list[Draft]:
        batch = self._store.database.new_id("bat") if len(groups) > 1 else None
        return [replace(draft, recipients=numbers, batch_id=batch) for numbers in groups]

    def _draft(self, wanted: SendRequest, line: str, choice: Choice, token: str | None) -> Draft:
        """All that is the same for each recipient, but for the media."""
        kind = choice.kind
        return Draft(
            recipients=(),
            kind=kind,
            line=line,
            priority=Priority[wanted.priority.upper()],
            valid_for=float(wanted.valid_for or self._outbox.valid_for),
            send_at=None if wanted.send_at is None else wanted.send_at.timestamp(),
            subject=wanted.subject,
            text=wanted.text,
            cost=choice.cost,
            fallback=Fallback(wanted.fallback) if kind is Kind.MMS else Fallback.NONE,
            is_group=wanted.is_group,
            delivery_report=wanted.delivery_report,
            read_report=wanted.read_report,
            simulated=self._is_simulated(line),
            token=token,
            tag=wanted.tag,
            callback_url=wanted.callback_url,
            metadata=dict(wanted.metadata),
            options={"layout": wanted.layout, "smil": wanted.smil},
            warnings=_text_warnings(wanted, choice),
        )

    def _is_simulated(self, line: str) -> bool:
        names = {line} if line else set(self._lines)
        return names <= self._simulated

    # When its turn has come.

    async def compose(self, message: Message, line: SendingLine) -> Parcel:
        """The octets of a message that is due. Raises TooLarge where the line takes less than the counter assumed; PduError, StoreError."""
        if message.job.kind is Kind.SMS:
            return compose_sms(message)
        files = [File(item.content_type, await self._store.media(item), item.filename) for item in message.media]
        numbers = tuple(recipient.number for recipient in message.recipients)
        send_req = self._compose(_content(message, numbers, tuple(files)))
        data = await _encode(send_req, sum(item.size for item in message.media) + len(message.text or ""))
        limit = min(line.max_size or LARGEST_PDU, LARGEST_PDU)
        if len(data) > limit:
            raise TooLarge(len(data), limit, ())
        return Parcel(Pdu(data), send_req.transaction_id, is_new=True)

    async def fall_back(self, message: Message) -> list[Draft]:
        """An SMS to each recipient of a message whose MMS was not taken; none where there is no text for one, or no modem on its line."""
        text = "\n".join(part for part in (message.subject, message.text) if part)
        parts = count_parts(text).parts if text else 0
        if not 0 < parts <= MAX_PARTS or exceeded(self._store.limits.caps, parts) or not self._has_sms(message.job.line):
            return []
        draft = Draft(
            (),
            kind=Kind.SMS,
            line=message.job.line,
            priority=message.job.priority,
            valid_for=message.job.valid_for,
            text=text,
            cost=parts,
            delivery_report=message.delivery_report,
            simulated=message.job.simulated,
            token=message.token,
            tag=message.tag,
            callback_url=message.callback_url,
            parent_id=message.job.id,
            metadata=message.metadata,
        )
        return self._each(draft, [(recipient.number,) for recipient in message.recipients])

    def _compose(self, content: Content) -> SendReq:
        number = self._store.database.new_id("tid").rpartition("_")[2]
        return compose(content, transaction_id=number, date=int(self._store.database.now()))


async def _encode(send_req: SendReq, octets: int) -> bytes:
    if octets < THREAD_FROM:
        return mms_pdu.encode(send_req)
    return await asyncio.to_thread(mms_pdu.encode, send_req)


def _size(send_req: SendReq) -> int:
    return sum(map(len, mms_pdu.encode_chunks(send_req)))


def _content(of: Draft | Message, numbers: tuple[str, ...], files: tuple[File, ...]) -> Content:
    smil, priority = of.options.get("smil"), of.priority if isinstance(of, Draft) else of.job.priority
    return Content(
        recipients=numbers,
        text=of.text,
        subject=of.subject,
        files=files,
        layout=str(of.options.get("layout") or "auto"),
        smil=None if smil is None else str(smil),
        delivery_report=of.delivery_report,
        read_report=of.read_report,
        priority=priority.name.lower(),
        expiry=EXPIRY_SECONDS,
    )


def _text_warnings(wanted: SendRequest, choice: Choice) -> tuple[Mapping[str, object], ...]:
    chars, found = len(wanted.text or ""), list[Mapping[str, object]]()
    if chars > LONG_TEXT and choice.kind is Kind.MMS:
        code = "very_long_text" if chars > VERY_LONG_TEXT else "long_text"
        found.append({"code": code, "detail": f"{chars:,} characters; some phones show a text of more than {LONG_TEXT:,} cut or as a file"})
    if wanted.subject and len(wanted.subject) > LONG_SUBJECT:
        found.append({"code": "long_subject", "detail": f"some phones cut a subject after {LONG_SUBJECT} characters"})
    found.extend(
        {"code": "repeated_recipient", "detail": f"{number} was named more than once and gets the message once"}
        for number, times in Counter(wanted.to).items()
        if times > 1
    )
    return tuple(found)

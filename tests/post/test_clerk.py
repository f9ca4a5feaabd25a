"""The clerk, with a real store and the real fitter."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

from mmsproxy.config_post import OutboxConfig
from mmsproxy.message.model import SendRequest, parse_document
from mmsproxy.post.admission import Refused
from mmsproxy.post.caps import Caps
from mmsproxy.post.clerk import Clerk
from mmsproxy.post.fitter import Fitter, TooLarge
from mmsproxy.post.job import Kind, State
from mmsproxy.post.records import IdempotencyKey
from mmsproxy.post.store import Store
from mmsproxy.wire import mms_pdu

NUMBER = "+12025550123"
LONG = "An 827-character text. " * 36
TWO = [NUMBER, "+12025550124"]


@dataclass
class SomeLine:
    name: str = "mint"
    max_size: int | None = 100_000
    sms: object | None = "a modem"


@pytest.fixture
async def clerk(store: Store) -> AsyncIterator[Clerk]:
    fitter = Fitter()
    yield Clerk(store, [SomeLine()], fitter, numbers={"mint": "+12025550100"}, outbox=OutboxConfig())
    await fitter.stop()


def wanted(**fields: object) -> SendRequest:
    return parse_document({"to": NUMBER, **fields})


def photo(width: int = 1600, height: int = 1200) -> str:
    noise = Image.effect_noise((width, height), 80).convert("RGB")
    octets = io.BytesIO()
    noise.save(octets, "JPEG", quality=95)
    return base64.b64encode(octets.getvalue()).decode()


async def test_a_long_text_is_kept_as_one_mms_and_leaves_as_it_was_counted(clerk: Clerk, store: Store) -> None:
    (message,) = (await clerk.submit(wanted(text=LONG))).messages
    assert (message.job.kind, message.job.state) == (Kind.MMS, State.QUEUED)
    parcel = await clerk.compose(message, SomeLine())
    pdu = mms_pdu.decode(parcel.pdu.data)
    assert isinstance(pdu, mms_pdu.SendReq)
    assert bytes(pdu.parts[-1].data).decode() == LONG
    assert len(parcel.pdu.data) == message.size
    assert pdu.transaction_id == parcel.transaction_id


async def test_a_photo_with_a_caption_is_fitted_before_it_is_kept(clerk: Clerk, store: Store) -> None:
    (message,) = (await clerk.submit(wanted(text="caption", media=[{"data": photo()}]))).messages
    assert [warning["code"] for warning in message.warnings] == ["image_shrunk"]
    parcel = await clerk.compose(message, SomeLine())
    assert len(parcel.pdu.data) <= 100_000
    pdu = mms_pdu.decode(parcel.pdu.data)
    assert isinstance(pdu, mms_pdu.SendReq)
    assert [part.content_type.media for part in pdu.parts] == ["application/smil", "image/jpeg", "text/plain"]


async def test_a_gateway_without_a_modem_sends_texts_as_mms(store: Store, clerk: Clerk) -> None:
    host = Clerk(store, [SomeLine(sms=None)], Fitter(), numbers={"mint": None}, outbox=OutboxConfig())
    (message,) = (await host.submit(wanted(text="x"))).messages
    assert message.job.kind is Kind.MMS
    with pytest.raises(Refused) as refused:
        await host.submit(wanted(text="x", **{"as": "sms"}))
    assert [(item.pointer, item.code) for item in refused.value.refusals] == [("/as", "no_line")]
    assert await host.fall_back(message) == []


async def test_a_repeat_gets_the_first_answer_though_its_time_is_over(clerk: Clerk, store: Store, clock: Any) -> None:
    key = IdempotencyKey("tok", "k", "aa" * 32)
    due = datetime.fromtimestamp(store.database.now() + 600, UTC).isoformat()
    first = await clerk.submit(wanted(text="x", send_at=due), key=key)
    clock.now += 700
    again = await clerk.submit(wanted(text="x", send_at=due), key=key)
    assert again.replayed
    assert [message.job.id for message in again.messages] == [message.job.id for message in first.messages]


async def test_files_of_more_than_a_body_are_not_gathered(store: Store) -> None:
    async def fetch(url: str) -> tuple[str, bytes]:
        return "image/jpeg", b"\xff\xd8\xff\xe0" + bytes(9 << 20)

    clerk = Clerk(store, [SomeLine()], Fitter(), numbers={"mint": None}, outbox=OutboxConfig(), fetch=fetch)
    with pytest.raises(TooLarge) as refused:
        await clerk.submit(wanted(media=[{"url": f"http://camera.lan/{n}.jpg"} for n in range(3)]))
    assert refused.value.pointers == ("/media/1",)


async def test_a_group_is_one_message_and_several_numbers_are_several(clerk: Clerk) -> None:
    (group,) = (await clerk.submit(wanted(to=TWO, group=True, text="x"))).messages
    assert [person.number for person in group.recipients] == TWO
    apart = (await clerk.submit(wanted(to=TWO, text="x"))).messages
    assert [[person.number for person in message.recipients] for message in apart] == [[number] for number in TWO]
    assert apart[0].batch_id == apart[1].batch_id is not None


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"text": "x", "line": "other"}, "/line", "no_line"),
        ({"text": "x", "to": [NUMBER, "911911"]}, "/to/1", "denied_number"),
        ({"text": "x", "send_at": "1999-01-01T00:00:00Z"}, "/send_at", "expired_schedule"),
        ({"media": [{"url": "http://camera.lan/x.jpg"}]}, "/media/0/url", "media_fetch_failed"),
        ({"media": [{"data": base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode()}]}, "/media/0", "unsupported_media"),
    ],
)
async def test_what_is_wrong_is_refused_before_anything_is_kept(
    clerk: Clerk, store: Store, fields: dict[str, object], pointer: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await clerk.submit(wanted(**fields))
    assert (refused.value.refusals[0].pointer, refused.value.refusals[0].code) == (pointer, code)
    assert (await store.page()).messages == ()


async def test_what_cannot_be_shrunk_is_refused_with_both_sizes(clerk: Clerk) -> None:
    pdf = base64.b64encode(b"%PDF-1.4\n" + bytes(200_000)).decode()
    with pytest.raises(TooLarge) as refused:
        await clerk.submit(wanted(media=[{"data": pdf, "content_type": "application/pdf", "filename": "a.pdf"}]))
    assert refused.value.limit == 100_000
    assert refused.value.size > 200_000


async def test_a_preview_keeps_nothing_and_says_the_same(clerk: Clerk, store: Store) -> None:
    preview = await clerk.preview(wanted(text=LONG))
    assert (preview.kind, preview.why, preview.messages, preview.units) == (Kind.MMS, "long_text", 1, 1)
    assert preview.pdu is not None
    assert preview.sms_parts == 6
    assert (await store.page()).messages == ()


async def test_a_fallback_is_an_sms_to_each_with_subject_and_text(clerk: Clerk) -> None:
    (message,) = (await clerk.submit(wanted(to=TWO, group=True, subject="s", text="t", fallback="sms"))).messages
    drafts = await clerk.fall_back(message)
    assert [(draft.kind, draft.text, draft.recipients, draft.cost) for draft in drafts] == [
        (Kind.SMS, "s\nt", (number,), 1) for number in TWO
    ]
    assert {draft.parent_id for draft in drafts} == {message.job.id}
    assert len({draft.batch_id for draft in drafts}) == 1


async def test_a_scheduled_message_waits(clerk: Clerk, store: Store) -> None:
    due = datetime.fromtimestamp(store.database.now() + 600, UTC).isoformat()
    (message,) = (await clerk.submit(wanted(text="x", send_at=due))).messages
    assert message.job.state is State.SCHEDULED


async def test_a_line_of_unknown_limit_gets_what_every_carrier_takes(store: Store) -> None:
    fitter = Fitter()
    clerk = Clerk(store, [SomeLine(max_size=None)], fitter, numbers={"mint": None}, outbox=OutboxConfig())
    preview = await clerk.preview(wanted(media=[{"data": photo(2600, 1900)}]))
    assert preview.pdu is not None
    assert len(preview.pdu) <= 307_200
    pdf = base64.b64encode(b"%PDF-1.4\n" + bytes(600_000)).decode()
    preview = await clerk.preview(wanted(media=[{"data": pdf, "content_type": "application/pdf", "filename": "a.pdf"}]))
    assert preview.pdu is not None
    assert 600_000 < len(preview.pdu) < 700_000
    await fitter.stop()


async def test_a_text_that_nothing_can_carry_is_not_even_counted(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.post.choice.count_parts", None)
    with pytest.raises(TooLarge) as refused:
        await clerk.submit(wanted(text="x" * 200_000))
    assert refused.value.pointers == ("/text",)


async def test_what_costs_more_than_a_whole_cap_is_refused_at_once(clerk: Clerk, store: Store) -> None:
    store.limits = replace(store.limits, caps=Caps(per_hour=5, per_day=0))
    with pytest.raises(Refused) as refused:
        await clerk.submit(wanted(text=LONG, **{"as": "sms"}))
    assert (refused.value.refusals[0].pointer, refused.value.refusals[0].code) == ("/text", "too_large")
    assert len((await clerk.submit(wanted(text=LONG))).messages) == 1

"""The same three messages by the JSON API, by the unmodified twilio SDK and by MM1: each leaves as exactly one M-Send.req.

What counts is what the simulated carrier's MMSC has got: one PDU, every recipient in To, the whole text, photo and caption on one page.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from PIL import Image
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from mmsproxy.message.compose import Content, compose
from mmsproxy.message.media import recognise
from mmsproxy.wire import mms_pdu

MMS_MESSAGE = "application/vnd.wap.mms-message"
ONE, TWO = "+16195550123", "+16195550124"


def photo() -> bytes:
    kept = io.BytesIO()
    Image.effect_noise((320, 240), 60).convert("RGB").save(kept, "JPEG", quality=80)
    return kept.getvalue()


@dataclass(frozen=True)
class Wanted:
    """One message, before any door has its form."""

    to: tuple[str, ...]
    text: str
    photo: bytes | None = None


CONTENTS = {
    "827 characters": Wanted((ONE,), ("Some words that are read as one bubble. " * 21)[:827]),
    "a group": Wanted((ONE, TWO), "Hello, both of you."),
    "a photo with its caption": Wanted((ONE,), "The door, just now.", photo()),
}


async def by_json(home: Any, wanted: Wanted, url: str) -> None:
    media = [{"data": base64.b64encode(wanted.photo).decode(), "filename": "door.jpg"}] if wanted.photo else []
    body = {"to": list(wanted.to), "group": len(wanted.to) > 1, "text": wanted.text, "media": media}
    made = await home.ask("POST", "/v1/messages", json=body)
    assert (await home.until(made["id"]))["status"] == "sent"


async def by_twilio(home: Any, wanted: Wanted, url: str) -> None:
    """The SDK blocks, so it has a thread."""
    client = Client("AC" + "1" * 32, home.token, http_client=TwilioHttpClient(pool_connections=False))
    client.api.base_url = home.web
    media = {"media_url": [url]} if wanted.photo else {}
    made = await asyncio.to_thread(client.messages.create, to=",".join(wanted.to), body=wanted.text, **media)
    async with asyncio.timeout(30):  # a hang guard
        while (await asyncio.to_thread(client.messages(made.sid).fetch)).status != "sent":
            await asyncio.sleep(0.05)


async def by_mm1(home: Any, wanted: Wanted, url: str) -> None:
    files = (recognise(wanted.photo, "image/jpeg", "door.jpg"),) if wanted.photo else ()
    pdu = mms_pdu.encode(compose(Content(wanted.to, wanted.text, files=files), transaction_id="T1", date=1_700_000_000))
    async with home.http.post(f"http://{home.gateway.mm1}/", data=pdu, headers={"Content-Type": MMS_MESSAGE}) as answer:
        conf = mms_pdu.decode(await answer.read())
    assert isinstance(conf, mms_pdu.SendConf)
    assert (answer.status, conf.response_status, conf.transaction_id) == (200, 0x80, "T1")
    assert home.arrived[0].body == pdu


DOORS = {"JSON": by_json, "twilio": by_twilio, "MM1": by_mm1}


@pytest.fixture
async def picture_url() -> AsyncIterator[str]:
    """Where Twilio's MediaUrl points: a server on loopback with the photo."""

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=CONTENTS["a photo with its caption"].photo, content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/door.jpg", give)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/door.jpg"
    await runner.cleanup()


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("door", DOORS)
async def test_each_content_leaves_as_one_m_send_req(house: Any, picture_url: str, door: str, content: str) -> None:
    home = await house("media: {fetch: [127.0.0.1]}")
    wanted = CONTENTS[content]
    await DOORS[door](home, wanted, picture_url)
    (request,) = home.arrived
    sent = request.pdu
    assert isinstance(sent, mms_pdu.SendReq)
    assert [address.value.partition("/")[0] for address in sent.to] == list(wanted.to)
    assert not sent.cc
    assert not sent.bcc
    assert sent.transaction_id
    check_parts(sent, wanted)
    assert (await home.ask("GET", "/v1/messages"))["data"][0]["type"] == "mms"
    assert len((await home.ask("GET", "/v1/messages"))["data"]) == 1


def check_parts(sent: mms_pdu.SendReq, wanted: Wanted) -> None:
    kinds = {part.content_type.media: bytes(part.data) for part in sent.parts}
    assert len(kinds) == len(sent.parts)
    assert kinds["text/plain"].decode() == wanted.text
    assert kinds["application/smil"].count(b"<par") == 1
    if wanted.photo is None:
        assert set(kinds) == {"application/smil", "text/plain"}
    else:
        assert set(kinds) == {"application/smil", "text/plain", "image/jpeg"}
        with Image.open(io.BytesIO(kinds["image/jpeg"])) as opened:
            assert opened.size == (320, 240)

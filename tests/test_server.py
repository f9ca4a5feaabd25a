"""The whole gateway in this process, over a real pty and real TCP: what the carrier says comes back as it is, and nothing that goes
wrong on the way stops the next message."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from mmsproxy import config
from mmsproxy.link import LinkStatus
from mmsproxy.server import Gateway
from mmsproxy.simulator.mmsc import Answer, Early, confirmation
from mmsproxy.simulator.world import World
from mmsproxy.wire import mms_pdu

MMS_MESSAGE = "application/vnd.wap.mms-message"
CONF = confirmation(0x81, b"T1", 0x80, message_id=b"m1@mmsc")


def pdu(octets: int = 300, transaction_id: str = "T1") -> bytes:
    return mms_pdu.encode(
        mms_pdu.SendReq(
            transaction_id=transaction_id,
            to=(mms_pdu.Address("+16195550123/TYPE=PLMN"),),
            content_type=mms_pdu.ContentType("application/vnd.wap.multipart.mixed"),
            parts=(mms_pdu.Part(mms_pdu.ContentType("text/plain", charset=106), b"x" * octets, content_location="t.txt"),),
        )
    )


@dataclass
class House:
    """A running gateway with its simulated world and a client."""

    world: World
    gateway: Gateway
    http: aiohttp.ClientSession
    folder: Path

    async def post(self, body: bytes | None = None) -> tuple[int, bytes, dict[str, str]]:
        async with self.http.post(f"http://{self.gateway.mm1}/", data=body or pdu(), headers={"Content-Type": MMS_MESSAGE}) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def works(self, transaction_id: str) -> None:
        """The next message is accepted."""
        status, body, _ = await self.post(pdu(transaction_id=transaction_id))
        conf = mms_pdu.decode(body)
        assert (status, conf.transaction_id) == (200, transaction_id), body
        assert isinstance(conf, mms_pdu.SendConf)
        assert conf.response_status == 0x80

    @property
    def posted(self) -> int:
        """Whole messages that the carrier got."""
        return sum(1 for request in self.world.mmsc.requests if request.pdu is not None)


Build = Callable[..., "asyncio.Future[House]"]


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    async with AsyncExitStack() as stack:

        async def build(dialect: str = "sim7600", rest: str = "", port: str | None = None) -> House:
            world = await stack.enter_async_context(World(dialect, link=tmp_path / "ttySIM"))
            path = tmp_path / "config.yaml"
            path.write_text(
                "mm1: {listen: 127.0.0.1:0}\nweb: {listen: 127.0.0.1:0, token_file: token}\n"
                f"lines: [{{name: a, modem: {{port: {port or world.modem.path}}},"
                f" carrier: {{apn: internet, mmsc: '{world.mmsc_url}'}}}}]\n{rest}"
            )
            gateway = Gateway(config.load(path), base=tmp_path)
            await gateway.start()
            stack.push_async_callback(gateway.stop)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return House(world, gateway, http, tmp_path)

        yield build


@pytest.fixture(params=["sim7600", "sim800", "sim7080", "quectel", "ublox", "telit"])
async def house(request: pytest.FixtureRequest, build: Build) -> House:
    return await build(request.param)


ODD_CONFS = {
    "unknown headers": CONF + b"\xfeabc\x00" + b"\xfd\x03\x01\x02\x03" + b"X-Odd\x00value\x00",
    "version 1.3": confirmation(0x81, b"T1", 0x80, message_id=b"m1", version=0x93),
    "no Message-ID": confirmation(0x81, b"T1", 0x80),
    "64 KiB": CONF + b"X-Pad\x00" + b"p" * (65536 - len(CONF) - 7) + b"\x00",
    "refused, with a text": confirmation(0x81, b"T1", 0xE1, text="Näin ei".encode()),
    "status unknown to anybody": confirmation(0x81, b"T1", 0xFF),
    "another Transaction-ID": confirmation(0x81, b"T2", 0x80, message_id=b"m1"),
    "headers in an order of their own": b"\x8c\x81\x92\x80\x8d\x90\x98T1\x00\x8bm1\x00",
}


@pytest.mark.parametrize("name", ODD_CONFS)
async def test_the_carriers_m_send_conf_comes_back_byte_for_byte(house: House, name: str) -> None:
    conf = ODD_CONFS[name]
    house.world.mmsc.hook = lambda _: Answer(body=conf, headers=(("Content-Type", f"{MMS_MESSAGE}; charset=utf-8"), ("X-Carrier", "a  b")))
    status, body, headers = await house.post()
    assert status == 200
    assert hashlib.sha256(body).digest() == hashlib.sha256(conf).digest()
    assert headers["Content-Type"] == f"{MMS_MESSAGE}; charset=utf-8"
    assert "X-Mmsproxy-Origin" not in headers


async def test_what_the_client_posts_reaches_the_carrier_byte_for_byte(house: House) -> None:
    body = pdu(300_000)
    assert (await house.post(body))[0] == 200
    assert house.world.mmsc.requests[-1].sha256 == hashlib.sha256(body).hexdigest()
    assert house.world.mmsc.requests[-1].header("User-Agent") is not None


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(500, b"oops"), 504),
        (Answer(200, b"<html></html>", (("Content-Type", "text/html"),)), 504),
        (Answer(200, b""), 504),
        (Answer(reset=True), 504),
        (Answer(404, b"no"), 502),
        (Answer(301, b"", (("Location", "http://elsewhere/"),)), 502),
        (Answer(200, CONF[:8]), 504),
        (Answer(200, b"\x8c\x81" + b"x" * 70_000), 504),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_bad_answer_of_the_carrier_is_told_and_the_next_message_goes(house: House, answer: Answer, status: int) -> None:
    house.world.mmsc.hook = lambda _: answer
    got, body, headers = await house.post()
    assert (got, headers["X-Mmsproxy-Origin"]) == (status, "gateway")
    conf = mms_pdu.decode(body)
    assert isinstance(conf, mms_pdu.SendConf)
    assert (conf.transaction_id, conf.message_id) == ("T1", None)
    house.world.mmsc.hook = None
    await house.works("T2")


@pytest.mark.parametrize("early", [Early(Answer(413, b"too large", (("Content-Type", "text/plain"),))), Early()], ids=["413", "reset"])
async def test_an_early_end_is_a_definite_failure(house: House, early: Early) -> None:
    house.world.mmsc.early = early
    status, _, _ = await house.post(pdu(200_000))
    assert status in (502, 413, 504)
    assert house.posted == 0
    await house.works("T2")


COMMANDS = {
    "sim7600": ["+NETOPEN?", "+NETOPEN", "+CIPOPEN", "+CIPSEND", "+CIPRXGET=2", "+CIPCLOSE", "+CIPACK", "E0", "+CGMM", "+CPIN", "+CEREG"],
    "sim800": ["+CIPSTATUS", "+CIICR", "+CSTT", "+CIPSTART", "+CIPSEND", "+CIPRXGET=2", "+CIPCLOSE", "+CIPSHUT", "+CIFSR", "E0", "+CPIN"],
    "sim7080": ["+CNACT?", "+CNACT=0,1", "+CNCFG", "+CAOPEN", "+CASEND", "+CARECV", "+CACLOSE", "+CAACK", "+CACID", "E0", "+CPIN"],
    "quectel": ["+QIACT?", "+QIACT=1", "+QICSGP", "+QIOPEN", "+QISEND", "+QIRD", "+QICLOSE", "+QISTATE", "+QIDEACT", "E0", "+CPIN"],
    "ublox": ["+CGACT?", "+CGACT=1", "+USOCR", "+USOCO", "+USOWR", "+USORD", "+USOCL", "+USOCTL", "+UDCONF", "E0", "+CPIN"],
    "telit": ["#SGACT?", "#SGACT=1", "#SCFGEXT", "#SD", "#SSENDEXT", "#SRECV", "#SH", "#SI", "#SCFG", "E0", "+CPIN"],
}


@pytest.mark.parametrize("place", range(11))
async def test_a_modem_that_answers_error_to_any_command_does_not_stop_the_gateway(house: House, place: int) -> None:
    command = COMMANDS[house.world.modem.settings.dialect][place]
    house.world.modem.faults.refuse(command, "+CME ERROR: 3")
    status, _, _ = await house.post()
    assert status in (200, 502, 503, 504)
    if status != 504:
        assert house.posted == (1 if status == 200 else 0)
    await house.works("T2")


async def test_unplugged_while_idle(house: House) -> None:
    await house.works("T0")
    house.world.modem.unplug()
    house.world.modem.replug()
    await house.works("T2")


@pytest.mark.parametrize("after", [1, 500, 2000, 6000])
async def test_unplugged_in_the_middle_of_a_body(house: House, after: int) -> None:
    await house.works("T0")
    house.world.modem.faults.after_payload(after, house.world.modem.unplug)
    status, body, _ = await house.post(pdu(20_000))
    assert status in (502, 503), body
    assert house.posted == 1
    house.world.modem.replug()
    await house.works("T2")


async def test_unplugged_after_the_last_byte_is_unknown_and_not_sent_again(house: House) -> None:
    await house.works("T0")

    def unplug(_request: object) -> Answer | None:
        house.world.modem.unplug()
        return None

    house.world.mmsc.hook = unplug
    status, body, _ = await house.post(pdu(transaction_id="T1"))
    conf = mms_pdu.decode(body)
    assert isinstance(conf, mms_pdu.SendConf)
    assert (status, conf.response_status) == (504, 0x86)
    house.world.mmsc.hook = None
    house.world.modem.replug()
    assert (await house.post(pdu(transaction_id="T1")))[0] == 504
    assert house.posted == 2
    await house.works("T2")


async def test_no_modem_port_is_said_with_its_name(build: Build) -> None:
    house = await build(port="/dev/no-such-port")
    status, body, headers = await house.post()
    assert (status, 5 <= int(headers["Retry-After"]) <= 60) == (503, True)
    assert b"/dev/no-such-port" in body
    assert house.gateway.fleet.default.state.status is LinkStatus.DOWN


async def test_a_port_in_use_is_said_with_the_cure_and_taken_when_it_is_free(build: Build, tmp_path: Path) -> None:
    async with World(link=tmp_path / "ttyBUSY") as other:
        holder = os.open(other.modem.path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        house = await build(port=other.modem.path)
        status, body, _ = await house.post()
        os.close(holder)
    assert status == 503
    assert b"in use" in body or b"held" in body or b"another" in body


async def test_stop_twice_and_start_again(build: Build) -> None:
    house = await build()
    await house.works("T0")
    await house.gateway.stop()
    await house.gateway.stop()
    again = Gateway(config.load(house.folder / "config.yaml"), base=house.folder)
    await again.start()
    house.gateway = again
    await house.works("T1")
    await again.stop()


async def test_a_message_that_waits_does_not_sit_out_the_back_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.modem_link.BACK_OFF", (3600.0,))
    house.world.modem.unplug()
    assert (await house.post())[0] == 503
    house.world.modem.replug()
    await house.works("T2")

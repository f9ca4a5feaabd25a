"""Forms: what is one, what is none, and that none costs more than its size."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.message.model import MAX_MEDIA
from mmsproxy.web.problems import Refusal
from mmsproxy.web.uploads import Form, Upload, read_form

# aiohttp warns of a malformed Content-Disposition, and then gives the part no name.
pytestmark = pytest.mark.filterwarnings(
    "ignore::aiohttp.multipart.BadContentDispositionHeader", "ignore::aiohttp.multipart.BadContentDispositionParam"
)

HEADERS = {"Content-Type": 'multipart/form-data; boundary="x-y"'}
MESSAGE = b'Content-Disposition: form-data; name="message"\r\nContent-Type: application/json\r\n\r\n{"to": 1}'
PICTURE = b'Content-Disposition: form-data; name="f"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--x\r\n\x00'


def body(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--x-y\r\n" + part + b"\r\n" for part in parts) + b"--x-y" + end


async def test_a_message_and_files() -> None:
    form = await read_form(HEADERS, body(PICTURE, MESSAGE))
    assert form == Form(b'{"to": 1}', (Upload("f", b"\xff\xd8\r\n--x\r\n\x00", "image/jpeg", "a.jpg"),))
    assert form.files[0].claims == {"data": b"\xff\xd8\r\n--x\r\n\x00", "content_type": "image/jpeg", "filename": "a.jpg"}


async def test_the_digest_knows_contents_and_not_boundaries() -> None:
    one = await read_form(HEADERS, body(MESSAGE, PICTURE))
    other = await read_form({"Content-Type": "multipart/form-data; boundary=zz"}, body(MESSAGE, PICTURE).replace(b"x-y", b"zz"))
    changed = await read_form(HEADERS, body(MESSAGE, PICTURE.replace(b"a.jpg", b"b.jpg")))
    fewer = await read_form(HEADERS, body(MESSAGE))
    assert one.digest == other.digest
    assert len({one.digest, changed.digest, fewer.digest}) == 3


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        body(),
        body(PICTURE),
        body(MESSAGE, MESSAGE),
        body(MESSAGE, PICTURE)[:-12],
        body(MESSAGE)[:40],
        b"preamble\r\n" + body(MESSAGE),
        b"\r\n" * 1_000_000 + body(MESSAGE),
        body(b"no header\r\n\r\nx", MESSAGE),
        body(b"X: y\r\n\r\nno name", MESSAGE),
        body(b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q--", MESSAGE),
        body(MESSAGE, b'Content-Disposition: form-data; name="f"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA'),
        body(MESSAGE, *[PICTURE] * (MAX_MEDIA + 1)),
        body(b"X: " + b"y" * 5000 + b"\r\n\r\n", MESSAGE),
    ],
    ids=range(14),
)
async def test_what_is_no_form_is_refused(octets: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        await read_form(HEADERS, octets)
    assert caught.value.code == "invalid_request"
    assert caught.value.detail.isascii()


@pytest.mark.parametrize(
    "content_type", ["", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 80, "text/plain; boundary=x-y"]
)
async def test_a_content_type_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(Refusal):
        await read_form({"Content-Type": content_type}, body(MESSAGE).replace(b"x-y", b"b" * 80) if "bb" in content_type else b"--")


async def test_large_files_of_any_kind_are_read() -> None:
    for fill in (b"\r\n-", b"\r\n--x-", b"\r", b"\x00"):
        data = fill * 200_000
        form = await read_form(HEADERS, body(MESSAGE, b'Content-Disposition: form-data; name="f"\r\n\r\n' + data))
        assert form.files[0].data == data


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(
        st.sampled_from([b"--x-y", b"\r\n", MESSAGE, PICTURE, b"--", b"\r\n\r\n", b"\x00", b"Content-Type: multipart/mixed"]), max_size=12
    )
)
async def test_any_octets_are_a_form_or_refused(pieces: list[bytes]) -> None:
    with suppress(Refusal):
        assert (await read_form(HEADERS, b"".join(pieces))).message is not None

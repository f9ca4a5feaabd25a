"""The child's side of the pipe, in this process: frames in, frames out, whatever the octets."""

from __future__ import annotations

import io
import json
import signal
from typing import Any

import pytest
from PIL import Image

from mmsproxy.message import picture
from mmsproxy.post import fit_child


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(out, "PNG")
    return out.getvalue()


def frames(data: bytes) -> list[tuple[dict[str, Any], bytes]]:
    found, at = [], 0
    while at < len(data):
        head, body = fit_child.FRAME.unpack_from(data, at)
        at += fit_child.FRAME.size
        found.append((json.loads(data[at : at + head]), data[at + head : at + head + body]))
        at += head + body
    return found


def served(*jobs: bytes) -> list[tuple[dict[str, Any], bytes]]:
    out = io.BytesIO()
    fit_child.serve(io.BytesIO(b"".join(jobs)), out)
    return frames(out.getvalue())


def test_jobs_are_answered_in_their_order_until_the_end() -> None:
    job = fit_child.frame({"budget": 10_000, "box": [10, 10]}, png())
    as_it_is = fit_child.frame({"budget": None, "box": [0, 0]}, png())
    fitted, kept = served(job, as_it_is)
    assert fitted[0] == {"content_type": "image/jpeg", "width": 10, "height": 7, "quality": 95}
    assert Image.open(io.BytesIO(fitted[1])).size == (10, 7)
    assert kept == ({}, png())


def test_nothing_and_a_cut_frame_are_the_end() -> None:
    assert served() == []
    assert served(b"\x00\x00") == []


def test_refusals_are_told_with_code_and_cure() -> None:
    broken, tight = served(fit_child.frame({"budget": 10, "box": [9, 9]}, b"x"), fit_child.frame({"budget": 10, "box": [9, 9]}, png()))
    assert (broken[0]["code"], broken[1]) == ("unsupported_media", b"")
    assert broken[0]["cure"]
    assert (tight[0]["code"], tight[0]["smallest"] > 10) == ("too_large", True)


def test_too_little_memory_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(picture, "fit", without_memory)
    assert served(fit_child.frame({"budget": 10, "box": [9, 9]}, png()))[0][0]["code"] == "unsupported_media"


def test_the_processor_time_is_counted_for_each_picture_and_not_between_them() -> None:
    served(fit_child.frame({"budget": 10_000, "box": [10, 10]}, png()))
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)

"""Files made to fit, with a real child process: what it does, what it refuses, and that nothing it suffers reaches the gateway."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from mmsproxy.message.media import File, UnsupportedMedia
from mmsproxy.post import fit_child
from mmsproxy.post.fitter import LEAST_SHARE, OVERHEAD, Fitter, TooLarge, UnreadablePicture

LIMIT = 307_200
CLIP = File("video/mp4", bytes(200_000), "clip.mp4")


def photo(width: int, height: int, form: str = "JPEG") -> File:
    coarse = Image.effect_noise((width // 4, height // 4), 60).resize((width, height))
    out = io.BytesIO()
    Image.merge("RGB", (coarse, Image.effect_noise((width, height), 20), coarse)).save(out, form, quality=92)
    return File(f"image/{form.lower()}", out.getvalue(), f"cat.{form.lower()}")


LARGE = photo(2400, 1800)
SMALL = photo(150, 100)


@pytest.fixture
async def fitter() -> AsyncIterator[Fitter]:
    made = Fitter()
    await made.start()
    yield made
    await made.stop()


def total(files: tuple[File, ...]) -> int:
    return sum(len(file.data) for file in files)


def seen(file: File) -> Image.Image:
    image = Image.open(io.BytesIO(file.data))
    image.load()
    return image


async def test_no_child_is_started_before_a_picture_comes(fitter: Fitter) -> None:
    assert await fitter.fit_all((), LIMIT, 1000, True) == ((), ())
    assert await fitter.fit_all((CLIP,), LIMIT, 1000, True) == ((CLIP,), ())
    assert fitter.pid is None


async def test_room_for_headers_is_kept_free_by_pictures_only(fitter: Fitter) -> None:
    assert await fitter.fit_all((CLIP,), 201_000, 1000, True) == ((CLIP,), ())
    with pytest.raises(TooLarge):
        await fitter.fit_all((CLIP, SMALL), 201_000 + len(SMALL.data), 1000, True)


async def test_a_photo_is_made_to_fit_and_told(fitter: Fitter) -> None:
    files, warnings = await fitter.fit_all((CLIP, LARGE), LIMIT, 1000, True)
    assert files[0] is CLIP
    assert total(files) + 1000 + OVERHEAD <= LIMIT
    assert warnings == ({"code": "image_shrunk", "n": 1, "from": len(LARGE.data), "to": len(files[1].data)},)
    assert (files[1].content_type, files[1].filename, seen(files[1]).format) == ("image/jpeg", "cat.jpeg", "JPEG")


async def test_what_fits_stays_and_is_not_told(fitter: Fitter) -> None:
    assert await fitter.fit_all((SMALL,), LIMIT, 0, True) == ((SMALL,), ())


async def test_what_is_coded_anew_gets_another_ending(fitter: Fitter) -> None:
    files, warnings = await fitter.fit_all((photo(100, 100, "WEBP"),), LIMIT, 0, True)
    assert (files[0].content_type, files[0].filename) == ("image/jpeg", "cat.jpg")
    assert {"code": "image_converted", "n": 0, "from": "image/webp", "to": "image/jpeg"} in warnings


async def test_several_photos_share_by_size_and_keep_their_order(fitter: Fitter) -> None:
    files, warnings = await fitter.fit_all((LARGE, SMALL, LARGE), LIMIT, 0, True)
    assert total(files) + OVERHEAD <= LIMIT
    assert files[1] == SMALL
    assert [warning["n"] for warning in warnings] == [0, 2]
    assert all(len(file.data) > LEAST_SHARE for file in (files[0], files[2]))


async def test_too_many_photos_are_refused(fitter: Fitter) -> None:
    with pytest.raises(TooLarge) as caught:
        await fitter.fit_all((LARGE,) * 3, 3 * LEAST_SHARE + OVERHEAD - 1, 0, True)
    assert caught.value.pointers == ("/media/0", "/media/1", "/media/2")
    assert caught.value.size > caught.value.limit


async def test_what_cannot_be_shrunk_is_named_with_sizes(fitter: Fitter) -> None:
    with pytest.raises(TooLarge, match=r"clip\.mp4 \(200,000\) cannot be shrunk") as caught:
        await fitter.fit_all((LARGE, CLIP), 150_000, 10, True)
    assert (caught.value.code, caught.value.limit, caught.value.pointers) == ("too_large", 150_000, ("/media/1",))
    with pytest.raises(TooLarge) as caught:
        await fitter.fit_all((), 1000, 1001, True)
    assert (caught.value.size, caught.value.pointers) == (1001, ("/text",))


async def test_a_gif_takes_its_place_whole_and_the_photo_takes_the_rest(fitter: Fitter) -> None:
    """Its share by size would be less than it is, and it never gets smaller."""
    out = io.BytesIO()
    frames = [Image.effect_noise((200, 200), 90) for _ in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    gif = File("image/gif", out.getvalue(), "dance.gif")
    limit = len(gif.data) + OVERHEAD + 40_000
    assert len(gif.data) > 40_000
    files, warnings = await fitter.fit_all((LARGE, gif), limit, 0, True)
    assert files[1] == gif
    assert total(files) + OVERHEAD <= limit
    assert LEAST_SHARE < len(files[0].data) <= 40_000
    assert [warning["n"] for warning in warnings] == [0]


async def test_a_gif_over_the_budget_is_named(fitter: Fitter) -> None:
    frames = [Image.effect_noise((200, 200), 90) for _ in range(8)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    gif = File("image/gif", out.getvalue(), "dance.gif")
    assert await fitter.fit_all((gif,), len(gif.data) + OVERHEAD, 0, True) == ((gif,), ())
    with pytest.raises(TooLarge, match=r"dance\.gif .* animation") as caught:
        await fitter.fit_all((SMALL, gif), len(gif.data), 0, True)
    assert caught.value.pointers == ("/media/1",)
    assert caught.value.size >= len(gif.data)


async def test_without_shrinking_a_photo_keeps_its_pixels_and_loses_its_place(fitter: Fitter) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Secret Camera"
    out = io.BytesIO()
    seen(LARGE).save(out, "JPEG", exif=exif)
    told = File("image/jpeg", out.getvalue())
    files, warnings = await fitter.fit_all((told,), len(told.data), 0, False)
    assert warnings == ()
    assert b"Secret" not in files[0].data
    assert seen(files[0]).tobytes() == seen(told).tobytes()
    assert dict(seen(files[0]).getexif()) == {0x0112: 6}
    with pytest.raises(TooLarge):
        await fitter.fit_all((told,), len(told.data) - 500, 0, False)


async def test_without_shrinking_other_pictures_stay_as_they_are(fitter: Fitter) -> None:
    heic = File("image/heic", b"\x00\x00\x00\x14ftypheic" + bytes(40), "a.heic")
    assert await fitter.fit_all((heic,), LIMIT, 0, False) == ((heic,), ())
    with pytest.raises(UnreadablePicture, match=r"a\.heic.*send a JPEG"):
        await fitter.fit_all((heic,), LIMIT, 0, True)


@pytest.mark.parametrize("data", [b"\xff\xd8\xff broken", LARGE.data[:5000]])
async def test_a_broken_picture_is_refused_with_its_place(fitter: Fitter, data: bytes) -> None:
    with pytest.raises(UnreadablePicture, match=r"bad\.jpg") as caught:
        await fitter.fit_all((SMALL, File("image/jpeg", data, "bad.jpg")), LIMIT, 0, True)
    assert caught.value.pointers == ("/media/1",)
    assert isinstance(caught.value, UnsupportedMedia)
    assert (await fitter.fit_all((SMALL,), LIMIT, 0, True))[0] == (SMALL,)


async def test_a_bomb_is_refused_and_the_child_lives_on(fitter: Fitter) -> None:
    await fitter.fit_all((SMALL,), LIMIT, 0, True)
    child = fitter.pid
    out = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(out, "PNG")
    assert len(out.getvalue()) < 30_000
    with pytest.raises(UnreadablePicture, match="25 million"):
        await fitter.fit_all((File("image/png", out.getvalue()),), LIMIT, 0, True)
    assert fitter.pid == child


async def test_a_child_that_was_killed_is_replaced_and_no_picture_is_lost(fitter: Fitter) -> None:
    await fitter.fit_all((SMALL,), LIMIT, 0, True)
    first = fitter.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert (await fitter.fit_all((SMALL,), LIMIT, 0, True))[0] == (SMALL,)
    assert fitter.pid not in (None, first)


async def test_a_child_that_hangs_is_ended_and_its_picture_refused() -> None:
    fitter = Fitter(timeout=0.3)
    pid = (await fitter._running()).pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(UnreadablePicture, match="could not be decoded"):
        await fitter.fit_all((SMALL,), LIMIT, 0, True)
    assert fitter.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    await fitter.stop()


async def test_a_picture_that_takes_too_long_is_ended_by_the_child_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGPROF comes inside the decoder, and the gateway sees the end of the child."""
    script = "import runpy, mmsproxy.post.fit_child as child; child.CPU_SECONDS = 0.02; child.main()"
    real = asyncio.create_subprocess_exec

    async def short_lived(program: str, *arguments: str, **options: object) -> asyncio.subprocess.Process:
        return await real(program, "-P", "-c", script, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", short_lived)
    fitter = Fitter()
    with pytest.raises(UnreadablePicture, match="could not be decoded"):
        await fitter.fit_all((LARGE,), LIMIT, 0, True)
    await fitter.stop()


async def test_a_caller_that_goes_away_leaves_a_fitter_that_works(fitter: Fitter) -> None:
    task = asyncio.create_task(fitter.fit_all((LARGE,), LIMIT, 0, True))
    while fitter.pid is None:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fitter.pid is None
    assert (await fitter.fit_all((SMALL,), LIMIT, 0, True))[0] == (SMALL,)


async def test_many_at_once_are_fitted_one_after_the_other(fitter: Fitter) -> None:
    results = await asyncio.gather(*(fitter.fit_all((photo(300 + n, 200),), 24_000, 0, True) for n in range(6)))
    assert [seen(files[0]).width for files, _ in results] == [300 + n for n in range(6)]


async def test_a_child_without_work_is_ended_and_another_comes() -> None:
    fitter = Fitter(idle=0.05)
    await fitter.fit_all((SMALL,), LIMIT, 0, True)
    first = fitter.pid
    async with asyncio.timeout(30):
        while fitter.pid is not None:
            await asyncio.sleep(0.01)
    assert (await fitter.fit_all((SMALL,), LIMIT, 0, True))[0] == (SMALL,)
    assert fitter.pid != first
    await fitter.stop()


async def test_stopping_twice_and_without_a_child() -> None:
    fitter = Fitter()
    await fitter.stop()
    await fitter.fit_all((SMALL,), LIMIT, 0, True)
    await fitter.stop()
    await fitter.stop()
    assert fitter.pid is None


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="reads /proc")
async def test_the_child_has_its_limits_and_none_of_our_secrets(fitter: Fitter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSPROXY_SECRET", "word")
    await fitter.fit_all((SMALL,), LIMIT, 0, True)
    place = Path(f"/proc/{fitter.pid}")
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (place / "limits").read_text().splitlines()}
    assert limits["Max address space"] == [str(fit_child.MEMORY)] * 2
    assert limits["Max file size"] == ["0", "0"]
    assert b"MMSPROXY_SECRET" not in (place / "environ").read_bytes()


async def test_a_picture_of_24_megapixels_fits_into_the_childs_memory(fitter: Fitter) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (6000, 4000), (10, 200, 30, 128)).save(out, "PNG", compress_level=1)
    files, _ = await fitter.fit_all((File("image/png", out.getvalue()),), LIMIT, 0, True)
    assert seen(files[0]).size == (1600, 1067)

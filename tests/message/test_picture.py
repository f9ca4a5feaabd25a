"""The loop that makes pictures fit: real pictures of every sort in, what a phone shows out."""

from __future__ import annotations

import io
import struct
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from mmsproxy.message import picture
from mmsproxy.message.picture import LARGE_BOX, SMALL_BOX, BadPicture, CannotShrink, fit

LIMIT = 300_000
COLOURS = {"topleft": (255, 0, 0), "topright": (0, 255, 0), "bottomleft": (0, 0, 255), "bottomright": (255, 255, 0)}


def coded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def noisy(width: int, height: int) -> Image.Image:
    coarse = Image.effect_noise((width // 4, height // 4), 60).resize((width, height))
    return Image.merge("RGB", (coarse, Image.effect_noise((width, height), 25), ImageChops.invert(coarse)))


def smooth(width: int, height: int) -> Image.Image:
    return Image.radial_gradient("L").resize((width, height)).convert("RGB")


def quarters(width: int, height: int) -> Image.Image:
    made = Image.new("RGB", (2, 2))
    made.putdata(list(COLOURS.values()))
    return made.resize((width, height), Image.Resampling.NEAREST)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def with_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)
    return exif


def png_of(width: int, height: int, *, depth: int = 1) -> bytes:
    """A PNG whose header promises so many pixels; its data are short."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


def test_a_photo_of_12_megapixels_fits_300_kb_as_the_reference_says() -> None:
    fitted = fit(coded(noisy(4000, 3000), "JPEG", quality=90), LIMIT, SMALL_BOX)
    image = opened(fitted.data)
    assert len(fitted.data) <= LIMIT
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (fitted.width, fitted.height))
    assert fitted.quality is not None
    assert picture.LOWEST_QUALITY <= fitted.quality <= picture.FIRST_QUALITY
    assert fitted.width * 3 == fitted.height * 4
    assert image.info.get("progressive") is None
    assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]  # type: ignore[attr-defined]


def test_a_smooth_photo_keeps_the_best_quality_and_fills_the_box() -> None:
    fitted = fit(coded(smooth(4000, 3000), "JPEG", quality=95), LIMIT, SMALL_BOX)
    assert (fitted.width, fitted.height, fitted.quality) == (1600, 1200, 95)


@pytest.mark.parametrize(("size", "expected"), [((3000, 4000), (1200, 1600)), ((4000, 1000), (1600, 400)), ((1000, 4000), (400, 1600))])
def test_the_box_turns_with_the_picture(size: tuple[int, int], expected: tuple[int, int]) -> None:
    fitted = fit(coded(smooth(*size), "JPEG"), LIMIT, SMALL_BOX)
    assert (fitted.width, fitted.height) == expected


def test_the_box_grows_with_the_carriers_limit() -> None:
    assert picture.box_for(512 * 1024 - 1) == SMALL_BOX == (1600, 1200)
    assert picture.box_for(512 * 1024) == LARGE_BOX == (2592, 1944)


def test_what_fits_keeps_its_coding_without_its_exif() -> None:
    plain = coded(smooth(800, 600), "JPEG")
    told = coded(smooth(800, 600), "JPEG", exif=with_exif(1), comment=b"Secret")
    assert b"Secret" in told
    fitted = fit(told, LIMIT, SMALL_BOX)
    assert fitted == picture.Fitted(plain, "image/jpeg", 800, 600, None)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(400, 200), (4000, 2000)])
def test_exif_orientation_is_applied_and_gone(orientation: int, size: tuple[int, int]) -> None:
    upright = quarters(*size)
    undo = {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}
    undo |= {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    fitted = fit(coded(stored, "JPEG", exif=with_exif(orientation)), LIMIT, SMALL_BOX)
    image = opened(fitted.data)
    assert image.width == 2 * image.height
    assert not image.getexif()
    assert b"Secret" not in fitted.data
    x, y = image.width - 20, image.height - 20
    corners = [image.getpixel(place) for place in ((20, 20), (x, 20), (20, y), (x, y))]
    for seen, wanted in zip(corners, COLOURS.values(), strict=True):
        assert isinstance(seen, tuple)
        assert all(abs(a - b) < 40 for a, b in zip(seen, wanted, strict=True)), (corners, orientation)


def test_a_gif_is_kept_or_refused_never_coded_anew() -> None:
    frames = [Image.new("P", (64, 64), colour) for colour in range(4)]
    data = coded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert fit(data, len(data), SMALL_BOX) == picture.Fitted(data, "image/gif", 64, 64, None)
    with pytest.raises(CannotShrink, match="animation") as caught:
        fit(data, len(data) - 1, SMALL_BOX)
    assert (caught.value.code, caught.value.smallest) == ("too_large", len(data))


def test_a_small_png_is_kept_and_a_large_opaque_one_becomes_jpeg() -> None:
    small = coded(smooth(300, 200), "PNG")
    assert fit(small, LIMIT, SMALL_BOX) == picture.Fitted(small, "image/png", 300, 200, None)
    assert fit(coded(noisy(800, 600), "PNG"), LIMIT, SMALL_BOX).content_type == "image/jpeg"


def test_a_transparent_png_is_kept_when_it_fits_and_white_behind_when_not() -> None:
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    data = coded(image, "PNG")
    assert fit(data, LIMIT, SMALL_BOX).data == data
    image.paste(noisy(400, 200).convert("RGBA"), (0, 0))
    seen = opened(fit(coded(image, "PNG"), 100_000, SMALL_BOX).data)
    assert seen.format == "JPEG"
    assert seen.getpixel((200, seen.height - 20)) == (255, 255, 255)


@pytest.mark.parametrize("form", ["WEBP", "BMP", "TIFF", "AVIF"])
def test_what_old_phones_do_not_show_becomes_jpeg(form: str) -> None:
    fitted = fit(coded(quarters(200, 100), form), LIMIT, SMALL_BOX)
    assert (fitted.content_type, fitted.width, fitted.height, opened(fitted.data).format) == ("image/jpeg", 200, 100, "JPEG")


MODES = [("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("CMYK", "JPEG"), ("I;16", "PNG")]


@pytest.mark.parametrize(("mode", "form"), [*MODES, ("I", "TIFF"), ("F", "TIFF"), ("LAB", "TIFF"), ("YCbCr", "TIFF"), ("CMYK", "TIFF")])
def test_pictures_of_every_mode(mode: str, form: str) -> None:
    source = Image.new(mode, (2000, 100)) if mode in ("I;16", "LAB") else smooth(2000, 100).convert("L").convert(mode)
    image = opened(fit(coded(source, form), LIMIT, SMALL_BOX).data)
    assert (image.mode, image.size) == ("RGB", (1600, 80))


def test_sixteen_bits_of_grey_stay_grey() -> None:
    image = opened(fit(coded(Image.new("I;16", (2000, 100), 0x8080), "PNG"), LIMIT, SMALL_BOX).data)
    assert image.getpixel((800, 40)) == (128, 128, 128)


def test_a_cmyk_jpeg_is_not_kept() -> None:
    assert fit(coded(smooth(100, 100).convert("CMYK"), "JPEG"), LIMIT, SMALL_BOX).quality == 95


def test_quality_goes_down_before_pixels_do() -> None:
    data = coded(noisy(1600, 1200), "JPEG", quality=98)
    sizes = [fit(data, budget, SMALL_BOX) for budget in (700_000, 500_000, 300_000, 100_000)]
    assert [len(fitted.data) <= budget for fitted, budget in zip(sizes, (700_000, 500_000, 300_000, 100_000), strict=True)] == [True] * 4
    assert sizes[0].width == 1600
    assert sizes[0].width >= sizes[1].width >= sizes[2].width > sizes[3].width


def test_what_cannot_fit_is_refused_with_the_smallest_size() -> None:
    with pytest.raises(CannotShrink) as caught:
        fit(coded(noisy(1600, 1200), "JPEG"), 1000, SMALL_BOX)
    assert caught.value.code == "too_large"
    assert 1000 < caught.value.smallest < 40_000


@pytest.mark.parametrize("budget", [0, -5])
def test_no_room_is_no_crash(budget: int) -> None:
    with pytest.raises(CannotShrink):
        fit(coded(smooth(100, 100), "JPEG"), budget, SMALL_BOX)


@pytest.mark.parametrize("size", [(13_000, 13_000), (5001, 5000), (65_535, 400), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_refused_by_their_header(size: tuple[int, int]) -> None:
    with pytest.raises(BadPicture, match="25 million") as caught:
        fit(png_of(*size), LIMIT, SMALL_BOX)
    assert caught.value.code == "unsupported_media"


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\xff\xd8\xff", png_of(100, 100), coded(smooth(100, 100), "JPEG")[:500], coded(smooth(100, 100), "PNG")[:200]],
)
def test_broken_pictures_are_refused(data: bytes) -> None:
    with pytest.raises(BadPicture):
        fit(data, LIMIT, SMALL_BOX)


def test_stripped_keeps_coding_and_orientation() -> None:
    told = coded(quarters(3000, 100), "JPEG", exif=with_exif(6))
    plain = picture.stripped(told)
    assert b"Secret" not in plain
    assert dict(opened(plain).getexif()) == {0x0112: 6}
    assert opened(plain).tobytes() == opened(told).tobytes()
    webp = coded(quarters(30, 30), "WEBP")
    assert picture.stripped(webp) == webp


HEIC = b"\x00\x00\x00\x14ftypheic" + bytes(40)


def test_heic_without_its_plugin_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "find_spec", lambda name: None)
    with pytest.raises(BadPicture) as caught:
        fit(HEIC, LIMIT, SMALL_BOX)
    assert "install pillow-heif" in caught.value.cure


def test_heic_is_read_by_its_plugin_where_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugin:
        options = SimpleNamespace(DECODE_THREADS=4)

        @staticmethod
        def register_heif_opener(**_: object) -> None:
            Image.register_open("HEIF", lambda stream, name: stands_in, lambda start: start[4:12] == b"ftypheic")

    stands_in = smooth(3000, 2000)
    stands_in.format = "HEIF"
    monkeypatch.setattr(picture, "find_spec", lambda name: object())
    monkeypatch.setattr(picture, "import_module", lambda name: Plugin)
    monkeypatch.setattr(Image, "ID", [*Image.ID])
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    fitted = fit(HEIC, LIMIT, SMALL_BOX)
    assert (fitted.content_type, fitted.width, Plugin.options.DECODE_THREADS) == ("image/jpeg", 1600, 1)


def test_heic_of_a_phone() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    fitted = fit(coded(quarters(3000, 2000), "HEIF", exif=with_exif(6).tobytes()), LIMIT, SMALL_BOX)
    assert (fitted.content_type, fitted.width, fitted.height) == ("image/jpeg", 1067, 1600)
    assert b"Secret" not in fitted.data


SOURCES = [coded(quarters(60, 40), form) for form in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.sampled_from(SOURCES), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8), st.integers(0, 5000))
def test_broken_in_any_way_it_is_fitted_or_refused(source: bytes, changes: list[tuple[int, int]], budget: int) -> None:
    data = bytearray(source)
    for place, octet in changes:
        data[place % len(data)] = octet
    try:
        fitted = fit(bytes(data), budget, SMALL_BOX)
    except CannotShrink:
        return
    assert len(fitted.data) <= budget

"""Makes a picture fit what a carrier takes (delivery.md 7, "Images").

Rule 1: whatever octets come in, the answer is a Fitted or CannotShrink, never another exception.
Rule 2: what leaves has no EXIF: no place, no time, no camera. A picture that fits as it is keeps its coding.
Rule 3: it does no I/O and takes no time-out: it runs in a child process that has limits of memory and time (post/fit_child.py), because
decoders are where files bite.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

from PIL import Image

from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.message.strip import without_metadata

Box = tuple[int, int]

SMALL_BOX: Box = (1600, 1200)  # pixels, longer side first
LARGE_BOX: Box = (2592, 1944)
LARGE_FROM = 512 * 1024  # octets of the carrier's limit from which the large box is used
MAX_PIXELS = 25_000_000  # Pillow alone only warns at 89 million: a PNG of 20 kB can have 169 million
FIRST_QUALITY = 95
LOWEST_QUALITY = 50
QUALITY_STEP = 0.85  # at least so much less at each try
SCALE_STEP = 0.75
MAX_SCALINGS = 6
MAX_PROFILE = 4096  # octets of an ICC profile worth keeping: Display P3 has 548

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
HEIF_PLUGIN = "pillow_heif"  # Pillow reads no HEIC by itself; where this is installed, photos of iPhones become JPEG
KEPT = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}  # every phone shows these
EXIF_ORIENTATION = 0x0112
_TURNS = {  # EXIF 2.32 4.6.4 A
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture that fits. `quality`: that of the JPEG it was coded as; None: its coding was kept."""

    data: bytes
    content_type: str
    width: int
    height: int
    quality: int | None


class CannotShrink(MmsproxyError):
    """The picture does not fit. `smallest`: the octets of the smallest that was tried."""

    code = "too_large"
    fault = Fault.CALLER

    def __init__(self, detail: str, *, smallest: int = 0, cure: str = "") -> None:
        super().__init__(detail, cure=cure)
        self.smallest = smallest


class BadPicture(CannotShrink):
    """It is no picture that can be read: broken, of an unknown format, or of so many pixels that it is an attack."""

    code = "unsupported_media"


def box_for(limit: int) -> Box:
    """How many pixels are worth sending to a carrier that takes `limit` octets."""
    return LARGE_BOX if limit >= LARGE_FROM else SMALL_BOX


def fit(data: bytes, budget: int, box: Box) -> Fitted:
    """The picture in at most `budget` octets and inside `box`, which turns with the picture. Raises CannotShrink."""
    image = _opened(data)
    if image.format == "GIF":
        return _whole_gif(image, data, budget)
    orientation = _orientation(image)
    width, height = image.size
    limits = _turned(box, image.size)
    inside = width <= limits[0] and height <= limits[1]
    if image.format in KEPT and inside and orientation == 1 and _is_plain(image):
        kept = without_metadata(data)
        if kept is not None and len(kept) <= budget:
            _loaded(image)  # a picture that cannot be decoded is not sent on
            return Fitted(kept, KEPT[image.format], width, height, None)
    profile = image.info.get("icc_profile")
    return _coded(_drawn(image, limits, orientation), budget, profile if _is_worth(image, profile) else None)


def stripped(data: bytes) -> bytes:
    """The picture with its coding and its orientation, without all else that describes it; whole where its structure is not understood.

    Raises BadPicture.
    """
    image = _opened(data)
    return without_metadata(data, orientation=_orientation(image)) or data


def _opened(data: bytes) -> Image.Image:
    """Its header is read, nothing decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_formats(data))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        _too_many_pixels()
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise whatever a broken file makes them raise
        raise BadPicture(f"no picture that can be read ({type(error).__name__})", cure=_cure(data)) from None
    if image.width * image.height > MAX_PIXELS:
        _too_many_pixels()
    return image


def _cure(data: bytes) -> str:
    formats = "send a JPEG, PNG, GIF or WebP"
    return f"{formats}; for HEIC install pillow-heif" if data[4:8] == b"ftyp" and find_spec(HEIF_PLUGIN) is None else formats


def _formats(data: bytes) -> tuple[str, ...]:
    if data[4:8] != b"ftyp" or find_spec(HEIF_PLUGIN) is None:
        return FORMATS
    plugin = import_module(HEIF_PLUGIN)
    plugin.options.DECODE_THREADS = 1  # each thread takes address space, which is limited
    plugin.register_heif_opener(thumbnails=False)
    return (*FORMATS, "HEIF")


def _too_many_pixels() -> NoReturn:
    raise BadPicture(f"the picture has more than {MAX_PIXELS // 1_000_000} million pixels", cure="make it smaller before sending it")


def _loaded(image: Image.Image) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except Exception as error:  # noqa: BLE001 - as above
        raise BadPicture(f"the picture is broken ({type(error).__name__})", cure="check the file") from None


def _orientation(image: Image.Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - EXIF that cannot be read says nothing
        return 1
    return value if value in _TURNS else 1


def _whole_gif(image: Image.Image, data: bytes, budget: int) -> Fitted:
    if len(data) > budget:
        raise CannotShrink(f"a GIF of {len(data):,} octets, which would lose its animation", smallest=len(data), cure="make it smaller")
    _loaded(image)
    return Fitted(data, "image/gif", image.width, image.height, None)


def _turned(box: Box, size: tuple[int, int]) -> Box:
    longer, shorter = max(box), min(box)
    return (longer, shorter) if size[0] >= size[1] else (shorter, longer)


def _is_plain(image: Image.Image) -> bool:
    """Old phones show no CMYK."""
    return image.format == "PNG" or image.mode in ("L", "RGB")


def _is_worth(image: Image.Image, profile: object) -> bool:
    return isinstance(profile, bytes) and len(profile) <= MAX_PROFILE and image.mode in ("RGB", "RGBA") and profile[16:20] == b"RGB "


def _drawn(image: Image.Image, limits: Box, orientation: int) -> Image.Image:
    """The pixels as they are to be seen: inside the box, turned, RGB, on white."""
    if image.format in ("JPEG", "MPO"):
        image.draft("RGB", limits)  # decoded at 1/2, 1/4 or 1/8 of its size where that is enough
    _loaded(image)
    try:
        picture = _with_colours(image)
    except ValueError:
        raise BadPicture(f"a picture whose colours ({image.mode}) are not known", cure="send it as JPEG") from None
    picture.thumbnail(limits, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if orientation in _TURNS:
        picture = picture.transpose(_TURNS[orientation])
    return _on_white(picture)


def _with_colours(image: Image.Image) -> Image.Image:
    """In a mode that can be scaled."""
    if image.mode in ("RGB", "RGBA", "L"):
        return image
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        return white
    return picture.convert("RGB")


def _coded(picture: Image.Image, budget: int, profile: bytes | None) -> Fitted:
    """The best quality that fits; below the lowest worth looking at, fewer pixels (delivery.md 7, images 4)."""
    smallest, scaled, scale = 0, picture, 1.0
    for scaling in range(MAX_SCALINGS + 1):
        if scaling:
            scale *= SCALE_STEP
            scaled = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS)
        quality = FIRST_QUALITY
        while True:
            data = _jpeg(scaled, quality, profile)
            if len(data) <= budget:
                return Fitted(data, "image/jpeg", scaled.width, scaled.height, quality)
            if quality <= LOWEST_QUALITY:
                break
            quality = max(LOWEST_QUALITY, int(min(quality * math.sqrt(max(budget, 0) / len(data)), quality * QUALITY_STEP)))
        smallest = len(data)
    raise CannotShrink(f"{smallest:,} octets at the smallest, and there is room for {max(budget, 0):,}", smallest=smallest)


def _jpeg(picture: Image.Image, quality: int, profile: bytes | None) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, subsampling="4:2:0", optimize=True, icc_profile=profile, exif=b"")
    return out.getvalue()

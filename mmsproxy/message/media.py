"""Files of a message: what they are, by their content, and how they may be called (delivery.md 7).

Rule 1: the content decides, never the claim; a claim counts only where the content says nothing against it.
Rule 2: what a phone or a browser would run (HTML, SVG, scripts) and what would be read as part of the message itself (SMIL, multiparts)
is refused. Rule 3: a name is for showing: no path, no control character, ASCII, and its ending agrees with the content.
It decodes no picture: picture.py does, in its own process.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import filetype

from mmsproxy.errors import Fault, MmsproxyError

HEAD = 8192  # octets at the start that tell what a file is
MAX_NAME = 60  # characters of a name that is shown
UNKNOWN = "application/octet-stream"

VCARD_21 = "text/x-vCard"
VCARD = "text/vcard"
VCALENDAR = "text/x-vCalendar"  # vCalendar 1.0
CALENDAR = "text/calendar"  # iCalendar 2.0

# The first ending is the one of the part's name; the others are those that a user's name may have.
ENDINGS: dict[str, tuple[str, ...]] = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png", "apng"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/bmp": ("bmp",),
    "image/tiff": ("tif", "tiff"),
    "image/heic": ("heic", "heif"),
    "image/avif": ("avif",),
    "audio/amr": ("amr",),
    "audio/amr-wb": ("awb", "amr"),
    "audio/3gpp": ("3gp", "3ga"),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a", "mp4"),
    "audio/aac": ("aac",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/x-wav": ("wav",),
    "audio/midi": ("mid", "midi"),
    "audio/x-flac": ("flac",),
    "video/mp4": ("mp4", "m4v"),
    "video/3gpp": ("3gp", "3gpp"),
    "video/3gpp2": ("3g2",),
    "video/quicktime": ("mov", "qt"),
    "video/webm": ("webm",),
    "video/x-matroska": ("mkv",),
    "video/x-msvideo": ("avi",),
    "video/mpeg": ("mpg", "mpeg"),
    "text/plain": ("txt", "text", "log", "md", "csv"),
    VCARD_21: ("vcf",),
    VCARD: ("vcf",),
    VCALENDAR: ("vcs",),
    CALENDAR: ("ics",),
    "application/pdf": ("pdf",),
    "application/zip": ("zip",),
}
_SAME_TYPES = {"image/apng": "image/png", "image/jpg": "image/jpeg", "video/x-m4v": "video/mp4", "audio/x-m4a": "audio/mp4"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_ACTIVE = re.compile(r"image/svg.*|text/html|application/xhtml.*|(text|application)/(x-)?(java|ecma)script")
_STRUCTURE = re.compile(r"multipart/.*|message/.*|application/vnd\.wap\.(mms-message|multipart\..*)|application/smil(\+xml)?")
_ACTIVE_ENDINGS = {
    "html",
    "htm",
    "xhtml",
    "xht",
    "svg",
    "svgz",
    "js",
    "mjs",
    "hta",
    "smil",
    "smi",
    "exe",
    "bat",
    "cmd",
    "lnk",
    "apk",
    "scr",
}
_HTML = re.compile(r"<\s*(!doctype\s+html|html|head|body|script|iframe|meta|title|style)\b", re.I)
_SVG = re.compile(r"<\s*([\w-]{1,20}:)?svg\b", re.I)
_SMIL = re.compile(r"<\s*smil\b", re.I)
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class UnsupportedMedia(MmsproxyError):
    """A file that no message may carry, or that is not what it is said to be."""

    code = "unsupported_media"
    fault = Fault.CALLER


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is to be sent. `content_type` is what it is; `filename` a clean name to show, or None."""

    content_type: str
    data: bytes
    filename: str | None = None

    @property
    def kind(self) -> str:
        """image, video, audio, text, contact, calendar or file: how a phone shows it and how its part is called."""
        if self.content_type in (VCARD, VCARD_21):
            return "contact"
        if self.content_type in (CALENDAR, VCALENDAR):
            return "calendar"
        family = self.content_type.partition("/")[0]
        if family == "text":
            return "text" if self.content_type == "text/plain" else "file"
        return family if family in ("image", "video", "audio") else "file"

    @property
    def ending(self) -> str:
        """The ending of the part's name, without the dot."""
        known = ENDINGS.get(self.content_type)
        if known:
            return known[0]
        own = (self.filename or "").rpartition(".")[2].lower()
        return own if re.fullmatch(r"[a-z0-9]{1,8}", own) and own not in _ACTIVE_ENDINGS else "bin"


def recognise(data: bytes, claimed: str | None = None, filename: str | None = None) -> File:
    """The file with its true type and a clean name. Raises UnsupportedMedia.

    Text in another coding than UTF-8 is written in UTF-8, which is what the part says it is.
    """
    claim = _bare(claimed)
    text = _text(data, claim)
    found = _binary_type(data, claim) if text is None else _text_type(text, claim)
    if _STRUCTURE.fullmatch(found):
        raise UnsupportedMedia(f"{found} is part of how a message is made, no file in it", cure="a SMIL goes into smil, with layout custom")
    if _ACTIVE.fullmatch(found):
        raise UnsupportedMedia(
            f"{found} can run programs on the receiver's phone and is not sent", cure="send a picture, or the text itself"
        )
    octets = data if text is None else text.encode()
    return File(found, octets, clean_name(filename, found))


def clean_name(name: str | None, content_type: str) -> str | None:
    """A user's file name fit to be shown: the last step of a path, ASCII, its ending that of the content; None: nothing is left."""
    if name is None:
        return None
    last = re.split(r"[/\\:]", name)[-1]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    stem, dot, ending = re.sub(r"[^A-Za-z0-9._ ()+-]", "_", plain).strip().rstrip(" .").rpartition(".")
    if not dot:
        stem, ending = ending, ""
    known = ENDINGS.get(content_type)
    if (known and ending.lower() not in known) or ending.lower() in _ACTIVE_ENDINGS:
        ending = known[0] if known else "bin"
    stem = stem.strip(" ._")[: MAX_NAME - 10]
    if not stem:
        return None
    return f"{stem}.{ending[:8]}" if ending else stem


def _bare(claimed: str | None) -> str | None:
    media = (claimed or "").partition(";")[0].strip().lower()
    media = _SAME_TYPES.get(media, media)
    return None if media in ("", UNKNOWN, "binary/octet-stream", "application/x-www-form-urlencoded") else media


def _text(data: bytes, claim: str | None) -> str | None:
    """The file as text, None when it is none. What is not UTF-8 is text only if it is said to be."""
    for mark, coding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig")):
        if data.startswith(mark):
            try:
                text = data.decode(coding)
            except UnicodeDecodeError:
                continue
            return None if _NO_TEXT.search(text) else text
    if claim is not None and claim.startswith("text/"):
        text = data.decode("cp1252", "replace")
        return None if _NO_TEXT.search(text) else text
    return None


def _text_type(text: str, claim: str | None) -> str:
    start = text[:HEAD].lstrip()
    upper = start[:20].upper()
    if upper.startswith("BEGIN:VCARD"):
        return VCARD_21 if re.search(r"^VERSION:2\.", text, re.M | re.I) else VCARD
    if upper.startswith("BEGIN:VCALENDAR"):
        return VCALENDAR if re.search(r"^VERSION:1\.", text, re.M | re.I) else CALENDAR
    if upper.startswith("%PDF-"):
        return "application/pdf"
    markup = _markup_type(start) if start.startswith("<") else None
    if markup:
        return markup
    if claim is not None and claim.partition("/")[0] in ("image", "audio", "video", "font"):
        raise UnsupportedMedia(f"said to be {claim}, but its content is text", cure="check the file, or leave content_type out")
    is_false = claim in (VCARD, VCARD_21.lower(), CALENDAR, VCALENDAR.lower(), "application/pdf", "application/zip")
    return "text/plain" if claim is None or is_false else claim


def _markup_type(start: str) -> str | None:
    for pattern, content_type in ((_SVG, "image/svg+xml"), (_SMIL, "application/smil"), (_HTML, "text/html")):
        if pattern.search(start):
            return content_type
    return None


def _binary_type(data: bytes, claim: str | None) -> str:
    found = _container_type(data, claim) or _magic_type(data)
    family = (claim or "").partition("/")[0]
    if found is None:
        if family in ("", "application") or claim is None:
            return claim if claim is not None and claim not in ("application/pdf", "application/zip") else UNKNOWN
        raise UnsupportedMedia(
            f"said to be {claim}, but its content is not", cure="check the file; to send it as it is, leave content_type out"
        )
    # An office document, an app's own archive: a ZIP by content, and only its maker knows the better name.
    if found == "application/zip" and claim is not None and family == "application":
        return claim
    return found


def _container_type(data: bytes, claim: str | None) -> str | None:
    """The type of an ISO base media file by its major brand (ISO 14496-12 4.3, 3GPP TS 26.244 5.3)."""
    if data[4:8] != b"ftyp" or len(data) < 16:
        return None
    brand = data[8:12]
    is_audio = (claim or "").startswith("audio/")
    if brand[:3] in (b"3gp", b"3gr", b"3gs", b"3ge", b"3gg"):
        return "audio/3gpp" if is_audio else "video/3gpp"
    if brand[:3] == b"3g2":
        return "video/3gpp2"
    if brand in _HEIF:
        return "image/heic"
    if brand in (b"avif", b"avis"):
        return "image/avif"
    if brand == b"qt  ":
        return "video/quicktime"
    return "audio/mp4" if is_audio or brand in (b"M4A ", b"M4B ") else "video/mp4"


def _magic_type(data: bytes) -> str | None:
    if data.startswith(b"#!AMR-WB\n"):
        return "audio/amr-wb"
    guess = filetype.guess(data[:HEAD])
    return None if guess is None else _SAME_TYPES.get(guess.mime, str(guess.mime))

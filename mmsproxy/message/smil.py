"""The SMIL part: how a phone shows the other parts of a message (delivery.md 7).

Rule 1: every other part stands in it exactly once, by its Content-Location; phones drop a SMIL whose count differs.
Rule 2: a part is named, never quoted: the text itself does not stand in the SMIL. Names are ours and ASCII, so nothing is escaped here;
what would need escaping is refused. Rule 3: a picture and its caption are one page, so that they are shown as one bubble.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

CONTENT_TYPE = "application/smil"
CONTENT_ID = "smil"  # on the wire `"<smil>`; the multipart's `start` parameter names it
CONTENT_LOCATION = "smil.xml"
SLIDE_MS = 5000  # how long a slide without a length of its own is shown

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_TAG = re.compile(r"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(r"""(\s)([\w:.-]+)(\s*=\s*)("[^"]*"|'[^']*')""")
_ELEMENTS = {"image": ("img", "Image"), "video": ("video", "Image"), "audio": ("audio", ""), "text": ("text", "Text")}


@dataclass(frozen=True, slots=True)
class Shown:
    """One part on a page. `kind` is that of media.File; `source` its Content-Location; `ms` its own length, None when it has none."""

    kind: str
    source: str
    ms: int | None = None


Page = tuple[Shown, ...]


def pages(media: Sequence[Shown], text: Shown | None, *, text_first: bool) -> tuple[Page, ...]:
    """What is shown together, page by page: a picture with its sound, the text with the first of them, any other file alone."""
    found: list[list[Shown]] = []
    for item in media:
        page = next((page for page in found if _takes(page, item)), None)
        if page is None:
            found.append([item])
        else:
            page.append(item)
    if text is not None:
        if found and found[0][0].kind in ("image", "video", "audio"):
            found[0].insert(0 if text_first else len(found[0]), text)
        else:
            found.insert(0, [text])
    return tuple(tuple(page) for page in found)


def slides(shown: Sequence[Page], *, text_first: bool = False) -> bytes:
    """The SMIL of these pages. Raises ValueError for a name that is not ours."""
    kinds = {_ELEMENTS[item.kind][1] for page in shown for item in page if item.kind in _ELEMENTS}
    body = "".join(_par(page) for page in shown)
    regions = "".join(_regions(kinds, text_first))
    return f"<smil><head><layout><root-layout/>{regions}</layout></head><body>{body}</body></smil>".encode("ascii")


def sources(smil: str) -> tuple[str, ...]:
    """The parts that a SMIL names, in its order, as it calls them."""
    found = (match for tag in _TAG.findall(smil) for match in _ATTRIBUTE.finditer(tag) if match[2] == "src")
    return tuple(match[4][1:-1] for match in found)


def renamed(smil: str, names: Mapping[str, str]) -> bytes:
    """A user's SMIL with each `src` replaced by the Content-Location that `names` has for it; all else stays as it is."""

    def attribute(match: re.Match[str]) -> str:
        is_source = match[2] == "src"
        return f'{match[1]}src="{_safe(names[match[4][1:-1]])}"' if is_source else match[0]

    return _TAG.sub(lambda tag: _ATTRIBUTE.sub(attribute, tag[0]), smil).encode()


def _takes(page: Sequence[Shown], item: Shown) -> bool:
    """A page of one picture takes one sound, and a sound one picture: what a phone can play at once."""
    return len(page) == 1 and {page[0].kind, item.kind} == {"image", "audio"}


def _regions(kinds: set[str], text_first: bool) -> Iterator[str]:
    if "Image" not in kinds:
        if "Text" in kinds:
            yield '<region id="Text" top="0" left="0" height="100%" width="100%"/>'
        return
    if "Text" not in kinds:
        yield '<region id="Image" top="0" left="0" height="100%" width="100%" fit="meet"/>'
        return
    image_top, text_top = ("20%", "0") if text_first else ("0", "80%")
    yield f'<region id="Image" top="{image_top}" left="0" height="80%" width="100%" fit="meet"/>'
    yield f'<region id="Text" top="{text_top}" left="0" height="20%" width="100%" fit="scroll"/>'


def _par(page: Page) -> str:
    lengths = [item.ms for item in page if item.ms is not None]
    ms = max(lengths, default=SLIDE_MS)
    return f'<par dur="{ms}ms">{"".join(_element(item) for item in page)}</par>'


def _element(item: Shown) -> str:
    element, region = _ELEMENTS.get(item.kind, ("ref", ""))
    where = f' region="{region}"' if region else ""
    return f'<{element} src="{_safe(item.source)}"{where}/>'


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no part name")
    return name

"""The SMIL part: how a phone shows the other parts of a message (delivery.md 7).

Rule 1: every other part stands in it exactly once, by its Content-Location; phones drop a SMIL whose count differs.
Rule 2: a part is named, never quoted: the text itself does not stand in the SMIL. Names are ours and ASCII, so nothing is escaped here;
what would need escaping is refused.
"""

from __future__ import annotations

import re

CONTENT_TYPE = "application/smil"
CONTENT_ID = "smil"  # on the wire `"<smil>`; the multipart's `start` parameter names it
CONTENT_LOCATION = "smil.xml"
SLIDE_MS = 5000  # how long a slide without a length of its own is shown

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")


def text_slide(source: str) -> bytes:
    """The SMIL of a message that is one text part with the Content-Location `source`. Raises ValueError for a name that is not ours."""
    if not _NAME.fullmatch(source):
        raise ValueError(f"{source!r} is no part name")
    region = '<region id="Text" top="0" left="0" height="100%" width="100%"/>'
    slide = f'<par dur="{SLIDE_MS}ms"><text src="{source}" region="Text"/></par>'
    return f"<smil><head><layout><root-layout/>{region}</layout></head><body>{slide}</body></smil>".encode("ascii")

"""What a terminal may be given: text of others that does nothing to it, and streams that cannot fail for want of a character.

It knows no command and no gateway.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import TextIO

_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\\\\]")
_SHORT = {9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"}


def safe(text: str) -> str:
    """Text that does nothing to a terminal: `\\x1b`, `\\u202e`."""
    return _INVISIBLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return _SHORT.get(number) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def lenient(streams: Iterable[TextIO]) -> None:
    """A character that the terminal's alphabet has not is shown as an escape: a message that was sent must not end as a traceback."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

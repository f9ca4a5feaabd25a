"""The readable tree, drawn from the JSON form: one line a header, its offset in front, what is inside something indented.

Rule 1: nothing here decodes. Rule 2: the output is plain text and the same on a terminal and in a pipe. Rule 3: nothing that came from
a PDU reaches the terminal unescaped: control and direction characters are shown as escapes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, Final

from mmsproxy.cli.terminal import safe
from mmsproxy.wire.pdu_values import INSERT_ADDRESS

MAX_TEXT: Final = 500  # characters of a text part shown
MAX_HEX: Final = 32  # octets of data shown
_NAME_WIDTH: Final = 26
_SHOWN_WITHOUT_QUOTES = re.compile(r"[0-9.]+|0x[0-9A-F]+")


def tree(shown: dict[str, Any]) -> str:
    """One file, as lines with a closing line feed."""
    return "\n".join(_file(shown)) + "\n"


def _file(shown: dict[str, Any]) -> Iterator[str]:
    form = "" if shown["form"] == "octets" else f" from {shown['form']}"
    yield f"{safe(shown['file'])}: {title(shown)}, {shown['size']} octets{form}"
    yield from _body_of(shown, "  ")


def title(shown: dict[str, Any]) -> str:
    """`MMS m-send-req`, `WSP push`, `SMS deliver`."""
    kind = shown["kind"]
    if kind == "mms-pdu":
        return f"MMS {shown['type']}"
    return "WSP confirmed push" if kind == "wsp-push" and shown["confirmed"] else kind.replace("wsp-", "WSP ").replace("sms-", "SMS ")


def _body_of(shown: dict[str, Any], indent: str) -> Iterator[str]:
    if shown["kind"] == "mms-pdu":
        yield from _mms(shown, indent)
    elif shown["kind"] == "wsp-push":
        yield from _push(shown, indent)
    else:
        yield from _sms(shown, indent)


def _mms(shown: dict[str, Any], indent: str) -> Iterator[str]:
    yield from _headers(shown["headers"], indent)
    yield from _parts(shown, indent, "")
    if "body" in shown:
        yield f"{_at(shown['body']['offset'])}{indent}body, {_size(shown['body'])} octets"
        yield from _data(shown["body"], indent + "  ")
    yield from _ending(shown, indent)


def _push(shown: dict[str, Any], indent: str) -> Iterator[str]:
    yield f"{_at(0)}{indent}{'Transaction id':<{_NAME_WIDTH}} {shown['tid']}"
    yield from _headers(shown["headers"], indent)
    body = shown["body"]
    if "mms" in body:
        yield f"{_at(body['offset'])}{indent}body: {title(body['mms'])}, {body['mms']['size']} octets"
        yield from _mms(body["mms"], indent + "  ")
    else:
        yield f"{_at(body['offset'])}{indent}body, {len(body['hex']) // 2} octets"
        yield from _data(body, indent + "  ")
        if "error" in body:
            yield f"{' ' * 8}{indent}error: {_finding(body['error'])}"
    yield from _ending(shown, indent)


def _sms(shown: dict[str, Any], indent: str) -> Iterator[str]:
    yield from _headers(shown["fields"], indent)
    user_data = shown.get("user_data")
    if user_data is not None:
        yield f"{_at(None)}{indent}{'user-data':<{_NAME_WIDTH}} {_user_data(user_data)}"
        yield from _data(user_data, indent + "  ")
    yield from _ending(shown, indent)
    if "push" in shown:
        yield f"{_at(None)}{indent}{title(shown['push'])}, {shown['push']['size']} octets"
        yield from _push(shown["push"], indent + "  ")


def _user_data(user_data: dict[str, Any]) -> str:
    words = [user_data["alphabet"]]
    if "ports" in user_data:
        words.append(f"to port {user_data['ports']['destination']} from {user_data['ports']['source']}")
    if "part" in user_data:
        part = user_data["part"]
        words.append(f"part {part['number']} of {part['of']}, reference {part['reference']}")
    return ", ".join(words)


def _parts(shown: dict[str, Any], indent: str, outer: str) -> Iterator[str]:
    for number, part in enumerate(shown.get("parts", ())):
        name = f"{outer}parts[{number}]"
        size = "" if "parts" in part else f", {part['size']} octets"
        yield f"{_at(part['offset'])}{indent}{name}{size}"
        yield from _headers(part["headers"], indent + "  ")
        yield from _data(part, indent + "  ")
        yield from _parts(part, indent + "  ", f"{name}.")


def _headers(headers: list[dict[str, Any]], indent: str) -> Iterator[str]:
    for header in headers:
        if header["name"] == "":
            yield f"{_at(header['offset'])}{indent}{'(no header)':<{_NAME_WIDTH}} {_hex(header['octets'])}"
            continue
        name = f'"{safe(header["name"])}"' if header.get("textual") else header["name"]
        yield f"{_at(header['offset'])}{indent}{name:<{_NAME_WIDTH}} {_with_words(header['value'], header.get('means'))}"


def _with_words(shown: Any, means: str | None) -> str:
    """Numbers say little: their words stand in front."""
    if means is None or (isinstance(shown, dict) and INSERT_ADDRESS in shown):
        return value(shown)
    return f"{means} ({shown})" if isinstance(shown, int) else f"{value(shown)}  ({means})"


def value(shown: Any) -> str:
    """A value of the JSON form on one line."""
    if isinstance(shown, bool):
        return "yes" if shown else "no"
    if isinstance(shown, str):
        return safe(shown) if _SHOWN_WITHOUT_QUOTES.fullmatch(shown) else f'"{safe(shown)}"'
    if not isinstance(shown, dict):
        return "-" if shown is None else str(shown)
    if INSERT_ADDRESS in shown:
        return "(the MMSC puts it in)"
    if "hex" in shown:
        return _hex(shown["hex"])
    if "parameters" in shown:
        return "; ".join([safe(str(next(iter(shown.values())))), *map(_parameter, shown["parameters"])])
    if "charset" in shown:
        return value(shown["text"])
    return ", ".join(f"{key} {value(inner)}" for key, inner in shown.items())


def _parameter(parameter: dict[str, Any]) -> str:
    return f"{safe(parameter['name'])}={value(parameter['value'])}"


def _data(shown: dict[str, Any], indent: str) -> Iterator[str]:
    if "text" in shown:
        text = shown["text"]
        for line in text[:MAX_TEXT].splitlines():
            yield f"{' ' * 8}{indent}| {safe(line)}"
        if len(text) > MAX_TEXT:
            yield f"{' ' * 8}{indent}({len(text) - MAX_TEXT} more characters)"
    elif "base64" in shown or "hex" in shown:
        octets = base64.b64decode(shown["base64"]) if "base64" in shown else bytes.fromhex(shown["hex"])
        if octets:
            yield f"{' ' * 8}{indent}{_hex(octets[: MAX_HEX + 1].hex())}"
    if "saved" in shown:
        yield f"{' ' * 8}{indent}saved as {safe(shown['saved'])}"


def _size(shown: dict[str, Any]) -> int:
    return int(shown["size"])


def _ending(shown: dict[str, Any], indent: str) -> Iterator[str]:
    if "tail" in shown:
        yield f"{_at(shown['tail']['offset'])}{indent}{'(tail)':<{_NAME_WIDTH}} {_hex(shown['tail']['hex'])}"
    for warning in shown["warnings"]:
        yield f"{' ' * 8}{indent}warning: {_finding(warning)}"


def _finding(found: dict[str, Any]) -> str:
    where = f"{found['path']} " if found["path"] else ""
    return safe(f"offset {found['offset']}: {where}{found['rule']}: {found['detail']} [{found['context']}]")


def _hex(digits: str) -> str:
    octets = bytes.fromhex(digits)
    more = "" if len(octets) <= MAX_HEX else " ..."
    return octets[:MAX_HEX].hex(" ") + more


def _at(offset: int | None) -> str:
    return " " * 8 if offset is None else f"{offset:>7} "

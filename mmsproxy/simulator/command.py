"""Command lines taken apart, and the tables that bind them to handlers.

Law: V.250 syntax only (5.3: basic commands, 5.4: extended commands); no command is known here. Pure: no I/O, no clock.
A dialect is a class whose methods carry `@at("+CIPSTART=")`-like marks; `handlers(cls)` collects them, nearest class first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

CME_TEXT = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    16: "incorrect password",
    30: "no network service",
    50: "Incorrect parameters",
    100: "unknown",
    148: "unspecified GPRS error",
}


class Kind(Enum):
    """The four forms of an extended command; the value is what stands after the name."""

    RUN = ""
    SET = "="
    READ = "?"
    TEST = "=?"


class Refused(Exception):
    """Ends a command line with an error. `code` makes it +CME ERROR (by AT+CMEE); `lines` are said before it."""

    def __init__(self, code: int | None = None, *, lines: tuple[str, ...] = (), text: str = "ERROR") -> None:
        super().__init__(text)
        self.code = code
        self.lines = lines
        self.text = text


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument; `quoted` tells "1" from 1."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One command of a line: `AT+CIPSEND=0,5` is name +CIPSEND, kind SET, args (0, 5). Basic commands have their number as the one arg."""

    name: str
    kind: Kind
    args: tuple[Arg, ...] = ()
    text: str = ""

    def __len__(self) -> int:
        return len(self.args)

    def has(self, index: int) -> bool:
        """Whether the argument was given and is not empty."""
        return index < len(self.args) and (self.args[index].text != "" or self.args[index].quoted)

    def word(self, index: int, default: str | None = None) -> str:
        """Raises Refused when the argument is missing and there is no default."""
        if self.has(index):
            return self.args[index].text
        if default is None:
            raise Refused
        return default

    def number(self, index: int, low: int, high: int, default: int | None = None) -> int:
        """Raises Refused when it is missing without default, no number, or out of range."""
        if not self.has(index):
            if default is None:
                raise Refused
            return default
        text = self.args[index].text
        if not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) <= high:
            raise Refused
        return int(text)


@dataclass(frozen=True, slots=True)
class Done:
    """How a handler ended. `ok`: the line goes on and ends with OK; else the handler has said its own last line and none follows.
    `then`: started once the line's final result is out (the deciding line that comes later)."""

    ok: bool = True
    then: Callable[[], Coroutine[Any, Any, None]] | None = None


OK = Done()
NO_RESULT = Done(ok=False)

Handler = Callable[[Any, Call], Coroutine[Any, Any, Done | None]]
_Method = TypeVar("_Method", bound=Callable[..., Any])


def at(*forms: str) -> Callable[[_Method], _Method]:
    """Marks a method as the handler of command forms: `+CIPMUX=`, `+CIPMUX?`, `+CIPMUX=?`, `+CIPSHUT`, `E` (basic)."""

    def mark(method: _Method) -> _Method:
        method.__dict__["at_forms"] = forms
        return method

    return mark


def handlers(dialect: type) -> dict[tuple[str, Kind], Handler]:
    """All marked methods of a class and its bases; the nearest class wins."""
    table: dict[tuple[str, Kind], Handler] = {}
    for cls in reversed(dialect.__mro__):
        for method in vars(cls).values():
            for form in getattr(method, "at_forms", ()):
                name, kind = _form(form)
                table[name, kind] = method
    return table


def _form(form: str) -> tuple[str, Kind]:
    for kind in (Kind.TEST, Kind.SET, Kind.READ):
        if form.endswith(kind.value):
            return form[: -len(kind.value)], kind
    return form, Kind.RUN


_EXTENDED = re.compile(r"([+#^$*%][A-Z][A-Z0-9]*)(=\?|\?|=|)", re.IGNORECASE)
_S_REGISTER = re.compile(r"(S[0-9]+)(?:(\?)|=([0-9]*))", re.IGNORECASE)
_BASIC = re.compile(r"([&\\%]?[A-Z])([0-9]*)", re.IGNORECASE)


def parts(line: str) -> Iterator[Call]:
    """The commands of one line (what follows AT), one by one: those before a malformed one are still carried out (V.250 5.4.5).

    Raises Refused when it comes to something that is no command.
    """
    rest = line.strip(" ")
    while rest:
        match = _EXTENDED.match(rest)
        if match:
            body, rest = _cut(rest[match.end() :])
            yield _extended(match.group(1).upper(), match.group(2), body)
            continue
        match = _S_REGISTER.match(rest) or _BASIC.match(rest)
        if match is None:
            raise Refused
        rest = rest[match.end() :].lstrip(" ;")
        yield _basic(match)


def _cut(text: str) -> tuple[str, str]:
    """(up to the next semicolon outside quotes, what follows it)."""
    quoted = False
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            return text[:index], text[index + 1 :].lstrip(" ")
    return text, ""


def _extended(name: str, mark: str, body: str) -> Call:
    kind = Kind(mark)
    if kind is not Kind.SET:
        if body.strip(" "):
            raise Refused
        return Call(name, kind)
    return Call(name, kind, _arguments(body), body)


def _arguments(body: str) -> tuple[Arg, ...]:
    return tuple(_argument(field.strip(" ")) for field in _fields(body))


def _fields(body: str) -> list[str]:
    """Split at the commas outside quotes."""
    fields, quoted = [""], False
    for char in body:
        quoted ^= char == '"'
        if char == "," and not quoted:
            fields.append("")
        else:
            fields[-1] += char
    return fields


def _argument(field: str) -> Arg:
    if not field.startswith('"'):
        if '"' in field:
            raise Refused
        return Arg(field)
    if len(field) < 2 or field.count('"') != 2 or not field.endswith('"'):
        raise Refused
    return Arg(field[1:-1], quoted=True)


def _basic(match: re.Match[str]) -> Call:
    name = match.group(1).upper()
    if match.re is _S_REGISTER:
        value = match.group(3)
        return Call("S", Kind.READ if match.group(2) else Kind.SET, (Arg(name[1:]), Arg(value or "0")))
    return Call(name, Kind.RUN, (Arg(match.group(2)),) if match.group(2) else ())

"""Parameters, and the values that carry them: media types and dispositions (WSP 8.4.2.4, 8.4.2.21, 8.4.2.24, table 38).

Knows that a parameter's number, not its place, gives its grammar, and that any typed parameter may hold text instead.
"""

from __future__ import annotations

from typing import Any, Final

from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import DISPOSITIONS, ELEMENT_PARAMETERS, MEDIA_TYPES, PARAMETER_NAMES, PARAMETER_NUMBERS
from mmsproxy.wsp.choices import CONSTRAINED_MEDIA, FIELD_NAME, MEDIA, OPAQUE, VERSION_VALUE, IntegerOr, NamedOctet
from mmsproxy.wsp.integers import (
    CHARSET,
    DATE_VALUE,
    DELTA_SECONDS,
    INTEGER_VALUE,
    NO_VALUE,
    Q_VALUE,
    SHORT_INTEGER,
    general_form,
    write_general,
)
from mmsproxy.wsp.leaf import LENGTH_QUOTE, REFUSE, Flaws, Leaf, fault
from mmsproxy.wsp.texts import TEXT_STRING, TEXT_VALUE, TOKEN_TEXT
from mmsproxy.wsp.values import ContentType, Disposition, ElementDescriptor, Parameter, ParameterValue

MAX_PARAMETERS: Final = 64  # of one value; real ones have at most 4

# WSP table 38: number -> grammar of its value. Numbers and names: `wap_numbers.PARAMETERS`.
PARAMETER_GRAMMARS: Final[dict[int, Leaf]] = {
    0x00: Q_VALUE,
    0x01: CHARSET,
    0x02: VERSION_VALUE,
    0x03: INTEGER_VALUE,
    0x05: TEXT_STRING,
    0x06: TEXT_STRING,
    0x07: FIELD_NAME,
    0x08: SHORT_INTEGER,
    0x09: CONSTRAINED_MEDIA,
    0x0A: TEXT_STRING,
    0x0B: TEXT_STRING,
    0x0C: TEXT_STRING,
    0x0D: TEXT_STRING,
    0x0E: DELTA_SECONDS,
    0x0F: TEXT_STRING,
    0x10: NO_VALUE,
    0x11: SHORT_INTEGER,
    0x12: TEXT_VALUE,
    0x13: DATE_VALUE,
    0x14: DATE_VALUE,
    0x15: DATE_VALUE,
    0x16: INTEGER_VALUE,
    0x17: TEXT_VALUE,
    0x18: TEXT_VALUE,
    0x19: TEXT_VALUE,
    0x1A: TEXT_VALUE,
    0x1B: TEXT_VALUE,
    0x1C: TEXT_VALUE,
    0x1D: TEXT_VALUE,
}
# Grammars to which a first octet of 20-7F belongs; all others hand it to Text-value ("value of its type | Text-value").
_TEXTUAL: Final = (TEXT_STRING, TEXT_VALUE, CONSTRAINED_MEDIA, FIELD_NAME, VERSION_VALUE, Q_VALUE)


class ElementValue(Leaf):
    """Constrained-encoding | Text-string: the value of a parameter of X-Mms-Element-Descriptor."""

    grammar = "Constrained-encoding | Text-string"
    clause = "ENC 7.3.18"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        return CONSTRAINED_MEDIA.read(buf, pos, end, flaw)

    def write(self, value: str, out: bytearray) -> None:
        CONSTRAINED_MEDIA.write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return (CONSTRAINED_MEDIA,)


UNTYPED_VALUE: Final = IntegerOr(TEXT_VALUE, "WSP 8.4.2.4")
ELEMENT_VALUE: Final = ElementValue()


_tuple: Final = tuple.__new__  # a third of the time of Parameter(...)


class ParameterList(Leaf):
    """*Parameter, up to the end of the container -> tuple of Parameter. A number space is a table of names and grammars."""

    grammar = "*Parameter"
    clause = "WSP 8.4.2.4"

    def __init__(self, names: dict[int, str], grammars: dict[int, Leaf], untyped: Leaf) -> None:
        super().__init__()
        self.names = names
        self.grammars = grammars
        self.untyped = untyped
        # By octet: name, number, read, takes text itself, is a Text-string.
        self._rows: list[tuple[str, int, Any, bool, bool] | None] = [None] * 256
        for number, leaf in grammars.items():
            own_text = leaf in _TEXTUAL or leaf is untyped
            self._rows[0x80 | number] = (names[number], number, leaf.read, own_text, leaf is TEXT_STRING)

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[tuple[Parameter, ...], int]:
        parameters: list[Parameter] = []
        rows = self._rows
        found = flaw.found
        seen = len(found)
        while pos < end:
            row = rows[buf[pos]]
            try:
                # The usual parameter: well-known, with a value of its own type.
                if row is not None and pos + 1 < end and (row[3] or not 0x20 <= buf[pos + 1] <= 0x7F):
                    if row[4] and buf[pos + 1] == 0x22:
                        flaw.note("quoted-parameter", pos)
                    value, pos = row[2](buf, pos + 1, end, flaw)
                    parameters.append(_tuple(Parameter, (row[0], value, row[1])))
                else:
                    pos = self._unusual(buf, pos, end, flaw, parameters)
            except PduError:
                del found[seen:]
                pos = self._unusual(buf, pos, end, flaw, parameters)
            if len(found) != seen:
                for flawed in found[seen:]:
                    flawed[2] = flawed[2] or f"parameters[{len(parameters) - 1}]"
                seen = len(found)
            if len(parameters) > MAX_PARAMETERS:
                raise fault("too-many-parameters", pos)
        return tuple(parameters), pos

    def _unusual(self, buf: bytes, pos: int, end: int, flaw: Flaws, parameters: list[Parameter]) -> int:
        """Appends one parameter. One that cannot be read ends the list: its octets stay in the raw value, up to its end."""
        seen = len(flaw.found)
        try:
            parameter, stop = self.read_one(buf, pos, end, flaw)
        except PduError as error:
            del flaw.found[seen:]
            error.path = path = f"parameters[{len(parameters)}]"
            flaw.accept(error)
            flaw.found[-1][2] = path
            return end
        parameters.append(parameter)
        return stop

    def read_one(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Parameter, int]:
        """One parameter, whatever its form."""
        octet = buf[pos]
        if octet >= 0x80:
            number, start = octet & 0x7F, pos + 1
        elif 0 < octet < LENGTH_QUOTE:
            number, start = INTEGER_VALUE.read(buf, pos, end, flaw)
        else:
            return self._untyped(buf, pos, end, flaw)
        leaf = self.grammars.get(number)
        if leaf is None:
            flaw.note("parameter-unknown", pos)
            value, stop = OPAQUE.read(buf, start, end, flaw)
            return Parameter(f"x-wap-{number:02x}", value, number), stop
        typed, stop = self._typed(leaf, buf, start, end, flaw)
        return Parameter(self.names[number], typed, number), stop

    def _typed(self, leaf: Leaf, buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[ParameterValue, int]:
        if leaf not in _TEXTUAL and leaf is not self.untyped and pos < end and 0x20 <= buf[pos] <= 0x7F:
            leaf = TEXT_VALUE
        seen = len(flaw.found)
        try:
            value, stop = leaf.read(buf, pos, end, flaw)
        except PduError as error:
            del flaw.found[seen:]
            flaw.accept(error)
            return OPAQUE.read(buf, pos, end, flaw)
        return value, stop

    def _untyped(self, buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[Parameter, int]:
        name, start = TOKEN_TEXT.read(buf, pos, end, flaw)
        if name.lower() in PARAMETER_NUMBERS:
            flaw.note("textual-parameter", pos)
        value, stop = self.untyped.read(buf, start, end, flaw)
        return Parameter(name, value), stop

    def write(self, value: tuple[Parameter, ...], out: bytearray) -> None:
        for parameter in value:
            self.write_one(parameter, out)

    def write_one(self, parameter: Parameter, out: bytearray) -> None:
        name, value, number = parameter
        if number is None:
            TOKEN_TEXT.write(name, out)
            self.untyped.write(value, out)
            return
        INTEGER_VALUE.write(number, out)
        leaf = self.grammars.get(number, OPAQUE)
        if isinstance(value, bytes):
            leaf = OPAQUE
        elif isinstance(value, str) and leaf not in _TEXTUAL and leaf is not ELEMENT_VALUE:
            leaf = TEXT_VALUE
        leaf.write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return *self.grammars.values(), self.untyped, TOKEN_TEXT


PARAMETER_LIST: Final = ParameterList(PARAMETER_NAMES, PARAMETER_GRAMMARS, UNTYPED_VALUE)
ELEMENT_PARAMETER_LIST: Final = ParameterList(ELEMENT_PARAMETERS, {0x02: ELEMENT_VALUE}, ELEMENT_VALUE)


class ContentTypeValue(Leaf):
    """Constrained-media | Value-length Media *Parameter -> ContentType. Written in the short form where it has no parameters."""

    grammar = "Constrained-media | Value-length Media *Parameter"
    clause = "WSP 8.4.2.24"

    def __init__(self, constrained: Leaf, media: Leaf) -> None:
        super().__init__()
        self.constrained = constrained
        self.media = media

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[ContentType, int]:
        if pos >= end:
            raise fault("value-missing", pos)
        if buf[pos] > LENGTH_QUOTE:
            media, stop = self.constrained.read(buf, pos, end, flaw)
            return _content_type(media, ()), stop
        start, stop = general_form(buf, pos, end, flaw)
        if start == stop:
            flaw("content-type-empty", pos)
            return _content_type("", ()), stop
        media = MEDIA_TYPES.get(buf[start] - 0x80)
        if media is None:
            media, start = self.media.read(buf, start, stop, flaw)
        else:
            start += 1
        parameters, _ = PARAMETER_LIST.read(buf, start, stop, flaw)
        return _content_type(media, parameters), stop

    def write(self, value: ContentType, out: bytearray) -> None:
        body = bytearray()
        self.media.write(value.media, body)
        if not value.parameters and body[0] > LENGTH_QUOTE:
            out += body
            return
        PARAMETER_LIST.write(value.parameters, body)
        write_general(body, out)

    def inner(self) -> tuple[Leaf, ...]:
        return self.constrained, self.media, PARAMETER_LIST


_new: Final = object.__new__
_set_media: Final = ContentType.__dict__["media"].__set__
_set_parameters: Final = ContentType.__dict__["parameters"].__set__


def _content_type(media: str, parameters: tuple[Parameter, ...]) -> ContentType:
    # Past __init__, which sorts out keyword parameters: a decoder makes several of these for each message.
    made: ContentType = _new(ContentType)
    _set_media(made, media)
    _set_parameters(made, parameters)
    return made


class DispositionValue(Leaf):
    """Value-length (form-data | attachment | inline | Token-text) *Parameter -> Disposition."""

    grammar = "Value-length Disposition *Parameter"
    clause = "WSP 8.4.2.21"
    KIND: Final = NamedOctet(DISPOSITIONS, "WSP 8.4.2.21")

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Disposition, int]:
        start, stop = general_form(buf, pos, end, flaw)
        kind, start = self.KIND.read(buf, start, stop, flaw)
        parameters, _ = PARAMETER_LIST.read(buf, start, stop, flaw)
        return Disposition(kind, parameters), stop

    def write(self, value: Disposition, out: bytearray) -> None:
        body = bytearray()
        self.KIND.write(value.kind, body)
        PARAMETER_LIST.write(value.parameters, body)
        write_general(body, out)

    def inner(self) -> tuple[Leaf, ...]:
        return self.KIND, PARAMETER_LIST


class ElementDescriptorValue(Leaf):
    """Value-length Text-string(content reference) *Parameter -> ElementDescriptor."""

    grammar = "Value-length Text-string *Parameter"
    clause = "ENC 7.3.18"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[ElementDescriptor, int]:
        start, stop = general_form(buf, pos, end, flaw)
        reference, start = TEXT_STRING.read(buf, start, stop, flaw)
        parameters, _ = ELEMENT_PARAMETER_LIST.read(buf, start, stop, flaw)
        return ElementDescriptor(reference, parameters), stop

    def write(self, value: ElementDescriptor, out: bytearray) -> None:
        body = bytearray()
        TEXT_STRING.write(value.reference, body)
        ELEMENT_PARAMETER_LIST.write(value.parameters, body)
        write_general(body, out)

    def inner(self) -> tuple[Leaf, ...]:
        return TEXT_STRING, ELEMENT_PARAMETER_LIST


CONTENT_TYPE: Final = ContentTypeValue(CONSTRAINED_MEDIA, MEDIA)
DISPOSITION: Final = DispositionValue()
ELEMENT_DESCRIPTOR: Final = ElementDescriptorValue()

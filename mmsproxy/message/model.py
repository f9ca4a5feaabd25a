"""What a script asks for: the body of POST /v1/messages, checked before anything else looks at it.

Rule 1: whatever octets come in, the answer is a SendRequest or InvalidRequest with every mistake found, never another exception.
Rule 2: a value is refused or taken as it is, never repaired: a number with a stray CR/LF is an attack or a bug, not a number.
Rule 3: only fields that do something are here; an unknown field is a mistake, so a misspelt one never goes unnoticed.
This module knows JSON and the limits of one message. It knows nothing of PDUs, lines or HTTP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

from mmsproxy.errors import Fault, MmsproxyError

MAX_RECIPIENTS = 20  # most carriers' limit for one MMS (delivery.md 7); AT&T takes 10
MAX_SUBJECT = 80  # characters; Canadian carriers refuse more (delivery.md 7)
MAX_DEPTH = 16  # nesting of the JSON text (delivery.md 8)
MAX_MISTAKES = 25  # mistakes told in one answer: a list of a million wrong numbers must not become an answer of a million lines
MAX_SHOWN = 40  # characters of a wrong value that a message repeats

_NUMBER = re.compile(r"\+?[0-9]{7,15}")  # E.164 with or without the plus; short codes cost money and are denied (delivery.md 9)
_LINE = re.compile(r"[A-Za-z0-9_-]{1,40}|\+[0-9]{7,15}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a request.

    `pointer` is an RFC 6901 JSON pointer ("" is the whole body), `code` snake_case, `detail` one line.
    """

    pointer: str
    code: str
    detail: str


class InvalidRequest(MmsproxyError):
    """The request cannot be understood or asks for what no message can be. `mistakes` holds at least one."""

    code = "invalid_request"
    fault = Fault.CALLER

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__(mistakes[0].detail)
        self.mistakes = mistakes


def _shown(value: str) -> str:
    """A wrong value for a message: printable ASCII, on one line, and short."""
    text = ascii(value[: MAX_SHOWN + 1])
    return text if len(value) <= MAX_SHOWN else f"{text[: MAX_SHOWN + 1]}...{text[0]}"


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise PydanticCustomError("wrong_type", "a number or a list of numbers is wanted, for example +12025550123 in quotes")
    if not value:
        raise PydanticCustomError("no_recipient", "name at least one number")
    if len(value) > MAX_RECIPIENTS:
        raise PydanticCustomError(
            "too_many_recipients",
            "{count} numbers; one message goes to {limit} at most, send further ones in another request",
            {"count": len(value), "limit": MAX_RECIPIENTS},
        )
    return tuple(value)


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise PydanticCustomError(
            "invalid_number",
            "{shown} is no telephone number; write 7 to 15 digits with + and the country code first, for example +12025550123",
            {"shown": _shown(value)},
        )
    return value


def _text(value: str) -> str:
    if not value:
        raise PydanticCustomError("empty", "the text is empty; a message needs at least one character")
    if "\x00" in value:
        raise PydanticCustomError("invalid_character", "the text has a NUL character, which phones cut the text at; leave it out")
    return value


def _subject(value: str) -> str:
    if not value:
        raise PydanticCustomError("empty", "the subject is empty; leave the field out instead")
    if _CONTROLS.search(value):
        raise PydanticCustomError("invalid_character", "a subject is one line without control characters")
    if len(value) > MAX_SUBJECT:
        raise PydanticCustomError(
            "too_long",
            "the subject has {count} characters; carriers take {limit} at most",
            {"count": len(value), "limit": MAX_SUBJECT},
        )
    return value


def _line(value: str) -> str:
    if not _LINE.fullmatch(value):
        raise PydanticCustomError(
            "invalid_line", "{shown} cannot be a line; write its name or own number as config.yaml has it", {"shown": _shown(value)}
        )
    return value


class SendRequest(BaseModel):
    """One message to send. Times, ids and the choice of the line are not its matter.

    to       1..20 numbers; a single string means one number. Several numbers are one group MMS: everybody sees everybody
    text     1 or more characters, sent as UTF-8
    subject  1..80 characters on one line, or None
    group    None, or true. False with several numbers asks for separate messages, which one request cannot make
    line     name or own number of the line that shall send, or None
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    to: Annotated[tuple[Annotated[str, AfterValidator(_number)], ...], BeforeValidator(_listed)]
    text: Annotated[str, AfterValidator(_text)]
    subject: Annotated[str, AfterValidator(_subject)] | None = None
    group: bool | None = None
    line: Annotated[str, AfterValidator(_line)] | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        """The numbers in their order, each once."""
        return tuple(dict.fromkeys(self.to))

    @field_validator("group")
    @classmethod
    def _several_are_a_group(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value is False and len(set(info.data.get("to", ()))) > 1:
            raise PydanticCustomError(
                "group_only", "several numbers in one request become one group MMS; send one request for each number instead"
            )
        return value


def parse_send_request(body: bytes) -> SendRequest:
    """The request in a JSON text (UTF-8, one object). Raises InvalidRequest with every mistake, at most MAX_MISTAKES."""
    document = _document(body)
    try:
        return SendRequest.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        one_number = isinstance(document.get("to"), str)
        raise InvalidRequest(tuple(_mistake(item, one_number) for item in found[:MAX_MISTAKES])) from None


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest((_unreadable(" ".join(str(error).split())[:200]),)) from None
    if _deeper_than(document, MAX_DEPTH):
        raise InvalidRequest((_TOO_DEEP,))
    if not isinstance(document, dict):
        raise InvalidRequest((Mistake("", "wrong_type", 'the body must be one JSON object, for example {"to": "+1...", "text": "..."}'),))
    return document


_TOO_DEEP = Mistake("", "too_deep", f"the JSON is nested more than {MAX_DEPTH} levels deep")


def _unreadable(reason: str) -> Mistake:
    # The parser gives up at a nesting of 200, so a depth bomb of any length costs nothing.
    return _TOO_DEEP if reason.startswith("recursion limit") else Mistake("", "bad_json", f"not JSON: {reason}")


def _deeper_than(value: Any, limit: int) -> bool:
    level = _containers([value])
    for _ in range(limit):
        level = [child for node in level for child in _containers(node)]
    return bool(level)


def _containers(node: dict[str, Any] | list[Any]) -> list[Any]:
    children = node.values() if isinstance(node, dict) else node
    return [child for child in children if isinstance(child, (dict, list))]


_DETAILS = {  # pydantic's error types -> our code and words; the types of this file's own checks stand for themselves
    "extra_forbidden": ("unknown_field", "there is no such field; see docs/api.md for those there are"),
    "missing": ("missing", "the field is missing"),
    "string_type": ("wrong_type", "a string is wanted"),
    "bool_type": ("wrong_type", "true or false is wanted"),
    "string_unicode": ("invalid_character", "not valid Unicode text"),
}


def _mistake(found: ErrorDetails, one_number: bool) -> Mistake:
    code, detail = _DETAILS.get(found["type"], (found["type"], found["msg"]))
    loc = found["loc"][:1] if one_number and found["loc"][:1] == ("to",) else found["loc"]
    return Mistake(_pointer(loc), code, detail)


def _pointer(loc: tuple[int | str, ...]) -> str:
    steps = (str(step)[: MAX_SHOWN * 2].replace("~", "~0").replace("/", "~1") for step in loc)
    return "".join(f"/{step}" for step in steps)

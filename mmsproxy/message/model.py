"""What a script asks for: the body of POST /v1/messages, checked before anything else looks at it (delivery.md 6).

Rule 1: whatever octets come in, the answer is a SendRequest or InvalidRequest with every mistake found, never another exception.
Rule 2: only fields that do something are here; an unknown field is a mistake, so a misspelt one never goes unnoticed.
This module knows JSON and what fits together. It knows nothing of PDUs, lines, clocks or HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.message import fields
from mmsproxy.message.fields import MAX_MEDIA, MAX_RECIPIENTS, MAX_SHOWN, MAX_SUBJECT, MAX_VALID_FOR

__all__ = [
    "MAX_MEDIA",
    "MAX_RECIPIENTS",
    "MAX_SUBJECT",
    "InvalidRequest",
    "MediaItem",
    "Mistake",
    "SendRequest",
    "mistakes_of",
    "parse_document",
    "parse_send_request",
    "with_media",
]

MAX_DEPTH = 16  # nesting of the JSON text (delivery.md 8)
MAX_MISTAKES = 25  # mistakes told in one answer: a list of a million wrong numbers must not become an answer of a million lines


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


_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


def _only_when(name: str, value: str, then: dict[str, Any], otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """JSON Schema for what one field's value asks of the others."""
    rule = {"if": {"required": [name], "properties": {name: {"const": value}}}, "then": then}
    return rule if otherwise is None else {**rule, "else": otherwise}


class MediaItem(BaseModel):
    """One file of a message: either its octets or where to fetch them."""

    model_config = ConfigDict(
        **_STRICT,
        json_schema_extra={
            "oneOf": [
                {"required": ["data"], "properties": {"data": {"type": "string"}, "url": {"type": "null"}}},
                {"required": ["url"], "properties": {"url": {"type": "string"}, "data": {"type": "null"}}},
            ]
        },
    )

    data: fields.Octets | None = Field(default=None, repr=False, description="The file in base64.")
    url: fields.Url | None = Field(
        default=None, description="Where to fetch the file. Off until media.fetch in config.yaml names its host."
    )
    content_type: fields.MediaType | None = Field(default=None, description="What the file is said to be; its content decides.")
    filename: fields.Filename | None = Field(default=None, description="A name to show to the receiver.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.data is None) == (self.url is None):
            raise PydanticCustomError("one_source", "give either data (base64) or url")
        return self


class SendRequest(BaseModel):
    """One message to send, or one to each number. Ids, the clock and the choice of the line are not its matter."""

    model_config = ConfigDict(
        **_STRICT,
        json_schema_extra={
            "anyOf": [
                _given("text"),
                {"required": ["media"], "properties": {"media": {"minItems": 1}}},
            ],
            "allOf": [
                _only_when("fallback", "sms", {"anyOf": [_given("text"), _given("subject")]}),
                _only_when("as", "sms", {"properties": {"media": {"maxItems": 0}, "subject": {"type": "null"}, "smil": {"type": "null"}}}),
                _only_when(
                    "layout",
                    "custom",
                    _given("smil"),
                    {"properties": {"smil": {"type": "null"}}},
                ),
            ],
        },
    )

    to: fields.Numbers = Field(description="A number, or 1 to 100 of them.")
    group: bool = Field(default=False, description="True: one MMS to all, everybody sees everybody. False: a message to each.")
    text: fields.MessageText | None = Field(default=None, description="Text of any length.")
    subject: fields.Subject | None = Field(default=None, description="A subject of one line; makes it an MMS.")
    media: tuple[MediaItem, ...] = Field(default=(), max_length=MAX_MEDIA, description="Files, in the order in which they are shown.")
    as_: Literal["auto", "mms", "sms"] = Field(
        default="auto", alias="as", description="auto: MMS with media, a subject, a group or a long text; else SMS."
    )
    fallback: Literal["none", "sms"] = Field(default="none", description="sms: the text as SMS when the MMS was definitely not sent.")
    shrink: bool = Field(default=True, description="Make pictures fit what the carrier takes; false: refuse what does not fit.")
    layout: Literal["auto", "text_first", "image_first", "custom"] = Field(
        default="auto", description="Where the text stands; custom: as `smil` says."
    )
    smil: fields.Smil | None = Field(
        default=None, description="With layout custom: SMIL that names each part once, by file name or part name."
    )
    delivery_report: bool = Field(default=False, description="Ask for a report when it is delivered.")
    read_report: bool = Field(default=False, description="Ask for a report when it is read; few phones give one.")
    priority: Literal["low", "normal", "high"] = Field(default="normal", description="high goes before what waits, low after it.")
    valid_for: fields.Seconds | None = Field(
        default=None, description="Seconds from being due after which it is no longer sent; null: as configured."
    )
    send_at: fields.Moment | None = Field(default=None, description="When to send it (RFC 3339); null: now.")
    line: fields.LineName | None = Field(default=None, description="Name or own number of the line that shall send it; null: any.")
    callback_url: fields.Url | None = Field(default=None, description="Gets a webhook for each change of this message.")
    tag: fields.Tag | None = Field(default=None, description="A word of yours to find it by.")
    metadata: fields.Metadata = Field(default_factory=dict, description="Pairs of yours that come back with it.")

    @property
    def recipients(self) -> tuple[str, ...]:
        """The numbers in their order, each once."""
        return tuple(dict.fromkeys(self.to))

    @property
    def is_group(self) -> bool:
        """One MMS to several."""
        return self.group and len(self.recipients) > 1

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong = self._content_mistake() or self._sms_mistake() or self._layout_mistake()
        if wrong is not None:
            raise PydanticCustomError(wrong.code, "{detail}", {"detail": wrong.detail, "pointer": wrong.pointer})
        return self

    def _content_mistake(self) -> Mistake | None:
        if self.text is None and not self.media:
            return Mistake("/text", "missing", "nothing to send; give a text, media or both")
        if self.fallback == "sms" and self.text is None and self.subject is None:
            return Mistake("/fallback", "no_text", "an SMS carries text, and there is neither text nor subject")
        return None

    def _sms_mistake(self) -> Mistake | None:
        if self.as_ != "sms":
            return None
        given = {"media": bool(self.media), "subject": self.subject is not None, "group": self.is_group, "smil": self.smil is not None}
        for name, is_given in given.items():
            if is_given:
                return Mistake(f"/{name}", "not_in_sms", f"an SMS carries text to one number, no {name}; leave it out or write as: mms")
        return None

    def _layout_mistake(self) -> Mistake | None:
        if self.layout == "custom" and self.smil is None:
            return Mistake("/smil", "missing", "layout custom needs a smil")
        if self.layout != "custom" and self.smil is not None:
            return Mistake("/layout", "custom_wanted", "a smil is used with layout custom only")
        return None


def parse_send_request(body: bytes, uploads: Sequence[MediaItem] = ()) -> SendRequest:
    """The request in a JSON text (UTF-8, one object), with `uploads` behind its own media.

    Raises InvalidRequest with every mistake, at most MAX_MISTAKES.
    """
    return parse_document(_document(body), uploads)


def parse_document(document: Mapping[str, Any], uploads: Sequence[MediaItem] = ()) -> SendRequest:
    """The same of a document that is read already. Raises InvalidRequest."""
    try:
        return SendRequest.model_validate(_with_uploads(document, uploads))
    except ValidationError as error:
        raise InvalidRequest(mistakes_of(error, _OWN_DETAILS, one_number=isinstance(document.get("to"), str))) from None


def with_media(request: SendRequest, files: Sequence[MediaItem]) -> SendRequest:
    """The request with further files behind its own. Raises InvalidRequest when they are too many or do not fit the rest."""
    own = {name: getattr(request, name) for name in SendRequest.model_fields if name in request.model_fields_set}
    if "as_" in own:
        own["as"] = own.pop("as_")
    return parse_document(own, files)


def _with_uploads(document: Mapping[str, Any], uploads: Sequence[MediaItem]) -> dict[str, Any]:
    given = document.get("media")
    if isinstance(given, (list, tuple)) or (given is None and uploads):
        return {**document, "media": (*(given or ()), *uploads)}
    return dict(document)


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


_DETAILS = {  # pydantic's error types -> our code and words; the types of this room's own checks stand for themselves
    "extra_forbidden": ("unknown_field", "there is no such field; see docs/api.md for those there are"),
    "missing": ("missing", "the field is missing"),
    "string_type": ("wrong_type", "a string is wanted"),
    "bool_type": ("wrong_type", "true or false is wanted"),
    "int_type": ("wrong_type", "a whole number is wanted"),
    "bytes_type": ("wrong_type", "a string is wanted"),
    "tuple_type": ("wrong_type", "a list is wanted"),
    "dict_type": ("wrong_type", "an object is wanted"),
    "model_type": ("wrong_type", "an object is wanted"),
    "model_attributes_type": ("wrong_type", "an object is wanted"),
    "string_unicode": ("invalid_character", "not valid Unicode text"),
}
_OWN_DETAILS = {  # where only one field of a SendRequest has such a limit
    "greater_than_equal": ("out_of_range", f"1 to {MAX_VALID_FOR:,} seconds are possible"),
    "less_than_equal": ("out_of_range", f"1 to {MAX_VALID_FOR:,} seconds are possible"),
    "too_long": ("too_many", f"at most {MAX_MEDIA} files fit one message"),
}


def mistakes_of(
    error: ValidationError, own: Mapping[str, tuple[str, str]] = MappingProxyType({}), *, one_number: bool = False
) -> tuple[Mistake, ...]:
    """What a model found wrong, at most MAX_MISTAKES.

    own         code and words of pydantic's error types, where the model has better ones than all have
    one_number  `to` was written as one number: its mistakes have no place within it
    """
    found = error.errors(include_url=False, include_input=False)
    return tuple(_mistake(item, {**_DETAILS, **own}, one_number) for item in found[:MAX_MISTAKES])


def _mistake(found: ErrorDetails, details: Mapping[str, tuple[str, str]], one_number: bool) -> Mistake:
    context = found.get("ctx") or {}
    if "pointer" in context:
        return Mistake(context["pointer"], found["type"], context["detail"])
    if found["type"] == "literal_error":
        return Mistake(_pointer(found["loc"]), "unknown_value", f"one of these is wanted: {context['expected']}")
    is_ours = "limit" in context
    code, detail = (found["type"], found["msg"]) if is_ours else details.get(found["type"], (found["type"], found["msg"]))
    loc = found["loc"][:1] if one_number and found["loc"][:1] == ("to",) else found["loc"]
    return Mistake(_pointer(loc), code, detail)


def _pointer(loc: tuple[int | str, ...]) -> str:
    steps = (str(step)[: MAX_SHOWN * 2].replace("~", "~0").replace("/", "~1") for step in loc if step != "[key]")
    return "".join(f"/{step}" for step in steps)

"""The filters of GET /v1/messages: parameters of the query to a Filter of the store. It knows no handler."""

from __future__ import annotations

from aiohttp import web

from mmsproxy.post.job import Direction, Kind, State
from mmsproxy.post.records import Filter
from mmsproxy.web.asking import moment, one_of, text, wrong_parameter
from mmsproxy.web.routes import Param

STATES = tuple(state.value for state in State)
PARAMS = (
    Param("status", "One or several, with commas between them.", schema={"type": "string", "examples": ["queued,retrying"]}),
    Param("direction", "", schema={"type": "string", "enum": ["outbound", "inbound"]}),
    Param("to", "A recipient, as it stands in the message.", schema={"type": "string", "maxLength": 200}),
    Param("from", "The sender of inbound messages.", schema={"type": "string", "maxLength": 200}),
    Param("type", "", schema={"type": "string", "enum": ["mms", "sms"]}),
    Param("line", "A line's name.", schema={"type": "string", "maxLength": 200}),
    Param("since", "Made at this time or later.", schema={"type": "string", "format": "date-time"}),
    Param("until", "Made before this time.", schema={"type": "string", "format": "date-time"}),
    Param("q", "In text or subject.", schema={"type": "string", "maxLength": 200}),
)


def filter_of(request: web.Request) -> Filter:
    """Raises Refusal."""
    direction, kind = one_of(request, "direction", ("outbound", "inbound")), one_of(request, "type", ("mms", "sms"))
    return Filter(
        states=_states(text(request, "status")),
        direction=None if direction is None else Direction(direction),
        kind=None if kind is None else Kind(kind),
        to=text(request, "to"),
        sender=text(request, "from"),
        line=text(request, "line"),
        since=moment(request, "since"),
        until=moment(request, "until"),
        q=text(request, "q"),
    )


def _states(given: str | None) -> frozenset[State]:
    if given is None:
        return frozenset()
    words = given.split(",")
    if unknown := [word for word in words if word not in STATES]:
        raise wrong_parameter("status", f"{unknown[0]!a} is none of {', '.join(STATES)}")
    return frozenset(map(State, words))

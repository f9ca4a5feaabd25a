"""`mmsproxy messages`: what became of messages, and what a person decides about them. Everything by the API of the running gateway."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from mmsproxy.cli.api import Access, AsJson, Flag, Json, connect, segment
from mmsproxy.cli.tables import print_table
from mmsproxy.cli.terminal import safe

app = App(name="messages", help="List, show, cancel, retry and resolve messages.")
COLUMNS = ("created", "id", "type", "status", "to", "line", "size", "text")
MAX_PAGE = 200
TEXT_SHOWN = 40  # characters of a text in a list


@app.command(name="list")
def list_(
    *,
    status: str | None = None,
    to: str | None = None,
    sender: Annotated[str | None, Parameter(name="--from")] = None,
    line: str | None = None,
    direction: Literal["outbound", "inbound"] | None = None,
    kind: Annotated[Literal["mms", "sms"] | None, Parameter(name="--type")] = None,
    since: str | None = None,
    until: str | None = None,
    search: str | None = None,
    limit: int = 20,
    json: AsJson = False,
    access: Access | None = None,
) -> None:
    """List messages, the newest first.

    Parameters
    ----------
    status
        Only of this state, or of several with commas: queued,retrying,unknown
    to
        Only to this number.
    sender
        Only from this number (received messages).
    line
        Only of this line.
    direction
        Only outbound or inbound ones.
    kind
        Only mms or sms.
    since
        Made at this time or later, for example 2026-11-22T18:50:00Z
    until
        Made before this time.
    search
        With this in text or subject.
    limit
        How many at most.
    json
        Print JSON, one object a line.
    """
    filters = {"status": status, "to": to, "from": sender, "line": line, "direction": direction, "type": kind}
    wanted = {**filters, "since": since, "until": until, "q": search}
    found = list(_pages(access, wanted, limit))
    if json:
        for message in found:
            print(json_module.dumps(message))
        return
    print_table(COLUMNS, [_row(message) for message in found], empty="no such messages")


def _pages(access: Access | None, wanted: Json, limit: int) -> Iterator[Json]:
    api, cursor = connect(access), None
    while limit > 0:
        page = api.get("/v1/messages", **wanted, limit=min(limit, MAX_PAGE), cursor=cursor)
        yield from page["data"]
        limit, cursor = limit - len(page["data"]), page["next_cursor"]
        if cursor is None:
            return


def _row(message: Json) -> tuple[Any, ...]:
    text = " ".join((message.get("text") or message.get("subject") or "").split())
    numbers = [person["number"] for person in message["to"]]
    to = message.get("from") if message["direction"] == "inbound" else numbers[0] if numbers else None
    more = f" +{len(numbers) - 1}" if len(numbers) > 1 and message["direction"] == "outbound" else ""
    shown = text if len(text) <= TEXT_SHOWN else f"{text[: TEXT_SHOWN - 3]}..."
    created = message["created_at"][:19].replace("T", " ")
    return created, message["id"], message["type"], message["status"], f"{to}{more}", message["line"], message["size"], shown


@app.command
def show(id: str, /, *, json: AsJson = False, access: Access | None = None) -> None:
    """Show one message with its timeline.

    Parameters
    ----------
    id
        The message's id.
    json
        Print JSON.
    """
    api = connect(access)
    message = api.get(f"/v1/messages/{segment(id)}")
    timeline = api.get(f"/v1/messages/{segment(id)}/events")
    if json:
        print(json_module.dumps({**message, "timeline": timeline}, indent=2))
        return
    print("\n".join((*message_lines(message), *_timeline(timeline))))


@app.command
def cancel(id: str, /, *, json: AsJson = False, access: Access | None = None) -> None:
    """Cancel a message that still waits.

    Parameters
    ----------
    id
        The message's id.
    json
        Print JSON.
    """
    _told(connect(access).post(f"/v1/messages/{segment(id)}/cancel"), json)


@app.command
def retry(
    id: str,
    /,
    *,
    accept_duplicate_risk: Flag = False,
    json: AsJson = False,
    access: Access | None = None,
) -> None:
    """Send a failed or expired message again; an unknown one only with --accept-duplicate-risk.

    Parameters
    ----------
    id
        The message's id.
    accept_duplicate_risk
        It may have been delivered, and may be delivered twice.
    json
        Print JSON.
    """
    wanted = {"accept_duplicate_risk": accept_duplicate_risk}
    _told(connect(access).post(f"/v1/messages/{segment(id)}/retry", wanted), json)


@app.command
def resolve(id: str, outcome: Literal["sent", "failed"], /, *, json: AsJson = False, access: Access | None = None) -> None:
    """Say what became of a message whose outcome is unknown.

    Parameters
    ----------
    id
        The message's id.
    outcome
        sent: it came; failed: it did not.
    json
        Print JSON.
    """
    _told(connect(access).post(f"/v1/messages/{segment(id)}/resolve", {"as": outcome}), json)


def _told(message: Json, as_json: bool) -> None:
    print(json_module.dumps(message, indent=2) if as_json else "\n".join(message_lines(message)))


# For a person to read.

WORDS = {
    "sent": "the carrier accepted the message",
    "delivered": "it was delivered",
    "read": "it was read",
    "partial": "the carrier accepted it for some recipients only",
    "unknown": "it may have been sent; sending it again may send it twice",
    "queued": "it waits for its turn",
    "scheduled": "it waits for its time",
    "sending": "it is being sent",
    "retrying": "it will be tried again",
    "canceled": "it was canceled",
}


def message_lines(message: Json) -> Iterator[str]:
    """A message resource."""
    carrier, error, status = message.get("carrier") or {}, message.get("error") or {}, str(message.get("status"))
    yield f"{status}: {safe(str(WORDS.get(status) or error.get('detail') or 'the message was not accepted'))}"
    if error and status in WORDS:
        yield row("why", error.get("detail"))
    yield row("id", message.get("id"))
    people = message.get("to") or ()
    if people:
        yield row("to", ", ".join(f"{person.get('number')} ({person.get('status')})" for person in people))
    yield row("line", f"{message.get('line') or 'any'}{' (simulated: nothing left this machine)' if message.get('simulated') else ''}")
    if carrier:
        yield row("carrier", f"{carrier.get('response_status_name')} ({carrier.get('response_status')})")
    for label, key in (("text", "response_text"), ("message-id", "message_id")):
        if carrier.get(key):
            yield row(label, carrier[key])
    yield from _facts(message)


def _facts(message: Json) -> Iterator[str]:
    if message.get("size"):
        saved = message.get("sms_parts_saved")
        yield row("size", f"{message['size']} octets" + (f": one MMS instead of {saved} SMS" if saved else ""))
    timings = message.get("timings") or {}
    if timings:
        yield row("seconds", ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in timings.items() if seconds is not None))
    if message.get("estimated_send_at"):
        yield row("about", message["estimated_send_at"])
    for warning in message.get("warnings") or ():
        yield row("warning", warning.get("detail") or warning.get("code"))


def _timeline(timeline: Json) -> Iterator[str]:
    for item in timeline.get("data", ()):
        where = f" on {item['line']}" if item.get("line") else ""
        yield row(str(item.get("timestamp"))[11:19], f"{item.get('type')}{where}")
    for item in timeline.get("attempts", ()):
        said = item.get("detail") or item.get("outcome") or "under way"
        size = f"{item.get('bytes_offered')} of {item.get('bytes_total')} octets, {item.get('phase')}"
        yield row(f"attempt {item.get('number')}", f"{said} ({size})")


def row(label: str, value: Any) -> str:
    return f"  {label:<12}{safe(str(value))}"

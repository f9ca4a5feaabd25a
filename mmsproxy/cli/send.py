"""`mmsproxy send`: one message through a running gateway, followed until the carrier has said yes or no.

Rule 1: 0 only when the carrier said Ok (with --no-wait: when the gateway keeps it); 1 when it did not or nobody knows; 2 when nothing was
tried (usage, no token, no gateway). Rule 2: a request whose answer was lost is repeated under the same Idempotency-Key, so it is never
two messages. tools/send.py is the same for a machine without mmsproxy.
"""

from __future__ import annotations

import json as json_module
import mimetypes
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from mmsproxy.cli import api as web
from mmsproxy.cli.api import ANSWER_SECONDS, JSON, Access, Api, Flag, Json, Problem, UsageError, connect, document_of
from mmsproxy.cli.gateway import NoAnswer, Unreachable
from mmsproxy.cli.messages import message_lines, row
from mmsproxy.cli.send_pdu import send_pdu
from mmsproxy.cli.terminal import safe
from mmsproxy.cli.watching import ACCEPTED, SHORTEST_LOOK, Undecided, Unwatched, Watch, display

WAIT_SECONDS = 300.0  # a cold modem may take minutes to come up before the message leaves
TRIES = 3  # of a request whose answer was lost
RETRY_PAUSE = 1.0  # seconds
INTERRUPTED = 130  # what a shell expects after SIGINT


def send(
    to: str | None = None,
    text: str | None = None,
    *,
    file: str | None = None,
    media: Annotated[list[str] | None, Parameter(negative=())] = None,
    subject: str | None = None,
    group: Flag = False,
    kind: Annotated[Literal["auto", "mms", "sms"] | None, Parameter(name="--as")] = None,
    fallback: Literal["none", "sms"] | None = None,
    line: str | None = None,
    at: str | None = None,
    valid_for: int | None = None,
    delivery_report: Flag = False,
    tag: str | None = None,
    pdu: str | None = None,
    wait: bool = True,
    proxy: str | None = None,
    json: Flag = False,
    timeout: float = WAIT_SECONDS,
    access: Access | None = None,
) -> int:
    """Send a message through a running gateway and follow it. Exits 0 only when the carrier said Ok.

    Parameters
    ----------
    to
        The number, for example +16195550123; several with commas get a message each, or with --group one together.
    text
        The text, of any length.
    file
        Take the text from this UTF-8 file (- for standard input).
    media
        A picture or another file; may be given several times.
    subject
        A subject line.
    group
        One MMS to all numbers; everybody sees everybody.
    kind
        auto: MMS with media, a subject, a group or a long text, else SMS; mms or sms: that.
    fallback
        sms: the text as SMS where the MMS was definitely not sent.
    line
        Name or own number of the line that shall send.
    at
        When to send it, for example 2026-11-22T18:50:00Z.
    valid_for
        Seconds after which it is no longer sent.
    delivery_report
        Ask the carrier to tell when it was delivered.
    tag
        A word to find it by.
    pdu
        Post the raw M-Send.req in this file (- for standard input) to the MM1 door.
    wait
        Follow it until it is decided; --no-wait: only until the gateway keeps it.
    proxy
        HOST:PORT to connect to, with the gateway's whole URL in the request line.
    json
        Print the answer as JSON.
    timeout
        Seconds to wait for the outcome.
    """
    numbers = [number.strip() for number in to.split(",")] if to is not None else None
    wanted: Json = {"to": numbers, "text": text, "subject": subject, "group": group or None, "as": kind, "fallback": fallback, "line": line}
    wanted |= {"send_at": at, "valid_for": valid_for, "delivery_report": delivery_report or None, "tag": tag}
    try:
        _check_usage({**wanted, "file": file, "media": media}, pdu, timeout)
        if pdu is not None:
            given = access or Access()
            url = given.gateway or web.doors_of(given.config).mm1
            return send_pdu(url, _octets(pdu), as_json=json, timeout=timeout, proxy=proxy)
        api = connect(access, proxy=proxy)
        request = Request(*_request(wanted, file, media or ()), fallback == "sms", time.monotonic() + timeout)
        return _send(api, request, wait=wait and at is None, as_json=json)
    except (UsageError, Unreachable, NoAnswer, Undecided, Unwatched) as error:
        print(safe(f"mmsproxy send: {error}"), file=sys.stderr)
        return 2 if isinstance(error, (UsageError, Unreachable)) else 1
    except KeyboardInterrupt:
        print("\n".join(_interrupted(())), file=sys.stderr)
        return INTERRUPTED


def _check_usage(request: dict[str, Any], pdu: str | None, timeout: float) -> None:
    given = [name for name, value in request.items() if value is not None]
    if not timeout > 0:
        raise UsageError("--timeout must be more than 0 seconds")
    if pdu is not None and given:
        raise UsageError(f"--pdu sends the file as it is; leave out: {', '.join(given)}")
    if pdu is None and request["to"] is None:
        raise UsageError('name a number and a text: mmsproxy send +16195550123 "text"')
    if pdu is None and request["text"] is not None and request["file"] is not None:
        raise UsageError("give the text either as second word or by --file")
    if pdu is None and not any(request[name] for name in ("text", "file", "media")):
        raise UsageError("give a text as second word or by --file, or files by --media")


# What is asked for.


def _request(wanted: Json, file: str | None, media: Sequence[str]) -> tuple[bytes, str]:
    """Body and Content-Type. Raises UsageError."""
    document = {name: value for name, value in wanted.items() if value is not None}
    if len(document["to"]) == 1:
        (document["to"],) = document["to"]
    if file is not None:
        document["text"] = _text(file)
    try:
        body = json_module.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageError("the text is not valid UTF-8; check the terminal's locale, or send it by --file") from None
    return form(body, [(path, _octets(path)) for path in media]) if media else (body, JSON)


def form(message: bytes, files: Sequence[tuple[str, bytes]]) -> tuple[bytes, str]:
    """multipart/form-data (RFC 7578): the part `message`, and each file under its own name."""
    boundary = secrets.token_hex(16)
    parts = [('name="message"', JSON, message)]
    for n, (path, data) in enumerate(files):
        name = Path(path).name.replace("\\", "_").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        parts.append((f'name="file{n}"; filename="{name}"', mimetypes.guess_type(path)[0] or "application/octet-stream", data))
    octets = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\nContent-Type: {kind}\r\n\r\n".encode("utf-8", "replace")
        + data
        + b"\r\n"
        for head, kind, data in parts
    )
    return octets + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _text(path: str) -> str:
    try:
        text = _octets(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (octet {error.start}); convert it: iconv -t UTF-8") from None
    return text.removesuffix("\n")  # the newline that every editor and echo adds is not part of the message


def _octets(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


# Sending and following.


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted. `end`, by time.monotonic(), is the end of all waiting; `fallback`: an SMS may take the MMS's place."""

    body: bytes
    content_type: str
    fallback: bool
    end: float

    @property
    def left(self) -> float:
        return max(0.0, self.end - time.monotonic())


def _send(api: Api, request: Request, *, wait: bool, as_json: bool) -> int:
    messages: list[Json] = []
    try:
        answer = _kept(api, request)
        is_batch = "batch_id" in answer and "data" in answer
        messages = answer["data"] if is_batch else [answer]
        if wait:
            messages = _followed(api, messages, request)
    except Problem as problem:
        print(json_module.dumps(problem.document, indent=2) if as_json else "\n".join(_problem_lines(problem)))
        return 1
    except KeyboardInterrupt:
        print("\n".join(_interrupted(messages)), file=sys.stderr)
        return INTERRUPTED
    if as_json:
        print(json_module.dumps({**answer, "data": messages} if is_batch else messages[0], indent=2))
    else:
        print("\n".join(text for message in messages for text in message_lines(message)))
    return 0 if not wait or all(message.get("status") in ACCEPTED for message in messages) else 1


def _interrupted(messages: Sequence[Json]) -> Iterator[str]:
    """Nothing is taken back by leaving."""
    if not messages:
        yield "mmsproxy send: interrupted; the gateway may have the message: `mmsproxy messages list` shows it"
    for message in messages:
        name = safe(str(message.get("id")))
        yield f"mmsproxy send: message {name} is kept, and the gateway goes on with it; `mmsproxy messages cancel {name}` cancels it"


def _kept(api: Api, request: Request) -> Json:
    """The gateway's answer once it keeps the message. Raises Unreachable when it never got it, NoAnswer, Problem."""
    headers = {"Idempotency-Key": f"mmsproxy-send-{secrets.token_hex(16)}"}
    for tries in range(1, TRIES + 1):
        timeout = min(max(request.left, SHORTEST_LOOK), ANSWER_SECONDS)
        try:
            asked = api.ask("POST", "/v1/messages", request.body, content_type=request.content_type, headers=headers, timeout=timeout)
            return document_of(asked)
        except Unreachable as error:
            if tries > 1:  # an earlier try may have brought it there
                raise NoAnswer(f"the gateway went away while it had the message ({error.detail})", cure=error.cure) from None
            raise
        except NoAnswer:
            if tries == TRIES or not request.left:
                raise
        except Problem as problem:
            if tries == TRIES or not request.left or problem.document.get("code") != "idempotency_running":
                raise
        time.sleep(RETRY_PAUSE)
    raise AssertionError("the last try returns or raises")


def _followed(api: Api, messages: Sequence[Json], request: Request) -> list[Json]:
    with display() as shown:
        watch = Watch(api, shown, request.left, fallback=request.fallback)
        return [watch.follow(message) for message in messages]


def _problem_lines(problem: Problem) -> Iterator[str]:
    document = problem.document
    yield f"refused: {safe(str(document.get('title')))}"
    yield row("detail", document.get("detail"))
    for error in document.get("errors") or ():
        yield row(str(error.get("pointer") or "body"), error.get("detail"))
    if problem.cure:
        yield row("cure", problem.cure)

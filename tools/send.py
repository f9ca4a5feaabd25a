#!/usr/bin/env python3
"""Sends a message through a running mmsproxy gateway. Needs nothing but Python 3.8: no installation, no other package.

Exit status: 0 the carrier said Ok; 1 it did not, or the outcome is not known; 2 wrong usage, or the gateway cannot be reached;
130 interrupted.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import re
import secrets
import ssl
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

JSON_GATEWAY = "http://127.0.0.1:8091"
MM1_GATEWAY = "http://127.0.0.1:8090"
TOKEN_FILE = Path(__file__).resolve().parent.parent / "data" / "token"  # where the gateway makes it when run from this folder
MMS_TYPE = "application/vnd.wap.mms-message"
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 300.0  # a cold modem may take minutes to come up before the message leaves
MAX_ANSWER = 4 << 20

DECIDED = ("sent", "delivered", "read", "partial", "undelivered", "failed", "expired", "canceled", "unknown")
ACCEPTED = ("sent", "delivered", "read")
NOT_TAKEN = ("failed", "expired")  # the states that a fallback follows
REPLACED_SECONDS = 5.0  # from a failure to the SMS in its place, at most
PASSING = (429, 503)  # HTTP: asked too often, or the store is away for a while
POLL_SECONDS = 0.5
SHORTEST_LOOK = 1.0  # seconds that an answer is waited for, however little time is left
INTERRUPTED = 130
REQUEST_SECONDS = 60.0  # for an answer that does not wait for the carrier
TRIES = 3  # of a request whose answer was lost; the Idempotency-Key makes it one message

WORDS = {
    "sent": "the carrier accepted the message",
    "delivered": "it was delivered",
    "read": "it was read",
    "canceled": "it was canceled",
    "queued": "it waits still; the gateway goes on with it",
    "scheduled": "it waits still; the gateway goes on with it",
    "sending": "it is being sent still",
    "retrying": "it will be tried again",
    "partial": "the carrier accepted it for some recipients only",
    "unknown": "it may have been sent; sending it again may send it twice",
}
OK, PARTIAL = 0x80, 0xC4
RESPONSE_STATUS = {  # X-Mms-Response-Status, OMA-TS-MMS_ENC 7.3.48
    0x80: "Ok",
    0x81: "Error-unspecified",
    0x82: "Error-service-denied",
    0x83: "Error-message-format-corrupt",
    0x84: "Error-sending-address-unresolved",
    0x85: "Error-message-not-found",
    0x86: "Error-network-problem",
    0x87: "Error-content-not-accepted",
    0x88: "Error-unsupported-message",
    0xC0: "Error-transient-failure",
    0xC1: "Error-transient-sending-address-unresolved",
    0xC2: "Error-transient-message-not-found",
    0xC3: "Error-transient-network-problem",
    0xC4: "Error-transient-partial-success",
    0xE0: "Error-permanent-failure",
    0xE1: "Error-permanent-service-denied",
    0xE2: "Error-permanent-message-format-corrupt",
    0xE3: "Error-permanent-sending-address-unresolved",
    0xE4: "Error-permanent-message-not-found",
    0xE5: "Error-permanent-content-not-accepted",
    0xE6: "Error-permanent-reply-charging-limitations-not-met",
    0xE7: "Error-permanent-reply-charging-request-not-accepted",
    0xE8: "Error-permanent-reply-charging-forwarding-denied",
    0xE9: "Error-permanent-reply-charging-not-supported",
    0xEA: "Error-permanent-address-hiding-not-supported",
    0xEB: "Error-permanent-lack-of-prepaid",
}
CONF_TYPES = {0x81: "M-Send.conf", 0x8A: "M-Forward.conf"}
# Response fields by header octet. Those of M-Forward.conf are the same ones.
MESSAGE_ID, MESSAGE_TYPE, STATUS, STATUS_TEXT, TRANSACTION_ID = 0x8B, 0x8C, 0x92, 0x93, 0x98


class Stop(Exception):
    """Ends the run with one line on stderr and an exit status."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class NoAnswer(Stop):
    """The gateway may have the request; its answer did not come."""


class Answer(NamedTuple):
    """What the gateway answered over HTTP. `seconds`: from the first byte sent to the last byte of the answer."""

    status: int
    content_type: str
    origin: str
    body: bytes
    seconds: float


def main(argv: list[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of another alphabet must not turn a sent message into a traceback
            stream.reconfigure(errors="backslashreplace")
    options = arguments(argv)
    try:
        return send_pdu(options) if options.pdu else send_json(options)
    except Stop as stop:
        print("send.py: " + safe(str(stop)), file=sys.stderr)
        return stop.status
    except KeyboardInterrupt:
        print("\n".join(interrupted([])), file=sys.stderr)
        return INTERRUPTED


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="send.py",
        description="Send a text, files or a ready PDU through a running mmsproxy gateway, and wait for the outcome.",
        epilog="Exit status: 0 the carrier said Ok; 1 it did not, or the outcome is not known; 2 usage, or no gateway.",
    )
    parser.add_argument("to", nargs="?", help="number, for example +16195550123; several with commas get a message each")
    parser.add_argument("text", nargs="?", help="the text, of any length")
    parser.add_argument("--file", metavar="PATH", help="take the text from a UTF-8 file (- for standard input)")
    parser.add_argument("--media", metavar="FILE", action="append", help="a picture or another file; may be given several times")
    parser.add_argument("--group", action="store_true", default=None, help="one MMS to all numbers")
    parser.add_argument("--as", dest="kind", choices=("auto", "mms", "sms"), help="auto: SMS for a short text, else MMS")
    parser.add_argument("--fallback", choices=("none", "sms"), help="sms: the text as SMS where the MMS was definitely not sent")
    parser.add_argument("--subject", help="a subject line")
    parser.add_argument("--line", help="name or own number of the line that shall send")
    parser.add_argument("--pdu", metavar="FILE", help="post the raw M-Send.req in FILE (- for standard input) to the MM1 door")
    parser.add_argument("--gateway", metavar="URL", help=f"default {JSON_GATEWAY}, with --pdu {MM1_GATEWAY}")
    parser.add_argument("--token", help="default: $MMSPROXY_TOKEN, else the token file")
    parser.add_argument("--token-file", metavar="PATH", type=Path, default=TOKEN_FILE, help="default: data/token of this checkout")
    parser.add_argument("--proxy", metavar="HOST:PORT", help="connect there and name the gateway's whole URL in the request line")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.add_argument("--timeout", type=float, default=ANSWER_SECONDS, metavar="SECONDS", help="how long to wait for the outcome")
    options = parser.parse_args(argv)
    complaint = misuse(options)
    if complaint:
        parser.error(complaint)
    return options


def misuse(options: argparse.Namespace) -> str | None:
    """What is wrong with the choice of options, or None."""
    if options.timeout <= 0:
        return "--timeout must be more than 0"
    if options.pdu:
        names = ("to", "text", "file", "media", "group", "kind", "fallback", "subject", "line")
        others = [name for name in names if getattr(options, name) is not None]
        return f"--pdu sends the file as it is; leave out: {', '.join(others)}" if others else None
    if not options.to:
        return 'name a number and a text: send.py +16195550123 "text"'
    if options.text is not None and options.file is not None:
        return "give the text either as second word or by --file"
    if options.text is None and options.file is None and not options.media:
        return "give a text as second word or by --file, or files by --media"
    return None


# ---- JSON: POST /v1/messages


def send_json(options: argparse.Namespace) -> int:
    token, body = find_token(options), encoded(wanted(options))
    end = time.monotonic() + options.timeout
    messages: list[dict[str, Any]] = []
    try:
        kept = post_message(options, token, body, end)
        if "id" not in kept and "data" not in kept:
            print(json.dumps(kept, ensure_ascii=False, indent=2) if options.json else "\n".join(problem_lines(kept)))
            return 1
        is_batch = isinstance(kept.get("data"), list)
        messages = kept["data"] if is_batch else [kept]
        messages = [followed(options, token, message, end) for message in messages]
    except KeyboardInterrupt:
        print("\n".join(interrupted(messages)), file=sys.stderr)
        return INTERRUPTED
    if options.json:
        print(json.dumps(dict(kept, data=messages) if is_batch else messages[0], ensure_ascii=False, indent=2))
    else:
        print("\n".join(line for message in messages for line in message_lines(message)))
    return 0 if all(message.get("status") in ACCEPTED for message in messages) else 1


def interrupted(messages: list[dict[str, Any]]) -> list[str]:
    """Nothing is taken back by leaving."""
    if not messages:
        return ["send.py: interrupted; the gateway may have the message: GET /v1/messages shows it"]
    names = [safe(str(message.get("id"))) for message in messages]
    return [
        f"send.py: message {name} is kept, and the gateway goes on with it; `mmsproxy messages cancel {name}` "
        f"or POST /v1/messages/{name}/cancel cancels it"
        for name in names
    ]


def wanted(options: argparse.Namespace) -> dict[str, Any]:
    """The body of POST /v1/messages."""
    numbers = [number.strip() for number in options.to.split(",")]
    request: dict[str, Any] = {"to": numbers if len(numbers) > 1 else numbers[0]}
    if options.text is not None or options.file is not None:
        request["text"] = wanted_text(options)
    if options.media:
        request["media"] = [media_item(path) for path in options.media]
    given = {"group": options.group, "as": options.kind, "fallback": options.fallback, "subject": options.subject, "line": options.line}
    request.update({name: value for name, value in given.items() if value is not None})
    return request


def media_item(path: str) -> dict[str, Any]:
    return {"data": base64.b64encode(read_bytes(path)).decode("ascii"), "filename": Path(path).name}


def post_message(options: argparse.Namespace, token: str, body: bytes, end: float) -> dict[str, Any]:
    """The gateway's answer once it keeps the message, or its problem. A lost answer is asked for again under the same key."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": "send.py-" + secrets.token_hex(16)}
    for tries in range(1, TRIES + 1):
        try:
            answer = json_object(call(options, token, "POST", "/v1/messages", time_for(end), headers, body))
        except NoAnswer:
            if tries == TRIES or time.monotonic() >= end:
                raise
        except Stop as stop:
            raise stop if tries == 1 else Stop(1, f"unknown: {stop}; an earlier try may have brought it there") from None
        else:
            if answer.get("code") != "idempotency_running" or tries == TRIES or time.monotonic() >= end:
                return answer
        time.sleep(POLL_SECONDS)
    raise AssertionError("the last try returns or raises")


def time_for(end: float) -> float:
    """Seconds that one answer is waited for."""
    return min(max(end - time.monotonic(), SHORTEST_LOOK), REQUEST_SECONDS)


def followed(options: argparse.Namespace, token: str, message: dict[str, Any], end: float) -> dict[str, Any]:
    """The message once it is decided, or as it is when the time is over; the one that replaced it, where it fell back to SMS."""
    failed_at: float | None = None
    while True:
        now = time.monotonic()
        if is_replaceable(options, message):  # the gateway makes the SMS in a commit of its own
            failed_at = now if failed_at is None else failed_at
            is_decided = now >= failed_at + REPLACED_SECONDS
        else:
            is_decided = message.get("status") in DECIDED and not message.get("replaced_by")
        if is_decided or now >= end:
            return message
        time.sleep(min(end - now, POLL_SECONDS))
        message = look(options, token, message, end)


def is_replaceable(options: argparse.Namespace, message: dict[str, Any]) -> bool:
    """It failed, and an SMS in its place may still come."""
    is_due = options.fallback == "sms" and message.get("status") in NOT_TAKEN and message.get("type") != "sms"
    return is_due and not message.get("replaced_by")


def look(options: argparse.Namespace, token: str, message: dict[str, Any], end: float) -> dict[str, Any]:
    """The message, or the one in its place, as it is now; as it was while the gateway is away: it keeps the message."""
    number = quote(str(message.get("replaced_by") or message.get("id")), safe="")
    try:
        answer = call(options, token, "GET", "/v1/messages/" + number, time_for(end), {}, None)
        found = json_object(answer)
    except Stop as stop:
        if stop.status == 2 or isinstance(stop, NoAnswer):
            return message
        raise
    if answer.status in PASSING and "id" not in found:
        return message
    if "id" not in found:
        raise Stop(1, f"message {message.get('id')} is kept, but cannot be watched: {found.get('detail')}")
    return found


def call(
    options: argparse.Namespace, token: str, method: str, path: str, timeout: float, headers: dict[str, str], body: bytes | None
) -> Answer:
    url = (options.gateway or JSON_GATEWAY).rstrip("/") + path
    return exchange(url, options.proxy, method, dict(headers, Authorization="Bearer " + token, Accept="application/json"), body, timeout)


def wanted_text(options: argparse.Namespace) -> str:
    if options.file is None:
        return str(options.text)
    try:
        text = read_bytes(options.file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Stop(2, f"{options.file} is not UTF-8 text (octet {error.start}); convert it: iconv -t UTF-8") from None
    return text[:-1] if text.endswith("\n") else text  # the newline that every editor and echo adds is not part of the message


def encoded(request: dict[str, Any]) -> bytes:
    try:
        return json.dumps(request, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Stop(2, "the text is not valid UTF-8; check the terminal's locale, or send it by --file") from None


def find_token(options: argparse.Namespace) -> str:
    token = options.token or os.environ.get("MMSPROXY_TOKEN") or token_from(options.token_file)
    token = token.strip()
    if not re.match(r"^[\x21-\x7e]+$", token):
        raise Stop(2, "the token is empty or not one word; give the one that the gateway's token file holds")
    return str(token)


def token_from(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise Stop(
            2,
            f"no token: {path}: {error.strerror}; start the gateway once (it makes the file), "
            "or give --token-file PATH, --token TOKEN or MMSPROXY_TOKEN",
        ) from None


def json_object(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body.decode("utf-8"))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Stop(1, f"HTTP {answer.status} with {answer.content_type or 'no type'} and no JSON: is this the JSON door (web.listen)?")
    return document


def message_lines(message: dict[str, Any]) -> list[str]:
    """The message resource for a person to read."""
    carrier = message.get("carrier") or {}
    error = message.get("error") or {}
    status = str(message.get("status"))
    lines = [f"{status}: {WORDS.get(status) or error.get('detail') or 'the message was not accepted'}"]
    if error and status in WORDS:
        lines.append(row("why", error.get("detail")))
    lines.append(row("id", message.get("id")))
    lines.append(
        row("line", f"{message.get('line') or 'any'}{' (simulated: nothing left this machine)' if message.get('simulated') else ''}")
    )
    if carrier:
        lines.append(row("carrier", f"{carrier.get('response_status_name')} ({carrier.get('response_status')})"))
        lines += [row(label, carrier[key]) for label, key in (("text", "response_text"), ("message-id", "message_id")) if carrier.get(key)]
    if message.get("size"):
        saved = message.get("sms_parts_saved")
        lines.append(row("size", f"{message['size']} octets" + (f": one MMS instead of {saved} SMS" if saved else "")))
    timings = message.get("timings") or {}
    if timings:
        lines.append(row("seconds", ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in timings.items() if seconds is not None)))
    lines += [row("warning", warning.get("detail") or warning.get("code")) for warning in message.get("warnings") or ()]
    return lines


def problem_lines(problem: dict[str, Any]) -> list[str]:
    """An RFC 9457 problem for a person to read."""
    lines = [f"refused: {safe(str(problem.get('title')))}", row("detail", problem.get("detail"))]
    lines += [row(str(error.get("pointer") or "body"), error.get("detail")) for error in problem.get("errors") or ()]
    return lines


# ---- MM1: the raw PDU


def send_pdu(options: argparse.Namespace) -> int:
    pdu = read_bytes(options.pdu)
    headers = {"Content-Type": MMS_TYPE, "Accept": "*/*"}
    answer = exchange(options.gateway or MM1_GATEWAY, options.proxy, "POST", headers, pdu, options.timeout)
    fields = conf_fields(answer.body)
    accepted = answer.status == 200 and fields is not None and fields[STATUS] == OK and same_transaction(pdu, answer.body)
    report = conf_report(answer, fields, accepted)
    if options.json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        print("\n".join(conf_lines(report)))
    return 0 if accepted else 1


def conf_fields(body: bytes) -> dict[int, Any] | None:
    """The header fields of an M-Send.conf or M-Forward.conf; None when the octets are something else."""
    fields = headers_of(body)
    return fields if fields.get(MESSAGE_TYPE) in CONF_TYPES and isinstance(fields.get(STATUS), int) else None


def headers_of(body: bytes) -> dict[int, Any]:
    """Header octet -> octet, or the octets of a longer value, of the headers up to the first that cannot be read. The first one counts."""
    fields: dict[int, Any] = {}
    position = 0
    try:
        while position < len(body):
            name = body[position]
            if name < 0x80:  # a header by name: its text, then the text of its value
                position = body.index(0, body.index(0, position) + 1) + 1
                continue
            value, position = header_value(body, position + 1)
            fields.setdefault(name, value)
            if name == 0x84:  # Content-Type is the last header; a body follows
                break
    except (IndexError, ValueError):
        pass
    return fields


def header_value(body: bytes, position: int) -> tuple[Any, int]:
    """A value by WSP's rule (WAP-230 8.4.1.2): one octet from 0x80, a length up to 31, else text up to NUL."""
    first = body[position]
    if first >= 0x80:
        return first, position + 1
    if first > 31:
        end = body.index(0, position)
        return body[position:end], end + 1
    length, position = (first, position + 1) if first < 31 else uintvar(body, position + 1)
    if position + length > len(body):
        raise ValueError("a value beyond the end")
    return body[position : position + length], position + length


def uintvar(body: bytes, position: int) -> tuple[int, int]:
    value = 0
    for count in range(5):
        octet = body[position + count]
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            return value, position + count + 1
    raise ValueError("a number of more than 5 octets")


def text_of(value: Any) -> str | None:
    """An Encoded-string-value (OMA-TS-MMS_ENC 7.3.19): plain text, or charset and text behind a length."""
    if not isinstance(value, bytes):
        return None
    charset = "utf-8"
    if value and value[0] >= 0x80:
        charset = {0x83: "ascii", 0x84: "latin-1"}.get(value[0], "utf-8")
        value = value[1:]
    elif value and value[0] <= 30:  # the charset's number in value[0] octets
        number = int.from_bytes(value[1 : 1 + value[0]], "big")
        charset = {1000: "utf-16-be", 1013: "utf-16-be"}.get(number, "utf-8")
        value = value[1 + value[0] :]
    if value[:1] == b"\x7f":
        value = value[1:]
    return bytes(value).decode(charset, "replace").rstrip("\0")


def same_transaction(request: bytes, answer: bytes) -> bool:
    """Only an Ok with our own Transaction-ID is an Ok to our message."""
    return bool(headers_of(request).get(TRANSACTION_ID) == headers_of(answer).get(TRANSACTION_ID))


def conf_report(answer: Answer, fields: dict[int, Any] | None, accepted: bool) -> dict[str, Any]:
    fields = fields or {}
    status = fields.get(STATUS)
    return {
        "accepted": accepted,
        "http_status": answer.status,
        "content_type": answer.content_type,
        "origin": answer.origin,
        "type": CONF_TYPES.get(fields.get(MESSAGE_TYPE, 0)),
        "response_status": status,
        "response_status_name": None if status is None else RESPONSE_STATUS.get(status, "reserved"),
        "response_text": text_of(fields.get(STATUS_TEXT)),
        "message_id": text_of(fields.get(MESSAGE_ID)),
        "transaction_id": text_of(fields.get(TRANSACTION_ID)),
        "size": len(answer.body),
        "seconds": round(answer.seconds, 3),
        "text": None if fields else answer.body[:500].decode("utf-8", "replace"),
    }


def conf_lines(report: dict[str, Any]) -> list[str]:
    labels = (("text", "response_text"), ("message-id", "message_id"), ("transaction", "transaction_id"), ("body", "text"))
    lines = [verdict(report)]
    if report["response_status"] is not None:
        lines.append(row("answer", f"{report['type']}: {report['response_status_name']} ({report['response_status']})"))
    return [*lines, *(row(label, report[key]) for label, key in labels if report[key]), row("seconds", f"{report['seconds']:.2f}")]


def verdict(report: dict[str, Any]) -> str:
    if report["accepted"]:
        return f"sent: {WORDS['sent']}"
    if report["response_status"] == PARTIAL:
        return f"partial: {WORDS['partial']}"
    if report["response_status"] == OK and report["http_status"] == 200:
        return "unknown: the carrier said Ok, but to another Transaction-ID"
    if report["http_status"] == 504:
        return f"unknown: {WORDS['unknown']}"
    return f"not sent: the {report['origin']} refused (HTTP {report['http_status']})"


# ---- HTTP


def exchange(url: str, proxy: str | None, method: str, headers: dict[str, str], body: bytes | None, timeout: float) -> Answer:
    """One request over one connection. Stops with 2 while nothing was sent, with 1 once the gateway may have the message."""
    connection, target, where = connect(url, proxy)
    started = time.monotonic()
    try:
        assert connection.sock is not None
        connection.sock.settimeout(timeout)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all; the answer says why
            connection.request(method, target, body, dict(headers, Connection="close"))
        response = connection.getresponse()
        content = response.read(MAX_ANSWER)
        if response.length:  # read(n) takes an early end for the end
            raise http.client.IncompleteRead(content, response.length)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(
            1,
            f"unknown: {where} took the message but gave no answer ({error or type(error).__name__}); it may have been sent: "
            "look at the gateway's log before sending it again",
        ) from None
    finally:
        connection.close()
    origin = response.getheader("X-Mmsproxy-Origin") or "carrier"
    return Answer(response.status, response.getheader("Content-Type") or "", origin, content, time.monotonic() - started)


def connect(url: str, proxy: str | None) -> tuple[http.client.HTTPConnection, str, str]:
    """An open connection, the request target, and the address for messages."""
    scheme, host, port, path = split_url(url)
    target = path
    if proxy:
        target = f"{scheme}://{authority(host, port, scheme)}{path}"
        scheme, host, port, _ = split_url(proxy if "://" in proxy else "http://" + proxy)
    where = f"{host}:{port}"
    connection: http.client.HTTPConnection
    if scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
    except OSError as error:
        raise Stop(
            2, f"cannot reach the gateway at {where}: {error.strerror or error}; start it with `make run`, or name it by --gateway"
        ) from None
    return connection, target, where


def split_url(url: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https") or re.search(r"[^\x21-\x7e]", url):
        raise Stop(2, f"{url} is no address; write it as http://HOST:PORT")
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path


def authority(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == (443 if scheme == "https" else 80) else f"{name}:{port}"


# ---- small things


def read_bytes(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Stop(2, f"{path}: {error.strerror}") from None


def row(label: str, value: Any) -> str:
    return f"  {label:<12}{safe(str(value))}"


def safe(text: str) -> str:
    """What the far end wrote must not steer the terminal: controls are shown as escapes."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", lambda match: f"\\x{ord(match[0]):02x}", text)


if __name__ == "__main__":
    sys.exit(main())

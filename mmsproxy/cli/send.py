"""`mmsproxy send`: one message through a running gateway, its answer in words or as JSON.

Rule 1: 0 only when the carrier said Ok; 1 when it did not or nobody knows; 2 when nothing was tried (usage, no token, no gateway).
Rule 2: what the far end wrote is shown with its control characters escaped. tools/send.py is the same for a machine without mmsproxy.
"""

from __future__ import annotations

import json as json_module
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mmsproxy.cli.gateway import HttpAnswer, NoAnswer, Unreachable, post

OK = 0x80
PARTIAL = 0xC4
MMS_TYPE = "application/vnd.wap.mms-message"
DEFAULT_CONFIG = Path("config.yaml")
ANSWER_SECONDS = 300.0  # a cold modem may take minutes to come up before the message leaves
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # listening on every address: this machine is reached by its own

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_WORDS = {
    "sent": "the carrier accepted the message",
    "partial": "the carrier accepted it for some recipients only",
    "unknown": "it may have been sent; sending it again may send it twice",
}


class UsageError(Exception):
    """Nothing was tried; the line says what to write instead."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the gateway of this configuration listens, and its token file."""

    web: str
    mm1: str
    token_file: Path


def send(
    to: str | None = None,
    text: str | None = None,
    *,
    file: str | None = None,
    subject: str | None = None,
    line: str | None = None,
    pdu: str | None = None,
    gateway: str | None = None,
    token: Annotated[str | None, Parameter(env_var="MMSPROXY_TOKEN", show_env_var=True)] = None,
    token_file: Path | None = None,
    proxy: str | None = None,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    timeout: float = ANSWER_SECONDS,
) -> int:
    """Send a text as one MMS through a running gateway. Exits 0 only when the carrier said Ok.

    Parameters
    ----------
    to
        The number, for example +16195550123; several with commas make one group MMS.
    text
        The text, of any length.
    file
        Take the text from this UTF-8 file (- for standard input).
    subject
        A subject line.
    line
        Name or own number of the line that shall send.
    pdu
        Post the raw M-Send.req in this file (- for standard input) to the MM1 door.
    gateway
        URL of the gateway; by default the one of the configuration.
    token
        The token; by default the one in the token file.
    token_file
        The file with the token; by default the one of the configuration.
    proxy
        HOST:PORT to connect to, with the gateway's whole URL in the request line.
    config
        The gateway's configuration; by default ./config.yaml when it is there.
    json
        Print the answer as JSON.
    timeout
        Seconds to wait for the answer.
    """
    request = {"to": _numbers(to), "text": text, "file": file, "subject": subject, "line": line}
    try:
        _check_usage(request, pdu, timeout)
        doors = _doors(config)
        if pdu is not None:
            octets = _octets(pdu)
            answer = post(gateway or doors.mm1, {"Content-Type": MMS_TYPE, "Accept": "*/*"}, octets, timeout=timeout, proxy=proxy)
            return _show_conf(octets, answer, as_json=json)
        body = _body(request)
        headers = _headers(token or _token(token_file or doors.token_file))
        answer = post((gateway or doors.web).rstrip("/") + "/v1/messages", headers, body, timeout=timeout, proxy=proxy)
        return _show_message(answer, as_json=json)
    except (UsageError, Unreachable, NoAnswer) as error:
        print(_safe(f"mmsproxy send: {error}"), file=sys.stderr)
        return 1 if isinstance(error, NoAnswer) else 2


def _check_usage(request: dict[str, Any], pdu: str | None, timeout: float) -> None:
    given = [name for name, value in request.items() if value is not None]
    if not timeout > 0:
        raise UsageError("--timeout must be more than 0 seconds")
    if pdu is not None and given:
        raise UsageError(f"--pdu sends the file as it is; leave out: {', '.join(given)}")
    if pdu is None and request["to"] is None:
        raise UsageError('name a number and a text: mmsproxy send +16195550123 "text"')
    if pdu is None and (request["text"] is None) == (request["file"] is None):
        raise UsageError("give the text either as second word or by --file")


def _doors(path: Path | None) -> Doors:
    """Raises ConfigError when the configuration is wrong."""
    from mmsproxy import config  # after the usage is checked: reading settings takes longer than all else here

    chosen = path if path is not None else DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None
    settings = config.load(chosen)
    folder = chosen.parent if chosen is not None else config.data_home()
    return Doors(_url(settings.web.listen), _url(settings.mm1.listen), folder / settings.web.token_file)


def _url(listen: Any) -> str:
    host = ANYWHERE.get(listen.host, listen.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{listen.port}"


def _numbers(to: str | None) -> str | list[str] | None:
    numbers = [number.strip() for number in to.split(",")] if to is not None else []
    return numbers if len(numbers) > 1 else numbers[0] if numbers else None


def _body(request: dict[str, Any]) -> bytes:
    wanted = {name: value for name, value in request.items() if value is not None and name != "file"}
    if request["file"] is not None:
        wanted["text"] = _text(request["file"])
    try:
        return json_module.dumps(wanted, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageError("the text is not valid UTF-8; check the terminal's locale, or send it by --file") from None


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


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise UsageError(
            f"no token: {path}: {error.strerror}; start the gateway once (it makes the file), "
            "or give --token-file PATH, --token TOKEN or MMSPROXY_TOKEN"
        ) from None


def _headers(token: str) -> dict[str, str]:
    word = token.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", word):
        raise UsageError("the token is empty or not one word; give the one that the gateway's token file holds")
    return {"Authorization": f"Bearer {word}", "Content-Type": "application/json", "Accept": "application/json"}


def _show_message(answer: HttpAnswer, *, as_json: bool) -> int:
    document = _object(answer)
    if document is None:
        print(f"HTTP {answer.status} without JSON: is this the JSON door (web.listen)?", file=sys.stderr)
        return 1
    if as_json:
        print(json_module.dumps(document, indent=2))
    else:
        print("\n".join(_message_lines(document) if "id" in document else _problem_lines(document)))
    carrier = document.get("carrier")
    accepted = document.get("status") == "sent" and isinstance(carrier, dict) and carrier.get("response_status") == OK
    return 0 if accepted and answer.status == 200 else 1


def _object(answer: HttpAnswer) -> dict[str, Any] | None:
    try:
        document = json_module.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _message_lines(message: dict[str, Any]) -> Iterator[str]:
    carrier, error = message.get("carrier") or {}, message.get("error") or {}
    status = str(message.get("status"))
    yield f"{status}: {_safe(str(_WORDS.get(status) or error.get('detail')))}"
    if error and status in _WORDS:
        yield _row("why", error.get("detail"))
    yield _row("id", message.get("id"))
    yield _row("line", f"{message.get('line')}{' (simulated: nothing left this machine)' if message.get('simulated') else ''}")
    if carrier:
        yield _row("carrier", f"{carrier.get('response_status_name')} ({carrier.get('response_status')})")
    for label, key in (("text", "response_text"), ("message-id", "message_id")):
        if carrier.get(key):
            yield _row(label, carrier[key])
    yield _row("size", f"{message.get('size')} octets: one MMS instead of {message.get('sms_parts_saved')} SMS")
    yield _row("seconds", ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in (message.get("timings") or {}).items()))
    for warning in message.get("warnings") or ():
        yield _row("warning", warning.get("detail"))


def _problem_lines(problem: dict[str, Any]) -> Iterator[str]:
    yield f"refused: {_safe(str(problem.get('title')))}"
    yield _row("detail", problem.get("detail"))
    for error in problem.get("errors") or ():
        yield _row(str(error.get("pointer") or "body"), error.get("detail"))


def _show_conf(request: bytes, answer: HttpAnswer, *, as_json: bool) -> int:
    report = _conf_report(request, answer)
    print(json_module.dumps(report, indent=2) if as_json else "\n".join(_conf_lines(report)))
    return 0 if report["accepted"] else 1


def _conf_report(request: bytes, answer: HttpAnswer) -> dict[str, Any]:
    """What came back from the MM1 door, decoded. Only an Ok with the request's own Transaction-ID is an Ok to this message."""
    conf = _confirmation(answer.body)
    status = None if conf is None or conf.response_status is None else int(conf.response_status)
    own = conf is not None and conf.transaction_id == _transaction_id(request)
    return {
        "accepted": answer.status == 200 and status == OK and own,
        "http_status": answer.status,
        "content_type": answer.content_type,
        "origin": answer.origin,
        "response_status": status,
        "response_status_name": None if status is None else _status_name(status),
        "response_text": None if conf is None or conf.response_text is None else str(conf.response_text),
        "message_id": None if conf is None else conf.message_id,
        "transaction_id": None if conf is None else conf.transaction_id,
        "size": len(answer.body),
        "seconds": round(answer.seconds, 3),
        "text": answer.body[:500].decode("utf-8", "replace") if conf is None else None,
    }


def _decoded(octets: bytes) -> Any:
    from mmsproxy.errors import PduError
    from mmsproxy.wire import mms_pdu

    try:
        return mms_pdu.decode(octets)
    except PduError:
        return None


def _confirmation(body: bytes) -> Any:
    """The M-Send.conf or M-Forward.conf in an answer, or None."""
    from mmsproxy.wire import mms_pdu

    pdu = _decoded(body)
    return pdu if isinstance(pdu, (mms_pdu.SendConf, mms_pdu.ForwardConf)) else None


def _transaction_id(request: bytes) -> str | None:
    pdu = _decoded(request)
    return None if pdu is None else pdu.transaction_id


def _status_name(status: int) -> str:
    from mmsproxy.wap_numbers import ResponseStatus, label

    return label(ResponseStatus(status)).capitalize() if status in ResponseStatus._value2member_map_ else "Reserved"


def _conf_lines(report: dict[str, Any]) -> Iterator[str]:
    yield _verdict(report)
    if report["response_status"] is not None:
        yield _row(
            "carrier" if report["origin"] == "carrier" else "status", f"{report['response_status_name']} ({report['response_status']})"
        )
    labels = (("text", "response_text"), ("message-id", "message_id"), ("transaction", "transaction_id"), ("body", "text"))
    yield from (_row(label, report[key]) for label, key in labels if report[key])
    yield _row("seconds", f"{report['seconds']:.2f}")


def _verdict(report: dict[str, Any]) -> str:
    if report["accepted"]:
        return f"sent: {_WORDS['sent']}"
    if report["response_status"] == PARTIAL:
        return f"partial: {_WORDS['partial']}"
    if report["http_status"] == 200 and report["response_status"] == OK:
        return "unknown: the carrier said Ok, but to another Transaction-ID"
    if report["http_status"] == 504:
        return f"unknown: {_WORDS['unknown']}"
    return f"not sent: the {report['origin']} refused (HTTP {report['http_status']})"


def _row(label: str, value: Any) -> str:
    return f"  {label:<12}{_safe(str(value))}"


def _safe(text: str) -> str:
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)

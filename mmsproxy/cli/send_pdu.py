"""`mmsproxy send --pdu`: a raw M-Send.req to the MM1 door, as MMS software posts it, and the carrier's answer decoded.

Only an Ok with the request's own Transaction-ID is an Ok to this message.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from typing import Any

from mmsproxy.cli.gateway import HttpAnswer, post
from mmsproxy.cli.messages import WORDS, row

OK = 0x80
PARTIAL = 0xC4
MMS_TYPE = "application/vnd.wap.mms-message"


def send_pdu(url: str, octets: bytes, *, as_json: bool, timeout: float, proxy: str | None) -> int:
    """The exit status: 0 only for the carrier's Ok. Raises Unreachable, NoAnswer."""
    answer = post(url, {"Content-Type": MMS_TYPE, "Accept": "*/*"}, octets, timeout=timeout, proxy=proxy)
    report = _conf_report(octets, answer)
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
        yield row(
            "carrier" if report["origin"] == "carrier" else "status", f"{report['response_status_name']} ({report['response_status']})"
        )
    labels = (("text", "response_text"), ("message-id", "message_id"), ("transaction", "transaction_id"), ("body", "text"))
    yield from (row(label, report[key]) for label, key in labels if report[key])
    yield row("seconds", f"{report['seconds']:.2f}")


def _verdict(report: dict[str, Any]) -> str:
    if report["accepted"]:
        return f"sent: {WORDS['sent']}"
    if report["response_status"] == PARTIAL:
        return f"partial: {WORDS['partial']}"
    if report["http_status"] == 200 and report["response_status"] == OK:
        return "unknown: the carrier said Ok, but to another Transaction-ID"
    if report["http_status"] == 504:
        return f"unknown: {WORDS['unknown']}"
    return f"not sent: the {report['origin']} refused (HTTP {report['http_status']})"

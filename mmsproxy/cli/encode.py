"""`mmsproxy encode FILE.json`: the octets of a PDU from the JSON form that `decode --json` prints (docs/codec.md).

Rule 1: what is written was decoded once more first, so that nothing leaves that the codec itself would not read. Rule 2: 0 if octets
were written; 1 if the JSON or the PDU is wrong, with the place on stderr; 2 if a file cannot be read or written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

STDIN = "-"


def encode(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    hex: bool = False,
    strict: bool = False,
) -> None:
    """Make an MMS PDU, a WAP push or an SMS TPDU from its JSON form.

    FILE is what `mmsproxy decode --json` printed, as it was or edited: headers whose value was not touched keep their octets. A form
    to write by hand is in docs/codec.md.

    Parameters
    ----------
    file
        The JSON; `-` reads standard input.
    output
        Write to this file; otherwise to standard output (as hex if that is a terminal).
    hex
        Write hex digits.
    strict
        Refuse to write what a strict decoder refuses.
    """
    from mmsproxy.cli.pdu_parse import FormError
    from mmsproxy.cli.terminal import safe
    from mmsproxy.errors import PduError

    try:
        octets = _octets(_read(file), strict)
        _write(octets, output, hex)
    except OSError as error:
        print(f"mmsproxy: {safe(str(error.filename or file))}: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except (FormError, PduError) as error:
        print(f"mmsproxy: {safe(f'{file}: {error}')}", file=sys.stderr)
        sys.exit(1)


def _read(file: str) -> Any:
    """The JSON document. Raises OSError, FormError."""
    from mmsproxy.cli.pdu_parse import FormError

    data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    try:
        document = json.loads(data)
    except json.JSONDecodeError as error:
        raise FormError(f"line {error.lineno} column {error.colno}", f"no JSON: {error.msg}") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise FormError("", f"no JSON: {error}") from None
    if isinstance(document, list) and len(document) == 1:
        return document[0]
    return document


def _octets(document: Any, strict: bool) -> bytes:
    """The octets, and on stderr what is odd about them. Raises FormError, PduError."""
    from mmsproxy.cli import pdu_build, pdu_sms_build
    from mmsproxy.cli.pdu_parse import member, refuse
    from mmsproxy.cli.terminal import safe
    from mmsproxy.wire import mms_pdu, wap_push

    kind = member(document, "kind", "")
    if kind == "mms-pdu":
        octets = pdu_build.mms_octets(document)
        warnings = mms_pdu.decode(octets, strict=strict).warnings
    elif kind == "wsp-push":
        octets = pdu_build.push_octets(document)
        warnings = wap_push.decode(octets, strict=strict).warnings
    elif isinstance(kind, str) and kind in pdu_sms_build.KINDS_BY_NAME:
        return pdu_sms_build.sms_octets(document)
    else:
        refuse("/kind", '"mms-pdu", "wsp-push", "sms-deliver", "sms-submit" or "sms-status-report"', kind)
    for warning in warnings:
        print(f"mmsproxy: warning: {safe(str(warning))}", file=sys.stderr)
    return octets


def _write(octets: bytes, output: Path | None, hex: bool) -> None:
    written = (octets.hex() + "\n").encode() if hex or (output is None and sys.stdout.isatty()) else octets
    if output is not None:
        output.write_bytes(written)
        return
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()

"""`mmsproxy decode FILE...`: any PDU as a readable tree, or as JSON.

Rule 1: 0 if all was decoded; 1 if something is no PDU, with the PduError on stderr; 2 if a file cannot be read or written. Rule 2: one
bad file does not keep the others from being shown. Rule 3: what there is to know about octets is in `wire`; here it is only shown.
"""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from mmsproxy.cli.pdu_recognise import Collector, Read
    from mmsproxy.errors import PduError

STDIN = "-"


def decode(
    files: Annotated[list[str], Parameter(negative=(), allow_leading_hyphen=True)],
    /,
    *,
    json: bool = False,
    strict: bool = False,
    parts: Path | None = None,
    kind: Annotated[Literal["mms", "push", "sms"] | None, Parameter(name="--as")] = None,
) -> None:
    """Show MMS PDUs, WAP pushes and SMS TPDUs as a readable tree.

    A FILE holds octets, hex (spaces, line ends, 0x and colons do not matter), a hex dump, an HTTP message, or lines of a modem's log
    (+CMGR, +CMGL, +CMT, +CDS); what is in it is found out. Parts of one message in several SMS are joined. Exit code 1: a FILE is
    malformed; 2: it cannot be read.

    Parameters
    ----------
    files
        Files to show; `-` reads standard input.
    json
        Print JSON: one object, or an array of them; `mmsproxy encode` turns it back into octets.
    strict
        Refuse every oddity instead of warning of it.
    parts
        Save the parts of messages as files in this directory.
    kind
        What the octets are, where that should not be found out: mms, push or sms.
    """
    from mmsproxy.cli.pdu_recognise import Collector

    command = _Command(Collector(kind, strict), json, parts)
    for file in files:
        command.show(file)
    command.end()
    sys.exit(command.code)


class _Command:
    """One run: what was shown so far, and the exit code."""

    def __init__(self, collector: Collector, json: bool, parts: Path | None) -> None:
        self.collector = collector
        self.json = json
        self.parts = parts
        self.code = 0
        self.shown: list[dict[str, Any]] = []

    def show(self, file: str) -> None:
        """Everything in one file."""
        from mmsproxy.cli.pdu_input import unwrap
        from mmsproxy.errors import PduError

        try:
            found = unwrap(_octets(file))
        except OSError as error:
            self._fail(2, f"{file}: {error.strerror or error}")
            return
        except PduError as error:
            self._refuse(file, error)
            return
        for one in found:
            try:
                self._put(file, self.collector.read(one))
            except PduError as error:
                self._refuse(file, error)
            except OSError as error:
                self._fail(2, f"{error.filename or self.parts}: {error.strerror or error}")

    def _put(self, file: str, read: Read) -> None:
        from mmsproxy.cli.pdu_tree import tree

        shown = {"file": file, "form": read.found.form} | _shown(read, self.parts)
        if self.json:
            self.shown.append(shown)
        else:
            sys.stdout.write(tree(shown))
            sys.stdout.flush()
        if error := read.error:
            self._fail(1, f"{file}: in the push: {error}")

    def _refuse(self, file: str, error: PduError) -> None:
        from mmsproxy.wire.pdu_view import error_json

        self.shown.append({"file": file, "error": error_json(error)})
        self._fail(1, f"{file}: {error}")

    def _fail(self, code: int, line: str) -> None:
        from mmsproxy.cli.terminal import safe

        self.code = max(self.code, code)
        print(f"mmsproxy: {safe(line)}", file=sys.stderr)

    def end(self) -> None:
        """The JSON of all files, and what of joined messages did not come."""
        for parts in self.collector.waiting.values():
            print(f"mmsproxy: {_waiting(parts)}", file=sys.stderr)
        if self.json and self.shown:
            document = self.shown[0] if len(self.shown) == 1 else self.shown
            print(json_module.dumps(document, ensure_ascii=False, indent=2))


def _octets(file: str) -> bytes:
    """The file's content. Raises OSError, also for one that is too large."""
    from mmsproxy.cli.pdu_input import MAX_FILE

    if file == STDIN:
        data = sys.stdin.buffer.read(MAX_FILE + 1)
    else:
        with Path(file).open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise OSError(f"more than {MAX_FILE} octets; a PDU has at most 2 MiB")
    return data


def _shown(read: Read, parts: Path | None) -> dict[str, Any]:
    from mmsproxy.cli.pdu_parts import save_parts
    from mmsproxy.cli.pdu_recognise import Carried
    from mmsproxy.cli.pdu_sms_view import sms_json
    from mmsproxy.wire.mms_pdu import Pdu
    from mmsproxy.wire.pdu_view import mms_json, push_json

    said = read.said
    if isinstance(said, Pdu):
        shown = mms_json(said)
    elif isinstance(said, Carried):
        shown = push_json(said.push, said.mms)
    else:
        shown = sms_json(said, read.joined)
    if parts is not None and isinstance(read.mms, Pdu):
        save_parts(read.mms, _mms_of(shown), parts)
    return shown


def _mms_of(shown: dict[str, Any]) -> dict[str, Any]:
    """The innermost object: that of the MMS PDU."""
    if shown["kind"] == "mms-pdu":
        return shown
    return _mms_of(shown["push"]) if "push" in shown else _mms_of(shown["body"]["mms"])


def _waiting(parts: Any) -> str:
    from mmsproxy.wire.sms_parts import missing, sequence

    there = ", ".join(str(sequence(part)) for part in sorted(parts, key=sequence))
    return f"of a WAP push the parts {there} are here, not {', '.join(map(str, missing(parts)))}"

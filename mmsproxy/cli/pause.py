"""`mmsproxy pause` and `mmsproxy resume`: the kill switch of everything, or of one line, by the API of the running gateway."""

from __future__ import annotations

import json as json_module
from typing import Any

from mmsproxy.cli.api import Access, AsJson, Json, connect, segment
from mmsproxy.cli.terminal import safe


def pause(line: str | None = None, /, *, reason: str = "", json: AsJson = False, access: Access | None = None) -> None:
    """Stop sending: nothing new begins, and no last byte leaves. What comes in meanwhile waits.

    Parameters
    ----------
    line
        Only this line; default: everything.
    reason
        Why, for those who look.
    json
        Print JSON.
    """
    _switch(line, "pause", {"reason": reason} if reason else {}, json, access)


def resume(line: str | None = None, /, *, json: AsJson = False, access: Access | None = None) -> None:
    """Send again what waits.

    Parameters
    ----------
    line
        Only this line; default: everything. A line that is paused itself stays so.
    json
        Print JSON.
    """
    _switch(line, "resume", None, json, access)


def _switch(line: str | None, verb: str, document: dict[str, Any] | None, as_json: bool, access: Access | None) -> None:
    path = f"/v1/{verb}" if line is None else f"/v1/lines/{segment(line)}/{verb}"
    answer = connect(access).post(path, document)
    print(json_module.dumps(answer, indent=2) if as_json else _said(line, answer))


def _said(line: str | None, answer: Json) -> str:
    what = "everything" if line is None else f"line {safe(line)}"
    if not answer.get("paused"):
        return f"{what} sends again"
    reason = answer.get("pause_reason")
    return f"{what} is paused" + (f": {safe(str(reason))}" if reason else "")

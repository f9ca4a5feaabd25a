"""`mmsproxy ports`: which serial ports there are, what each is for, who has it, and which one `port: auto` means."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from mmsproxy.errors import PortError
from mmsproxy.modem.port_lock import Holder, holders
from mmsproxy.modem.ports import AUTO, PortFacts, modem_of, read_ports, role_of, select


def ports(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the serial ports; opens none. Exit 1 when there is none.

    Parameters
    ----------
    as_json
        Print JSON.
    """
    found = read_ports()
    held = holders([facts.device for facts in found])
    if as_json:
        print(json.dumps(as_mapping(found, held), indent=2))
    elif found:
        print("\n".join(table(found, held)))
    if not found:
        print("mmsproxy: there is no serial port; plug the modem in, and see `lsusb` and `dmesg` if it does not show", file=sys.stderr)
        sys.exit(1)


def table(found: Sequence[PortFacts], held: Mapping[str, Holder]) -> list[str]:
    """Lines for people: one for each port, with its stable path below, and what `auto` means."""
    rows = [("PORT", "USB ID", "IF", "ROLE", "HELD BY", "DESCRIPTION")]
    for facts in found:
        interface = "-" if facts.interface is None else f"{facts.interface:02x}"
        holder = str(held[facts.device]) if facts.device in held else "-"
        rows.append((facts.device, facts.usb or "-", interface, role_of(facts).value, holder, named(facts)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row, facts_ in zip(rows, (None, *found), strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if facts_ is not None and facts_.by_id:
            lines.append(f"    {facts_.by_id}")
    return [*lines, "", automatic(found)]


def named(facts: PortFacts) -> str:
    """What the device calls itself, and what the table knows of it."""
    modem = modem_of(facts)
    return " / ".join(word for word in (facts.description, modem.name if modem else "") if word) or "-"


def automatic(found: Sequence[PortFacts]) -> str:
    """What `modem.port: auto` does with these ports."""
    try:
        chosen = select(AUTO, found)
    except PortError as error:
        return f"port: auto finds none: {error}"
    if len(chosen) == 1:
        return f"port: auto is {chosen[0].best_path}"
    return f"port: auto asks {', '.join(facts.device for facts in chosen)}, in this order, which of them answers AT"


def as_mapping(found: Sequence[PortFacts], held: Mapping[str, Holder]) -> dict[str, Any]:
    """For machines. `auto` lists what `port: auto` tries; empty with `auto_error` where it finds none."""
    try:
        chosen, error = [facts.device for facts in select(AUTO, found)], None
    except PortError as fault:
        chosen, error = [], str(fault)
    return {"ports": [_port(facts, held.get(facts.device)) for facts in found], "auto": chosen, "auto_error": error}


def _port(facts: PortFacts, holder: Holder | None) -> dict[str, Any]:
    modem = modem_of(facts)
    return {
        "device": facts.device,
        "by_id": facts.by_id or None,
        "usb": facts.usb or None,
        "interface": facts.interface,
        "serial": facts.serial or None,
        "role": role_of(facts).value,
        "modem": modem.name if modem else None,
        "description": facts.description or None,
        "holder": None if holder is None else {"pid": holder.pid, "name": holder.name or None},
    }

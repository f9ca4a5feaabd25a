"""Log lines for people or for machines. Numbers are masked, CR and LF escaped; bodies and tokens never get here (delivery.md 8)."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Literal

import structlog

from mmsproxy.events import Fact, LineLost, MessageFailed

Processor = Any  # structlog's own alias is a union that says no more

_NUMBER = re.compile(r"(?<![\w.])(\+?\d{1,4})\d{3,}(\d{4})(?![\w.])")


def mask_numbers(text: str) -> str:
    """Phone numbers keep their first and last four digits: +1619***0123."""
    return _NUMBER.sub(r"\1***\2", text)


def _masked(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {key: mask_numbers(value) if isinstance(value, str) and key != "timestamp" else value for key, value in event.items()}


def _on_one_line(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    message = event.get("event")
    if isinstance(message, str):
        event["event"] = message.replace("\r", "\\r").replace("\n", "\\n")
    return event


def set_up(level: str = "info", form: Literal["text", "json"] = "text", *, masked: bool = True) -> None:
    """All logging of this process goes to stderr, through structlog."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _on_one_line,
        *([_masked] if masked else []),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def log_fact(fact: Fact) -> None:
    """A listener for the bus: every fact becomes one log line."""
    fields = {name: getattr(fact, name) for name in fact.__dataclass_fields__}
    level = logging.WARNING if isinstance(fact, (LineLost, MessageFailed)) else logging.INFO
    logging.getLogger("mmsproxy").log(level, _words(type(fact).__name__), extra=fields)


def _words(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()

"""The log: a JSON object a line, with the action's name and ids; never a value from a message."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec
import structlog

_encoder = msgspec.json.Encoder(enc_hook=str)


def configure(level: str, stream: BinaryIO | None = None) -> None:
    """Log at `level` and above to `stream`, standard output by default.

    What the libraries log goes the same way, at WARNING and above: at INFO they name URLs, which may hold an NHS
    number.
    """
    numeric = logging.getLevelNamesMapping()[level]
    structlog.configure(
        # One processor: four took three times as long, and each event makes a line.
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Library()], level=max(numeric, logging.WARNING), force=True)


def _line(_: object, level: str, said: MutableMapping[str, Any]) -> bytes:
    """A line of the log; `said` has the action's name as `event`, as structlog calls it."""
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return _encoder.encode({"action": said.pop("event"), "level": level, "timestamp": moment, **said})


class _Library(logging.Handler):
    """Tells that a library logged, and where, but not what: the text may hold a URL or a piece of a message."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        log = structlog.get_logger()
        log.log(record.levelno, "library", logger=record.name, at=f"{record.module}:{record.lineno}", error=error)

"""The log: a JSON object a line, with the action's name and ids; never a value from a message."""

from __future__ import annotations

import logging
import sys
from typing import BinaryIO

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
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("action"),
            structlog.processors.JSONRenderer(lambda line, **_: _encoder.encode(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Library()], level=max(numeric, logging.WARNING), force=True)


class _Library(logging.Handler):
    """Tells that a library logged, and where, but not what: the text may hold a URL or a piece of a message."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        log = structlog.get_logger()
        log.log(record.levelno, "library", logger=record.name, at=f"{record.module}:{record.lineno}", error=error)

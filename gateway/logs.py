"""The log: a JSON object a line, with the action's name and ids; never a value from a message."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec
import structlog

_NAMES = {
    logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error",
    logging.CRITICAL: "critical",
}  # fmt: skip
_encoder = msgspec.json.Encoder(enc_hook=str)
_PIECE: Final = 4096
"""What Linux writes to a pipe in one piece (`PIPE_BUF`): beyond it what a helper writes may come in between."""


def configure(level: str, stream: BinaryIO | None = None) -> None:
    """Log at `level` and above to `stream`, standard output by default.

    What the libraries log goes the same way, at WARNING and above: at INFO they name URLs, which may hold an NHS
    number.
    """
    numeric = logging.getLevelNamesMapping()[level]
    lines = _Lines(stream or sys.stdout.buffer)
    atexit.register(lines.write)
    structlog.configure(
        wrapper_class=type("Log", (_Log,), {"level": numeric}),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Library()], level=max(numeric, logging.WARNING), force=True)


def write_out() -> None:
    """Write what waits for the turn of the event loop to end: there may be no further one."""
    structlog.get_config()["logger_factory"]().write()


class _Log(structlog.BoundLoggerBase):
    """Writes lines at `level` and above, without structlog's chain of processors: that took four times as long, and
    each event makes a line.
    """

    level = logging.INFO

    def debug(self, action: str, **said: Any) -> None:
        self._add(logging.DEBUG, action, said)

    def info(self, action: str, **said: Any) -> None:
        self._add(logging.INFO, action, said)

    def warning(self, action: str, **said: Any) -> None:
        self._add(logging.WARNING, action, said)

    def error(self, action: str, **said: Any) -> None:
        self._add(logging.ERROR, action, said)

    exception = error

    def log(self, level: int, action: str, **said: Any) -> None:
        """Write a line, unless it is below the level; `said` is what else it holds."""
        self._add(level, action, said)

    def _add(self, level: int, action: str, said: dict[str, Any]) -> None:
        if level >= self.level:
            name = _NAMES.get(level, "other")
            self._logger.add({"action": action, "level": name, "timestamp": datetime.now(UTC), **said})


class _Lines:
    """Writes lines to `stream`: those of one turn of the event loop together, since each write is a system call."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: deque[dict[str, Any]] = deque()
        self._lock = threading.RLock()
        self._due = False

    def add(self, line: dict[str, Any]) -> None:
        """Write `line` when the turn of the event loop ends; at once where none runs."""
        self._lines.append(line)
        if self._due:
            return
        try:
            asyncio.get_running_loop().call_soon(self.write)
            self._due = True
        except RuntimeError:
            self.write()

    def write(self) -> None:
        """Write what there is. A log that takes nothing more, such as a full disk, holds up nobody."""
        self._due = False
        with self._lock:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if text := _encoded(lines):
                # ValueError is what a closed stream raises.
                with contextlib.suppress(OSError, ValueError):
                    for piece in _pieces(text):
                        self._stream.write(piece)
                        self._stream.flush()


def _encoded(lines: Sequence[dict[str, Any]]) -> bytes:
    try:
        return _encoder.encode_lines(lines)
    except ValueError:
        return b"".join(map(_encoded_alone, lines))


def _encoded_alone(line: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(line) + b"\n"
    except ValueError:  # half a character, which only Python's own encoder writes
        return json.dumps(line, default=_text, separators=(",", ":")).encode() + b"\n"


def _pieces(text: bytes) -> Iterator[bytes]:
    """`text` in pieces of whole lines; one that is too long is a piece of its own."""
    start = 0
    while len(text) - start > _PIECE:
        end = text.rfind(b"\n", start, start + _PIECE) + 1 or text.index(b"\n", start) + 1
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _text(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


class _Library(logging.Handler):
    """Tells that a library logged, and where, but not what: the text may hold a URL or a piece of a message."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        log = structlog.get_logger()
        log.log(record.levelno, "library", logger=record.name, at=f"{record.module}:{record.lineno}", error=error)

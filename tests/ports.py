"""Ports for what a test starts, or says is not there."""

from __future__ import annotations

import itertools
import os
import re
import socket
from typing import Final

FIRST, LAST = 10_000, 32_767
"""Below those that Linux gives to connections and to who asks for any: such a one could be taken before it is used."""
_SLICES: Final = 16
_SIZE: Final = (LAST + 1 - FIRST) // _SLICES


def slice_of(worker: str) -> range:
    """The ports of one of the processes that run tests, `gw0` and so on: each draws from others."""
    number = re.fullmatch(r"gw(\d+)", worker)
    start = FIRST + (int(number[1]) % (_SLICES - 1) if number else _SLICES - 1) * _SIZE
    return range(start, start + _SIZE)


_own: Final = slice_of(os.environ.get("PYTEST_XDIST_WORKER", ""))
# Where another run of the tests is under way, it is likely to be at another place.
_next: Final = itertools.count(os.getpid() * 31)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that is not given again soon."""
    for number in itertools.islice(_next, _SIZE):
        port = _own[number % _SIZE]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("every port is taken")

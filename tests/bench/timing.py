"""CPU time of a call, in microseconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]

_BATCHES = 7


def microseconds(call: Call, seconds: float) -> float:
    """The median of a few batches; the first calls, which fill caches, are not among them."""
    batch = _batch_size(call, seconds / _BATCHES)
    return statistics.median(_batch_seconds(call, batch) for _ in range(_BATCHES)) / batch * 1e6


def interleaved(calls: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """The best batch of each call. A batch of each follows a batch of each, so that a busy moment hits all alike."""
    sizes = {name: _batch_size(call, seconds / _BATCHES / len(calls)) for name, call in calls.items()}
    batches = [{name: _batch_seconds(call, sizes[name]) for name, call in calls.items()} for _ in range(_BATCHES)]
    return {name: min(batch[name] for batch in batches) / size * 1e6 for name, size in sizes.items()}


def _batch_size(call: Call, seconds: float) -> int:
    """How many calls take so long."""
    batch = 1
    while (once := _batch_seconds(call, batch)) < seconds / 4:
        batch *= 2
    return max(1, round(batch * seconds / once))


def _batch_seconds(call: Call, batch: int) -> float:
    started = time.process_time()
    for _ in range(batch):
        call()
    return time.process_time() - started

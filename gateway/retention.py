"""Retention: what has been kept for its set time is erased, a little at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

from gateway import clock
from gateway.catalogue import Catalogue
from gateway.errors import ConfigurationError
from gateway.ids import first_at
from gateway.settings import RetentionSettings, Settings
from gateway.store.base import Cutoffs, Retention
from gateway.store.chosen import ask, tell

RUN_SECONDS = 3600.0
_STEP = 50
_REST = 4
"""After a step, this many times as long as it took is left to others."""
_REST_SECONDS = 0.01
_DAY_MS = 86_400_000
_LATE_MS = 3_600_000
"""By so much the clock of the node that took an event in may be behind."""


def cutoffs(settings: RetentionSettings, now_ms: int) -> Cutoffs:
    """Until when things must have come in to have been kept long enough at `now_ms`."""
    return Cutoffs(
        now_ms - round(settings.days * _DAY_MS),
        {name: now_ms - round(days * _DAY_MS) for name, days in settings.event_types.items()},
        now_ms - round(settings.audit_days * _DAY_MS),
    )


def check(settings: RetentionSettings, catalogue: Catalogue) -> None:
    """Hold the settings to the catalogue.

    Raises:
        ConfigurationError: a time is set for an event type that there is not.
    """
    if unknown := sorted(settings.event_types.keys() - {one.id for one in catalogue}):
        raise ConfigurationError(f"retention.event_types (GATEWAY_RETENTION__EVENT_TYPES): no event type {unknown[0]}")


class Eraser:
    """Erases what has been kept long enough, in steps so small that intake does not notice.

    Where some types are kept for less time than others, what is younger than the longest time is looked through for
    them. What an earlier run of this Eraser has looked through is so again once a day only, or once in the shortest
    time if that is less: deliveries that were to be made then may have ended.
    """

    def __init__(
        self, store: Retention, settings: RetentionSettings, clock: Callable[[], int] = clock.now_ms, step: int = _STEP
    ) -> None:
        self._store, self._settings, self._clock, self._step = store, settings, clock, step
        # When the last run began, and the last that looked through everything.
        self._last_ms = self._whole_ms = 0

    async def run(self) -> int:
        """Erase all that is due; how many events that were."""
        now_ms = self._clock()
        due = cutoffs(self._settings, now_ms)
        whole = not 0 <= now_ms - self._whole_ms < min(_DAY_MS, now_ms - due.latest_ms)
        parts = [(due, 0)] if whole else _parts(due, now_ms - self._last_ms + _LATE_MS)
        await self._store.tidy(now_ms)
        events = sum([await self._erase_events(part, after) for part, after in parts])
        self._last_ms, self._whole_ms = now_ms, now_ms if whole else self._whole_ms
        await self._erase_rest(due)
        await self._store.tidy(now_ms)
        return events

    async def expired(self) -> Mapping[str, int]:
        """How many events of each type a run would erase now."""
        return await self._store.expired(cutoffs(self._settings, self._clock()))

    async def _erase_events(self, due: Cutoffs, after: int) -> int:
        events = 0
        while True:
            started = time.perf_counter()
            erased = await self._store.erase(due, after, self._step)
            events += erased.events
            if erased.last is None:
                return events
            after = erased.last
            await asyncio.sleep((time.perf_counter() - started) * _REST)

    async def _erase_rest(self, due: Cutoffs) -> None:
        erased = self._step
        while erased:
            erased = await self._store.erase_rest(due, self._step)
            await asyncio.sleep(_REST_SECONDS)


def _parts(due: Cutoffs, since_ms: int) -> list[tuple[Cutoffs, int]]:
    """Cut-offs, each with the row id behind which to look for what it cuts off: the earliest of them for what of every
    type is left, each later one for what came to it within the last `since_ms`, of its types alone.
    """
    parts = [(Cutoffs(due.earliest_ms, {}, due.audit_ms), 0)]
    for ms in sorted({due.default_ms, *due.types.values()} - {due.earliest_ms}):
        alone = {name: ms if own_ms == ms else 0 for name, own_ms in due.types.items()}
        parts.append((Cutoffs(ms if due.default_ms == ms else 0, alone, due.audit_ms), first_at(ms - since_ms)))
    return parts


def run(settings: Settings, *, dry_run: bool) -> Iterator[str]:
    """Erase what is due, or only count it; what to say of that, a line for each event type.

    Raises:
        ConfigurationError: the store cannot be used.
    """
    if not dry_run:
        erased = tell(settings.store, lambda store: Eraser(store, settings.retention).run())
        yield f"{erased} events erased"
        return
    counts = ask(settings.store, lambda store: Eraser(store, settings.retention).expired())
    for name, count in sorted(counts.items()):
        yield f"{name}: {count}"
    yield f"{sum(counts.values())} events would be erased"

"""Retention: what has been kept for its set time is erased, a little at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

from gateway import clock
from gateway.catalogue import Catalogue
from gateway.errors import ConfigurationError
from gateway.settings import RetentionSettings, Settings
from gateway.store.base import Cutoffs, Retention
from gateway.store.chosen import ask, tell

RUN_SECONDS = 3600.0
_STEP = 50
_REST = 4
"""After a step, this many times as long as it took is left to others."""
_REST_SECONDS = 0.01
_DAY_MS = 86_400_000


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
    """Erases what has been kept long enough, in steps so small that intake does not notice."""

    def __init__(
        self, store: Retention, settings: RetentionSettings, clock: Callable[[], int] = clock.now_ms, step: int = _STEP
    ) -> None:
        self._store, self._settings, self._clock, self._step = store, settings, clock, step

    async def run(self) -> int:
        """Erase all that is due; how many events that were."""
        now_ms = self._clock()
        due = cutoffs(self._settings, now_ms)
        await self._store.tidy(now_ms)
        events = await self._erase_events(due)
        await self._erase_rest(due)
        await self._store.tidy(now_ms)
        return events

    async def expired(self) -> Mapping[str, int]:
        """How many events of each type a run would erase now."""
        return await self._store.expired(cutoffs(self._settings, self._clock()))

    async def _erase_events(self, due: Cutoffs) -> int:
        events, after = 0, 0
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

"""Sending again, or giving up, all deliveries of a selection: what the command line and the operators' HTTP share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway import ids
from gateway.clock import instant_ms, now_ms
from gateway.errors import ConfigurationError
from gateway.events import DeliveryState
from gateway.store.base import Selection, Store

_DISCARDABLE: Final[tuple[DeliveryState, ...]] = ("dead", "held", "pending")
STEP = 500
"""So many deliveries are changed in one transaction: intake waits for it."""


def selection(**given: Any) -> Selection:
    """A Selection of texts as an operator writes them: `since` and `until` are instants, None or "" what is not given.

    Raises:
        ConfigurationError: a time is not an instant.
    """
    since, until = (_moment(given.pop(name, None)) for name in ("since", "until"))
    named = {name: value for name, value in given.items() if value}
    # What is made later was not meant.
    return Selection(**named, since_ms=since, until_ms=until if until is not None else now_ms() + 1)


def delivery_id(text: str) -> int:
    """The id that `text` shows.

    Raises:
        ConfigurationError: it is not an id.
    """
    try:
        return ids.parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{text}: {error}") from None


def require_some(which: Selection, delivery_ids: Sequence[int]) -> None:
    """Nobody means every delivery there is.

    Raises:
        ConfigurationError: nothing but states and an end was selected.
    """
    if not delivery_ids and which == Selection(states=which.states, until_ms=which.until_ms):
        raise ConfigurationError("name deliveries by their ids, or by subscription, endpoint, event or since")


async def count_replay(store: Store, which: Selection, delivery_ids: Sequence[int]) -> int:
    """How many `replay` would send again."""
    return await store.count_deliveries(replace(which, ids=tuple(delivery_ids), replayable=True))


async def replay(store: Store, which: Selection, delivery_ids: Sequence[int]) -> int:
    """Let those of the ids, or all that were selected where there are none, be sent again; how many."""
    return await _each(store, replace(which, ids=tuple(delivery_ids), replayable=True), store.replay)


async def count_discard(store: Store, which: Selection, delivery_ids: Sequence[int]) -> int:
    """How many `discard` would give up.

    Raises:
        ConfigurationError: what was selected cannot be given up.
    """
    return await store.count_deliveries(_discardable(which, delivery_ids))


async def discard(store: Store, which: Selection, delivery_ids: Sequence[int]) -> int:
    """Give up those of the ids, or all that were selected where there are none; how many.

    Raises:
        ConfigurationError: what was selected cannot be given up.
    """
    return await _each(store, _discardable(which, delivery_ids), store.discard)


async def probe_now(store: Store, endpoint: str) -> bool:
    """Let a probe of an endpoint be due; False when it is not failing."""
    found = [one for one in await store.failing_endpoints() if one.endpoint == endpoint]
    return bool(found) and await store.take_probe(endpoint, found[0].probe_ms, now_ms())


def _discardable(which: Selection, delivery_ids: Sequence[int]) -> Selection:
    if not delivery_ids and not set(which.states) <= set(_DISCARDABLE):
        raise ConfigurationError(f"only deliveries that are {', '.join(_DISCARDABLE)} can be given up")
    states = _DISCARDABLE if delivery_ids else which.states or ("dead",)
    return replace(which, ids=tuple(delivery_ids), states=states)


async def _each(store: Store, which: Selection, act: Callable[[Sequence[int], int], Awaitable[Sequence[int]]]) -> int:
    done, after = 0, 0
    while page := await store.deliveries(which, STEP, after):
        found = [one.delivery.id for one in page]
        done += len(await act(found, now_ms()))
        after = found[-1]
    return done


def _moment(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return instant_ms(text)
    except ValueError:
        raise ConfigurationError(f"{text}: must be an instant, like 2026-11-02T09:15:00Z") from None

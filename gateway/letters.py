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

_REPLAYABLE: Final[tuple[DeliveryState, ...]] = ("dead", "delivered")
_DISCARDABLE: Final[tuple[DeliveryState, ...]] = ("dead", "held", "pending")
Act = Callable[[Store, Selection, Sequence[int], int], Awaitable[int]]
"""Does something to what is selected, or to those of the ids, and to so many at most; to how many."""
STEP = 500
"""So many deliveries are changed in one transaction: intake waits for it."""


def selection(**given: Any) -> Selection:
    """A Selection of texts as an operator writes them: `since` and `until` are instants, None or "" what is not given.

    Raises:
        ConfigurationError: a time is not an instant, or a text is none that anything is called.
    """
    since, until = (_moment(given.pop(name, None)) for name in ("since", "until"))
    named = {name: value for name, value in given.items() if value}
    if any("\0" in value for value in named.values() if isinstance(value, str)):
        raise ConfigurationError("nothing is called by a text with a NUL in it")
    return Selection(**named, since_ms=since, until_ms=until)


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


async def require_known(store: Store, delivery_ids: Sequence[int]) -> None:
    """Check that there is a delivery of each id.

    Raises:
        ConfigurationError: there is none of one of them.
    """
    if not delivery_ids:
        return
    found = {one.delivery.id for one in await store.deliveries(Selection(ids=tuple(delivery_ids)), len(delivery_ids))}
    if unknown := [one for one in delivery_ids if one not in found]:
        raise ConfigurationError(f"{ids.show(unknown[0])}: there is no such delivery")


async def count(store: Store, which: Selection, delivery_ids: Sequence[int]) -> int:
    """How many were selected, whatever can be done with them."""
    return await store.count_deliveries(replace(which, ids=tuple(delivery_ids)))


async def count_replay(store: Store, which: Selection, delivery_ids: Sequence[int]) -> int:
    """How many `replay` would send again.

    Raises:
        ConfigurationError: what was selected cannot be sent again.
    """
    return await store.count_deliveries(_replayable(which, delivery_ids))


async def replay(store: Store, which: Selection, delivery_ids: Sequence[int], most: int) -> int:
    """Let the first `most` of the ids, or of all that were selected where there are none, be sent again; how many.

    Raises:
        ConfigurationError: what was selected cannot be sent again.
    """
    return await _each(store, _replayable(which, delivery_ids), most, store.replay)


async def count_discard(store: Store, which: Selection, delivery_ids: Sequence[int]) -> int:
    """How many `discard` would give up.

    Raises:
        ConfigurationError: what was selected cannot be given up.
    """
    return await store.count_deliveries(_discardable(which, delivery_ids))


async def discard(store: Store, which: Selection, delivery_ids: Sequence[int], most: int) -> int:
    """Give up the first `most` of the ids, or of all that were selected where there are none; how many.

    Raises:
        ConfigurationError: what was selected cannot be given up.
    """
    return await _each(store, _discardable(which, delivery_ids), most, store.discard)


def _replayable(which: Selection, delivery_ids: Sequence[int]) -> Selection:
    if not delivery_ids and not set(which.states) <= set(_REPLAYABLE):
        raise ConfigurationError(f"only deliveries that are {' or '.join(_REPLAYABLE)} can be sent again")
    return replace(which, ids=tuple(delivery_ids), replayable=True)


def _discardable(which: Selection, delivery_ids: Sequence[int]) -> Selection:
    if not delivery_ids and not set(which.states) <= set(_DISCARDABLE):
        raise ConfigurationError(f"only deliveries that are {', '.join(_DISCARDABLE)} can be given up")
    states = _DISCARDABLE if delivery_ids else which.states or ("dead",)
    return replace(which, ids=tuple(delivery_ids), states=states)


async def _each(
    store: Store, which: Selection, most: int, act: Callable[[Sequence[int], int], Awaitable[Sequence[int]]]
) -> int:
    """Do `act` to the first `most`: what came to be selected since those were counted was not meant."""
    done, after = 0, 0
    while page := await store.deliveries(which, min(STEP, most), after) if most else ():
        found = [one.delivery.id for one in page]
        done += len(await act(found, now_ms()))
        after, most = found[-1], most - len(found)
    return done


def _moment(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return instant_ms(text)
    except ValueError:
        raise ConfigurationError(f"{text}: must be an instant, like 2026-11-02T09:15:00Z") from None

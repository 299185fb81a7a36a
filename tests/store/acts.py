"""What most tests of a store begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.events import Delivery, Event
from gateway.store.base import Acceptance, DeliveryTrace, Store
from tests.samples import delivery, event

SOON, LATER, MUCH_LATER = 2_000_000_000_000, 2_000_000_060_000, 2_000_000_600_000
MOMENT = 5_000
"""Times of two calls count as the same within this: an engine may keep them by another clock than the caller's."""


async def accept(store: Store, deliveries: int = 1, lease_ms: int = 0) -> tuple[Event, list[Delivery]]:
    one = event()
    made = [delivery(one) for _ in range(deliveries)]
    await store.accept(Acceptance(one, made, [each.id for each in made] if lease_ms else (), lease_ms))
    return one, made


async def deliveries_of(store: Store, one: Event) -> tuple[DeliveryTrace, ...]:
    trace = await store.trace(one.row_id)
    assert trace
    return trace.deliveries


def steps_before(number: int, migrations: Path, folder: Path) -> Path:
    """The migrations of an earlier release, in `folder`."""
    folder.mkdir()
    for step in migrations.glob("*.sql"):
        if int(step.name[:4]) < number:
            shutil.copy(step, folder)
    return folder

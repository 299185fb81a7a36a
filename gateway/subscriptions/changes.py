"""What other nodes have changed of the subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.subscriptions.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed up to `revision`: subscriptions as they are now, and the ids of deleted ones."""

    revision: int
    present: Sequence[Subscription] = ()
    deleted: Sequence[str] = ()

"""What the store keeps so that every node knows the same callers."""

from __future__ import annotations

from typing import Protocol


class Identity(Protocol):
    """Keeps secrets, and what may be used once."""

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """The secret of that name: `fresh`, unless one was kept before."""
        ...

    async def use_once(self, name: str, until_ms: int, now_ms: int) -> bool:
        """Use what is called `name`, which is worth nothing from `until_ms` on; False when it has been used."""
        ...

"""What the store keeps so that nodes share out what one of them has to do."""

from __future__ import annotations

from typing import Protocol


class Turns(Protocol):
    """Gives turns at jobs."""

    async def take_turn(self, job: str, seconds: float) -> bool:
        """Take the turn at `job`, or keep it, for so many seconds from now; False while another node has it."""
        ...

"""Turns at jobs, of the only process."""

from __future__ import annotations


class Turns:
    """Gives every turn to whoever asks: nobody else can."""

    async def take_turn(self, _job: str, _seconds: float) -> bool:
        return True

"""What the store keeps of endpoints: those that fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FailingEndpoint:
    """An endpoint that fails since `failing_ms` and is left alone but for a probe at `probe_ms`; so many `probes` have
    failed. `reason` is for an operator.
    """

    endpoint: str
    failing_ms: int
    probes: int
    probe_ms: int
    reason: str


class Endpoints(Protocol):
    """Remembers endpoints that fail, so that every node, and the next process, leaves them alone."""

    async def failing_endpoints(self) -> list[FailingEndpoint]:
        """All that fail."""
        ...

    async def keep_failing_endpoint(self, failing: FailingEndpoint) -> None:
        """Remember one, or what has changed of it; since when it fails stays as it was."""
        ...

    async def forget_failing_endpoint(self, endpoint: str) -> None:
        """It is well."""
        ...

    async def take_probe(self, endpoint: str, now_ms: int, next_ms: int) -> bool:
        """Whether a probe is due, and the caller's to make; the next is then due at `next_ms`."""
        ...

    async def hasten_probe(self, endpoint: str, now_ms: int) -> bool:
        """Let the next probe be due now; False when it is not failing."""
        ...

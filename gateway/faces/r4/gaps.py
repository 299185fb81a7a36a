"""Gaps: events of other servers that did not come are asked for, by the server's own `$events`."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import structlog

from gateway.applications import LOCAL, Application, Applications
from gateway.clock import now_ms
from gateway.errors import Refusal
from gateway.events import JSON
from gateway.faces.r4.incoming import Incoming
from gateway.outbound import Fetcher, FetchFailed
from gateway.store.base import Heard, Store, Upstream

log = structlog.get_logger()
AT_ONCE = 100
"""How many events are asked for at once."""
FETCH_SECONDS, FETCH_BYTES = 30.0, 32 * 1024 * 1024
"""How long the answer may take, and how large it may be."""


class Gaps:
    """Fills gaps that are older than `patience` seconds: notifications that overtake one another make none."""

    def __init__(
        self, store: Store, incoming: Incoming, applications: Applications, fetcher: Fetcher, patience: float,
        *, clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._store, self._incoming, self._applications = store, incoming, applications
        self._fetcher, self._patience, self._clock = fetcher, patience, clock
        self._since: dict[str, tuple[int, float]] = {}

    async def fill(self) -> None:
        """Ask for what is missing."""
        for upstream in await self._store.upstreams(AT_ONCE):
            if self._is_due(upstream):
                await self._fill(upstream)

    def _is_due(self, upstream: Upstream) -> bool:
        if not upstream.missing or upstream.reference.startswith("mesh:"):
            self._since.pop(upstream.reference, None)
            return False
        first, since = self._since.get(upstream.reference, (0, 0.0))
        if first != upstream.missing[0]:
            since = self._clock()
            self._since[upstream.reference] = upstream.missing[0], since
        return self._clock() - since >= self._patience

    async def _fill(self, upstream: Upstream) -> None:
        application = self._applications.with_id(upstream.application) or LOCAL
        first, last = upstream.missing[0], upstream.missing[-1]
        url = f"{upstream.reference}/$events?eventsSinceNumber={first}&eventsUntilNumber={last}"
        try:
            fetched = await self._fetcher.get(url, _headers(application))
            told = (await self._incoming.take(fetched.body, application, "r4")).numbers
        except FetchFailed as error:
            log.warning("gap", application=application.id, missing=len(upstream.missing), why=str(error))
            return
        except Refusal as refusal:
            log.warning("gap", application=application.id, missing=len(upstream.missing), why=refusal.issues[0].reason)
            return
        reached = max(told, default=last)
        lost = [number for number in upstream.missing if number <= reached and number not in told]
        log.info("gap", application=application.id, filled=len(told), lost=len(lost))
        if lost:  # the server keeps them no longer
            await self._store.hear(_lost(upstream, lost))


def _headers(application: Application) -> dict[str, str]:
    token = application.upstream.token if application.upstream else ""
    return {"Accept": JSON, **({"Authorization": f"Bearer {token}"} if token else {})}


def _lost(upstream: Upstream, numbers: list[int]) -> Heard:
    return Heard(
        upstream.reference, upstream.application, upstream.kind, upstream.state, upstream.events, numbers, now_ms()
    )  # fmt: skip

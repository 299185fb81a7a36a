"""Tells operators, by a webhook of theirs, that a subscription has come into error or is well again.

The subscriber's own endpoint is the one that fails, so whoever is to mend it must hear by another road.
"""

from __future__ import annotations

import asyncio
import uuid

import aiohttp
import structlog

from gateway.clock import instant, now_ms
from gateway.fhir.json import render_json
from gateway.outbound import session
from gateway.signing import Secret, sign
from gateway.subscriptions.subscription import Subscription, SubscriptionState

log = structlog.get_logger()
_WAITS = (1.0, 10.0, 60.0, 600.0)
_SECONDS = 10.0


class Alarm:
    """Posts to `url`, signed with `secret` by the Standard Webhooks scheme unless that is ""; tries a few times."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secrets = (Secret(secret),) if secret else ()
        # The operator's own, which may well be at a private address.
        self._session = session(_SECONDS, anywhere=True)
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Leave off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def watch(self, subscription: Subscription, before: SubscriptionState) -> None:
        """Tell of a subscription that has come into error, or out of it; returns at once."""
        if "error" in {subscription.state, before}:
            task = asyncio.create_task(self._tell(subscription, before))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, one: Subscription, before: SubscriptionState) -> None:
        told = {
            "type": f"subscription.{one.state}",
            "time": instant(now_ms()),
            "subscription": one.id,
            "application": one.application,
            "face": one.face,
            "endpoint": one.endpoint,
            "before": before,
            "reason": one.reason,
        }
        body, identity = render_json(told), str(uuid.uuid4())
        for wait in (*_WAITS, None):
            if await self._post(body, identity):
                return
            if wait is not None:
                await asyncio.sleep(wait)
        log.error("alarm", subscription_id=one.id, state=one.state)

    async def _post(self, body: bytes, identity: str) -> bool:
        headers = {"Content-Type": "application/json", **sign(self._secrets, identity, now_ms(), body)}
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                return 200 <= response.status < 300
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return False

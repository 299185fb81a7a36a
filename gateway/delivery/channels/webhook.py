"""The rest-hook channel: a POST to a URL. The only outbound HTTP for notifications; what is fetched, `gateway.outbound`
fetches.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from time import time

import aiohttp
from multidict import CIMultiDict

from gateway.addresses import names_forbidden_address
from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.outbound import ForbiddenAddress, session
from gateway.subscriptions.subscription import Subscription

# The request itself is at fault, or the endpoint says that it is gone: the same request cannot do better later.
# 401, 403 and 404 are not among them: they are what a receiver answers while it is being set up or moved.
_REFUSALS = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501})
_ANSWER_BYTES = 16_384


class Webhook:
    """Sends notifications by HTTP POST, to public addresses and, if `loopback`, to this machine.

    Redirects are not followed: they would carry a patient's data to an address that nobody subscribed. `find` gives a
    subscription by its id, deleted or not.
    """

    slots = 10_000  # connections are cheap; lanes bound those of each endpoint

    def __init__(
        self, seconds: float, *, loopback: bool, find: Callable[[str], Awaitable[Subscription | None]]
    ) -> None:
        self._loopback = loopback
        self._find = find
        self._session = session(seconds, loopback=loopback)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, notification: Notification) -> Outcome:
        endpoint = notification.delivery.endpoint
        if names_forbidden_address(endpoint, loopback=self._loopback):
            return Outcome(Result.REFUSED, detail="the endpoint is not a public address")
        headers = await self._headers(notification)
        try:
            async with self._session.post(
                endpoint, data=notification.body, headers=headers, allow_redirects=False
            ) as response:
                # A body read to its end lets the connection be used again.
                await response.content.read(_ANSWER_BYTES)
                return _outcome(response)
        except TimeoutError:
            return Outcome(Result.UNCERTAIN, detail="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failure(error)

    async def _headers(self, notification: Notification) -> CIMultiDict[str]:
        subscription = await self._find(notification.delivery.subscriptions[0])
        headers = CIMultiDict(subscription.headers if subscription else ())
        headers["Content-Type"] = notification.media_type
        headers["webhook-id"] = str(notification.id)
        return headers


def _failure(error: Exception) -> Outcome:
    if not isinstance(error, aiohttp.ClientConnectorError):
        # The request may have been on its way.
        return Outcome(Result.UNCERTAIN, detail=type(error).__name__)
    if isinstance(error.os_error, ForbiddenAddress):
        return Outcome(Result.REFUSED, detail=str(error.os_error))
    return Outcome(Result.FAILED, detail=type(error).__name__)


def _outcome(response: aiohttp.ClientResponse) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return Outcome(Result.DELIVERED, status)
    result = Result.REFUSED if status in _REFUSALS else Result.FAILED
    return Outcome(
        result, status, f"HTTP {status}", retry_after_seconds=_retry_after(response.headers.get("Retry-After"))
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None

"""The rest-hook channel: a POST to a URL. The only outbound HTTP for notifications; what is fetched, `gateway.outbound`
fetches.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from time import time

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict

from gateway.clock import now_ms
from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.errors import ConfigurationError
from gateway.outbound import ForbiddenAddress, session
from gateway.signing import sign
from gateway.subscriptions.subscription import Subscription

# The request itself is at fault, or the endpoint says that it is gone: the same request cannot do better later.
# 401, 403 and 404 are not among them: they are what a receiver answers while it is being set up or moved.
_REFUSALS = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501})
# Of an answer so much is read, in so long, and so much is kept with the attempt.
_ANSWER_BYTES = 16_384
_ANSWER_SECONDS = 2.0
_ANSWER_KEPT = 500


class Webhook:
    """Sends notifications by HTTP POST, signed, to public addresses and, if `loopback`, to this machine.

    Redirects are not followed: they would carry a patient's data to an address that nobody subscribed. `find` gives a
    subscription by its id, deleted or not; `tls` is how the other side is verified.
    """

    slots = 10_000  # connections are cheap; lanes bound those of each endpoint

    def __init__(
        self,
        seconds: float,
        *,
        loopback: bool,
        find: Callable[[str], Awaitable[Subscription | None]],
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._find, self._usual = find, aiohttp.ClientTimeout(total=seconds)
        self._session = session(seconds, loopback=loopback, tls=tls, resolver=resolver)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, notification: Notification) -> Outcome:
        endpoint = notification.delivery.endpoint
        subscription = await self._find(notification.delivery.subscriptions[0])
        headers, timeout = _headers(notification, subscription), self._timeout(subscription)
        try:
            async with self._session.post(
                endpoint, data=notification.body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                return _outcome(response, await _start_of(response))
        except TimeoutError:
            return Outcome(Result.UNCERTAIN, detail="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failure(error)

    def _timeout(self, subscription: Subscription | None) -> aiohttp.ClientTimeout:
        """How long the subscriber wants to be waited for, or else any endpoint."""
        own = subscription.timeout_seconds if subscription else None
        return aiohttp.ClientTimeout(total=own) if own else self._usual


def _headers(notification: Notification, subscription: Subscription | None) -> CIMultiDict[str]:
    headers = CIMultiDict(subscription.headers if subscription else ())
    # As the subscriber wrote it, parameters and all.
    headers["Content-Type"] = (subscription and subscription.payload) or notification.media_type
    secrets = subscription.secrets if subscription else ()
    headers.update(sign(secrets, str(notification.id), now_ms(), notification.body))
    if notification.delivery.replays:
        headers["webhook-replay"] = str(notification.delivery.replays)
    return headers


def tls_context(ca_file: str = "", cert_file: str = "", key_file: str = "") -> ssl.SSLContext:
    """How webhooks verify the other side, and what they show of themselves; "" for the system's authorities, and none.

    Raises:
        ConfigurationError: a file holds no certificate or key, or they do not go together.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if cert_file:
            context.load_cert_chain(cert_file, key_file or None, password="")  # never asked for at a terminal
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"webhook.ca_file, cert_file or key_file (GATEWAY_WEBHOOK): {error}") from None
    return context


async def _start_of(response: aiohttp.ClientResponse) -> str:
    """The start of the answer's body. Once the status is known the rest matters little: it is read so that the
    connection can be used again, but neither for long nor without bound.
    """
    content, read = response.content, b""
    if content.at_eof():
        return ""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            while len(read) <= _ANSWER_BYTES and (part := await content.readany()):
                read += part
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
    if len(read) > _ANSWER_BYTES:
        response.close()
    return read[:_ANSWER_KEPT].decode("utf-8", "replace").replace("\0", "")


def _failure(error: Exception) -> Outcome:
    if not isinstance(error, aiohttp.ClientConnectorError):
        # The request may have been on its way.
        return Outcome(Result.UNCERTAIN, detail=type(error).__name__)
    if isinstance(error.os_error, ForbiddenAddress):
        return Outcome(Result.REFUSED, detail=str(error.os_error))
    return Outcome(Result.FAILED, detail=type(error).__name__)


def _outcome(response: aiohttp.ClientResponse, answer: str) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return Outcome(Result.DELIVERED, status, answer=answer)
    result = Result.REFUSED if status in _REFUSALS else Result.FAILED
    patience = _retry_after(response.headers.get("Retry-After"))
    return Outcome(result, status, f"HTTP {status}", retry_after_seconds=patience, answer=answer)


def _retry_after(value: str | None) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):  # no date, or one that no clock shows
        return None

"""The rest-hook channel: a POST to a URL, and what its answer means."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from time import time

from aiohttp.abc import AbstractResolver

from gateway.clock import now_ms
from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.delivery.channels.connection import Answer
from gateway.delivery.channels.poster import NotConnected, Poster
from gateway.errors import ConfigurationError
from gateway.outbound import ForbiddenAddress
from gateway.signing import sign
from gateway.subscriptions.subscription import Subscription

# The request itself is at fault, or the endpoint says that it is gone: the same request cannot do better later.
# 401, 403 and 404 are not among them: they are what a receiver answers while it is being set up or moved.
_REFUSALS = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501})
_ANSWER_KEPT = 500
"""So much of an answer is kept with the attempt."""


class Webhook:
    """Sends notifications by HTTP POST, signed, to public addresses and, if `loopback`, to this machine.

    Redirects are not followed: they would carry a patient's data to an address that nobody subscribed. `find` gives a
    subscription by its id, deleted or not; `tls` is how the other side is verified.
    """

    slots = None  # connections are cheap; lanes bound those of each endpoint

    def __init__(
        self,
        seconds: float,
        *,
        loopback: bool,
        find: Callable[[str], Awaitable[Subscription | None]],
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._find, self._seconds = find, seconds
        self._poster = Poster(loopback=loopback, tls=tls, resolver=resolver)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    async def send(self, notification: Notification) -> Outcome:
        subscription = await self._find(notification.delivery.subscriptions[0])
        # How long the subscriber wants to be waited for, or else any endpoint.
        seconds = (subscription and subscription.timeout_seconds) or self._seconds
        headers = _headers(notification, subscription)
        try:
            answer = await self._poster.post(notification.delivery.endpoint, headers, notification.body, seconds)
        except ForbiddenAddress as error:
            return Outcome(Result.REFUSED, detail=str(error))
        except NotConnected as error:
            return Outcome(Result.FAILED, detail=str(error))
        except ValueError:  # checked when it was subscribed
            return Outcome(Result.REFUSED, detail="the subscription's URL or headers cannot be sent", ours=True)
        except OSError as error:  # the request may have been on its way
            return Outcome(Result.UNCERTAIN, detail=str(error))
        return _outcome(answer)


def _headers(notification: Notification, subscription: Subscription | None) -> list[tuple[str, str]]:
    secrets = subscription.secrets if subscription else ()
    own = {
        # As the subscriber wrote it, parameters and all.
        "Content-Type": (subscription and subscription.payload) or notification.media_type,
        **sign(secrets, notification.id, now_ms(), notification.body),
    }
    if notification.delivery.replays:
        own["webhook-replay"] = str(notification.delivery.replays)
    if subscription and subscription.headers:
        ours = {name.lower() for name in own}
        return [*own.items(), *(header for header in subscription.headers if header[0].lower() not in ours)]
    return list(own.items())


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


def _outcome(answer: Answer) -> Outcome:
    status, start = answer.status, answer.start[:_ANSWER_KEPT].decode("utf-8", "replace").replace("\0", "")
    if 200 <= status < 300:
        return Outcome(Result.DELIVERED, status, answer=start)
    result = Result.REFUSED if status in _REFUSALS else Result.FAILED
    patience = _retry_after(answer.retry_after)
    return Outcome(result, status, f"HTTP {status}", retry_after_seconds=patience, answer=start)


def _retry_after(value: str) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):  # no date, or one that no clock shows
        return None

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from email.utils import formatdate
from time import time

import pytest

from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.delivery.channels.webhook import Webhook
from gateway.outbound import GuardedResolver
from gateway.subscriptions.subscription import Subscription
from tests.harness import Listener, free_port
from tests.samples import delivery, event, subscription


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    with_headers = subscription(headers=(("X-Api-Key", "key"), ("X-Api-Key", "second"), ("webhook-id", "own")))

    async def find(_: str) -> Subscription | None:
        return with_headers

    channel = Webhook(1.0, loopback=True, find=find)
    yield channel
    await channel.close()


def notification(endpoint: str) -> Notification:
    one = event()
    return Notification(uuid.uuid4(), delivery(one, endpoint=endpoint), one, b'{"a": 1}', "application/fhir+json")


async def send(webhook: Webhook, listener: Listener, status: int, **headers: str) -> Outcome:
    listener.answers.status = status
    listener.answers.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await webhook.send(notification(listener.url))


async def test_the_body_arrives_as_it_is_with_our_headers_and_theirs(webhook: Webhook, listener: Listener) -> None:
    sent = notification(listener.url)
    assert await webhook.send(sent) == Outcome(Result.DELIVERED, 204)
    (request,) = listener.received
    assert request.body == sent.body
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert request.headers["X-Api-Key"] == "key, second"
    assert request.headers["webhook-id"] == str(sent.id)


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, Result.DELIVERED), (202, Result.DELIVERED), (204, Result.DELIVERED)]
    + [(code, Result.FAILED) for code in (301, 307, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504)]
    + [(code, Result.REFUSED) for code in (400, 405, 410, 413, 415, 422, 501)],
)
async def test_what_an_answer_means(webhook: Webhook, listener: Listener, status: int, result: Result) -> None:
    outcome = await send(webhook, listener, status)
    assert (outcome.result, outcome.status) == (result, status)


async def test_retry_after_is_read_in_both_forms(webhook: Webhook, listener: Listener) -> None:
    assert (await send(webhook, listener, 429, Retry_After="120")).retry_after_seconds == 120
    dated = (await send(webhook, listener, 503, Retry_After=formatdate(time() + 60, usegmt=True))).retry_after_seconds
    assert dated == pytest.approx(60, abs=3)
    assert (await send(webhook, listener, 503, Retry_After="soon")).retry_after_seconds is None


async def test_no_listener_means_not_sent(webhook: Webhook) -> None:
    outcome = await webhook.send(notification(f"http://127.0.0.1:{free_port()}/"))
    assert outcome.result is Result.FAILED


async def test_no_answer_in_time_may_have_arrived(webhook: Webhook, listener: Listener) -> None:
    listener.answers.delay_seconds = 1.5
    assert (await webhook.send(notification(listener.url))).result is Result.UNCERTAIN


async def test_with_public_addresses_only_loopback_is_refused(listener: Listener) -> None:
    async def find(_: str) -> Subscription | None:
        return None

    channel = Webhook(1.0, loopback=False, find=find)
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        outcome = await channel.send(notification(f"http://{host}:{listener.port}/"))
        assert outcome.result is Result.REFUSED
        assert "public address" in outcome.detail
    await channel.close()
    assert listener.received == []


async def test_the_resolver_gives_allowed_addresses_only() -> None:
    closed, open_ = GuardedResolver(loopback=False), GuardedResolver(loopback=True)
    with pytest.raises(OSError, match="no public address"):
        await closed.resolve("localhost", 80)
    assert [found["host"] for found in await open_.resolve("localhost", 80)] == ["127.0.0.1"]
    await closed.close()
    await open_.close()

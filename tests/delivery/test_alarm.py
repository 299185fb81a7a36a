from __future__ import annotations

import json

from standardwebhooks import Webhook

from gateway.delivery.alarm import Alarm
from gateway.signing import new_secret
from tests.harness import Listener, until
from tests.samples import subscription

FAILED = subscription(
    face="r4", channel="rest-hook", endpoint="https://example.org/in", state="error", reason="HTTP 500"
)


async def test_operators_are_told_of_a_subscription_in_error_and_signed(listener: Listener) -> None:
    secret = new_secret().text
    alarm = Alarm(listener.url, secret)
    alarm.watch(FAILED, "active")
    await until(lambda: len(listener.received) >= 1)
    await alarm.stop()
    (request,) = listener.received
    told = Webhook(secret).verify(request.body, request.headers)
    assert {name: told[name] for name in ("type", "subscription", "endpoint", "before", "reason")} == {
        "type": "subscription.error",
        "subscription": FAILED.id,
        "endpoint": "https://example.org/in",
        "before": "active",
        "reason": "HTTP 500",
    }


async def test_they_are_told_again_when_they_did_not_hear(listener: Listener) -> None:
    listener.answers.status = 500
    alarm = Alarm(listener.url, "")
    alarm.watch(FAILED, "active")
    await until(lambda: len(listener.received) >= 1)
    listener.answers.status = 204
    await until(lambda: len(listener.received) >= 2)
    await alarm.stop()
    first, second = listener.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert "webhook-signature" not in first.headers


async def test_what_is_no_failure_is_not_told(listener: Listener) -> None:
    alarm = Alarm(listener.url, "")
    alarm.watch(subscription(state="active"), "requested")
    alarm.watch(subscription(state="active"), "error")
    await until(lambda: len(listener.received) >= 1)
    await alarm.stop()
    assert [json.loads(request.body)["type"] for request in listener.received] == ["subscription.active"]

"""What operators see of deliveries and endpoints, in a terminal and by HTTP: nothing of a patient, unless asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import ids
from gateway.clock import instant
from gateway.events import Attempt
from gateway.store.base import DeliveryTrace, FailingEndpoint


def delivery_shown(one: DeliveryTrace, *, answers: bool = False) -> dict[str, Any]:
    """What an operator sees of a delivery; with `answers` what the other side said, which may tell of the patient."""
    delivery = one.delivery
    return {
        "id": ids.show(delivery.id),
        "event": ids.show(delivery.event_id),
        "channel": delivery.channel,
        "endpoint": delivery.endpoint,
        "form": delivery.form,
        "workflow": delivery.workflow,
        "subscriptions": list(delivery.subscriptions),
        "state": one.state,
        "remote_id": one.remote_id,
        "next": instant(one.next_ms) if one.state == "pending" else None,
        "ended": instant(one.ended_ms) if one.ended_ms else None,
        "collected": instant(one.collected_ms) if one.collected_ms else None,
        "replays": delivery.replays,
        "discarded": instant(one.discarded_ms) if one.discarded_ms else None,
        "attempts": [attempt_shown(attempt, answers=answers) for attempt in one.attempts],
    }


def attempt_shown(attempt: Attempt, *, answers: bool = False) -> dict[str, Any]:
    """What an operator sees of an attempt; with `answers` as for its delivery."""
    return {
        "number": attempt.number,
        "started": instant(attempt.started_ms),
        "ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "detail": attempt.detail,
        **({"answer": attempt.answer} if answers else {}),
    }


def attempt_words(shown: Mapping[str, Any]) -> str:
    """What came of an attempt that is shown, in one line."""
    return " ".join(str(shown[name]) for name in ("outcome", "status", "detail") if shown[name])


def endpoint_shown(one: FailingEndpoint) -> dict[str, object]:
    """What an operator sees of an endpoint that fails."""
    return {
        "endpoint": one.endpoint,
        "failing_since": instant(one.failing_ms),
        "probes": one.probes,
        "next_probe": instant(one.probe_ms),
        "reason": one.reason,
    }

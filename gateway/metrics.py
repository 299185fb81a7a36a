"""The metrics, each with the function that records it. Labels never hold an id, an address or anything of a patient;
`mailbox` is one of the gateway's own.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

_RECEIVED = Counter("gateway_received", "Messages received, by face and what became of them", ["face", "outcome"])
_ACCEPTED = Counter("gateway_accepted", "Events accepted, by face and event type", ["face", "type"])
_ATTEMPTS = Counter(
    "gateway_delivery_attempts", "Attempts at deliveries, by channel and outcome", ["channel", "outcome"]
)
_ATTEMPT_SECONDS = Histogram(
    "gateway_delivery_attempt_seconds",
    "How long attempts take, by channel",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_ENDED = Counter("gateway_deliveries_ended", "Deliveries that ended, by channel and state", ["channel", "state"])
_IN_MEMORY = Gauge("gateway_deliveries_in_memory", "Deliveries that this process holds in memory")
_FAILING = Gauge("gateway_endpoints_failing", "Webhook endpoints that fail and are left alone but for probes")
_SUBSCRIPTIONS = Gauge("gateway_subscriptions", "Subscriptions in the index")
_COLLECTED = Counter("gateway_mesh_collected", "Messages taken from the own mailbox, by disposition", ["disposition"])
_LAST_COLLECTION = Gauge(
    "gateway_mesh_last_collection_timestamp_seconds",
    "When an own mailbox was last looked into with success",
    ["mailbox"],
)
_LAST_HANDSHAKE = Gauge(
    "gateway_mesh_last_handshake_timestamp_seconds", "When MESH last knew an own mailbox", ["mailbox"]
)
_LEFT = Gauge("gateway_mesh_inbox_left", "Messages that stayed in an own mailbox after it was looked into", ["mailbox"])
_LEFT_SECONDS = Gauge(
    "gateway_mesh_inbox_left_oldest_seconds", "For how long the oldest of them has failed to be collected", ["mailbox"]
)
_UNCOLLECTED_SECONDS = Gauge(
    "gateway_mesh_uncollected_oldest_seconds", "The age of the oldest delivery that its recipient has not collected"
)
_COLLECTED_BY_RECIPIENT = Counter(
    "gateway_mesh_collected_by_recipient", "Deliveries that MESH was found to say their recipients have"
)
_CERTIFICATE = Gauge("gateway_mesh_certificate_expiry_timestamp_seconds", "When the client certificate for MESH ends")

# labels() takes a lock and builds a key on each call; the hot path asks for the same few children again and again.
_received = cache(_RECEIVED.labels)
_accepted = cache(_ACCEPTED.labels)
_attempts = cache(_ATTEMPTS.labels)
_attempt_seconds = cache(_ATTEMPT_SECONDS.labels)
_ended = cache(_ENDED.labels)


def received(face: str, outcome: str) -> None:
    """A face has answered a publisher; `outcome` is `accepted`, a Spine code, or `failed`."""
    _received(face, outcome).inc()


def accepted(face: str, event_type: str) -> None:
    """An event is durable."""
    _accepted(face, event_type).inc()


def attempted(channel: str, outcome: str, seconds: float) -> None:
    """An attempt at a delivery has ended."""
    _attempts(channel, outcome).inc()
    _attempt_seconds(channel).observe(seconds)


def ended(channel: str, state: str, count: int = 1) -> None:
    """So many deliveries are delivered or dead."""
    _ended(channel, state).inc(count)


def in_memory(count: int) -> None:
    """How many deliveries are held in memory now."""
    _IN_MEMORY.set(count)


def endpoints_failing(count: int) -> None:
    """How many endpoints are left alone now."""
    _FAILING.set(count)


def subscriptions(count: int) -> None:
    """How many subscriptions are in the index now."""
    _SUBSCRIPTIONS.set(count)


def collected(disposition: str) -> None:
    """A message of the own mailbox is durable."""
    _COLLECTED.labels(disposition).inc()


def mailbox_read(mailbox: str) -> None:
    """An own mailbox was looked into with success."""
    _LAST_COLLECTION.labels(mailbox).set_to_current_time()


def greeted(mailbox: str) -> None:
    """MESH answered a handshake."""
    _LAST_HANDSHAKE.labels(mailbox).set_to_current_time()


def mailbox_left(mailbox: str, count: int, oldest_seconds: float) -> None:
    """How many messages stayed in an own mailbox, and for how long the oldest has been failing."""
    _LEFT.labels(mailbox).set(count)
    _LEFT_SECONDS.labels(mailbox).set(oldest_seconds)


def uncollected(oldest_seconds: float) -> None:
    """For how long the oldest delivered message has waited for its recipient."""
    _UNCOLLECTED_SECONDS.set(oldest_seconds)


def collected_by_recipient() -> None:
    """A recipient was found to have collected a message."""
    _COLLECTED_BY_RECIPIENT.inc()


def certificate_ends(timestamp: float) -> None:
    """When the client certificate for MESH ends."""
    _CERTIFICATE.set(timestamp)

"""The metrics, each with the function that records it. Labels never hold an id, an address or anything of a patient;
`mailbox` is one of the gateway's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class _Tally(Collector):
    """A counter of what one thread counts, once or more for each event: prometheus_client's own takes a lock and five
    calls each time.
    """

    def __init__(self, name: str, documentation: str, labels: list[str]) -> None:
        self._about, self.label_names = (name, documentation), labels
        self.counts: dict[tuple[str, ...], float] = defaultdict(float)
        REGISTRY.register(self)

    def describe(self) -> Iterator[CounterMetricFamily]:
        """What is counted."""
        yield CounterMetricFamily(*self._about, labels=self.label_names)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What was counted."""
        for family in self.describe():
            for labels, count in self.counts.items():
                family.add_metric(labels, count)
            yield family


class _Processes(Collector):
    """What prometheus_client tells of the gateway's own process, of each helper."""

    label_names = ("helper",)

    def __init__(self) -> None:
        self.pids: Callable[[], Sequence[int]] = tuple
        REGISTRY.register(self)

    def describe(self) -> Iterator[Metric]:
        """What is told: of this process it is the same."""
        yield from _process("self")

    def collect(self) -> Iterator[Metric]:
        """What the system says of them now; nothing of one that has ended, whose id is 0, or where it says nothing."""
        told: dict[str, Metric] = {}
        for number, pid in enumerate(self.pids(), 1):
            for family in _process(pid):
                whole = told.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                whole.samples += [one._replace(labels={"helper": str(number)}) for one in family.samples]
        yield from told.values()


def _process(pid: int | str) -> Iterable[Metric]:
    return ProcessCollector("gateway_helper", lambda: pid, registry=None).collect()


_RECEIVED = _Tally("gateway_received", "Messages received, by face and what became of them", ["face", "outcome"])
_ACCEPTED = _Tally("gateway_accepted", "Events accepted, by face and event type", ["face", "type"])
_ATTEMPTS = _Tally(
    "gateway_delivery_attempts", "Attempts at deliveries, by channel and outcome", ["channel", "outcome"]
)
_ATTEMPT_SECONDS = Histogram(
    "gateway_delivery_attempt_seconds",
    "How long attempts take, by channel",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_ENDED = _Tally("gateway_deliveries_ended", "Deliveries that ended, by channel and state", ["channel", "state"])
_IN_MEMORY = Gauge("gateway_deliveries_in_memory", "Deliveries that this process holds in memory")
_FAILING = Gauge("gateway_endpoints_failing", "Webhook endpoints that fail and are left alone but for probes")
_HELPERS = Gauge("gateway_helpers", "Processes that help the gateway, and can be asked to")
_HELPER_PROCESSES = _Processes()
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
    "gateway_mesh_inbox_left_oldest_seconds",
    "For how long the oldest message that stayed in an own mailbox has failed to be collected",
    ["mailbox"],
)
_UNCOLLECTED_SECONDS = Gauge(
    "gateway_mesh_uncollected_oldest_seconds", "The age of the oldest delivery that its recipient has not collected"
)
_COLLECTED_BY_RECIPIENT = Counter(
    "gateway_mesh_collected_by_recipient", "Deliveries that MESH was found to say their recipients have"
)
_CERTIFICATE = Gauge("gateway_mesh_certificate_expiry_timestamp_seconds", "When the client certificate for MESH ends")

# labels() takes a lock and builds a key on each call.
_attempt_seconds = cache(_ATTEMPT_SECONDS.labels)


def received(face: str, outcome: str) -> None:
    """A face has answered a publisher; `outcome` is `accepted`, a Spine code, or `failed`."""
    _RECEIVED.counts[face, outcome] += 1


def accepted(face: str, event_type: str) -> None:
    """An event is durable."""
    _ACCEPTED.counts[face, event_type] += 1


def attempted(channel: str, outcome: str, seconds: float) -> None:
    """An attempt at a delivery has ended."""
    _ATTEMPTS.counts[channel, outcome] += 1
    _attempt_seconds(channel).observe(seconds)


def ended(channel: str, state: str, count: int = 1) -> None:
    """So many deliveries are delivered or dead."""
    _ENDED.counts[channel, state] += count


def in_memory(count: Callable[[], int]) -> None:
    """Where to ask, when somebody looks, how many deliveries are held in memory."""
    _IN_MEMORY.set_function(count)


def helpers(count: Callable[[], int], pids: Callable[[], Sequence[int]]) -> None:
    """Where to ask, when somebody looks, how many helpers there are, and the ids of their processes: 0 of one that has
    ended, or has not answered yet.
    """
    _HELPERS.set_function(count)
    _HELPER_PROCESSES.pids = pids


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

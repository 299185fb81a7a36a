"""Which subscriptions an event matches: one index in memory for the subscriptions of all faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.events import Event
from gateway.subscriptions.subscription import Subscription

_Key = tuple[str, str | None]


class Index:
    """Subscriptions by event type and NHS number; generic ones stand under the event type and None.

    A look-up costs two dictionary reads however many subscriptions there are. The index is touched only by the event
    loop's thread, and a subscription is in it before its creation is answered.
    """

    def __init__(self, subscriptions: Iterable[Subscription] = ()) -> None:
        self._by_id: dict[str, Subscription] = {}
        self._by_key: dict[_Key, dict[str, Subscription]] = {}
        for subscription in subscriptions:
            self.add(subscription)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._by_id.values()))

    def get(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id."""
        return self._by_id.get(subscription_id)

    def add(self, subscription: Subscription) -> None:
        """Let `subscription` match from now on."""
        self._by_id[subscription.id] = subscription
        for key in self._keys(subscription):
            self._by_key.setdefault(key, {})[subscription.id] = subscription

    def remove(self, subscription_id: str) -> None:
        """Let it match no more; nothing happens when it is not there."""
        subscription = self._by_id.pop(subscription_id, None)
        for key in self._keys(subscription) if subscription else ():
            held = self._by_key[key]
            del held[subscription_id]
            if not held:
                del self._by_key[key]

    def match(self, event: Event) -> list[Subscription]:
        """The subscriptions that `event` is for, in the order they were made."""
        found = [*self._by_key.get((event.type, None), {}).values()]
        if event.subject is not None:
            found += self._by_key.get((event.type, event.subject), {}).values()
        return [one for one in found if one.matches(event.received_ms)]

    def twin_of(self, subscription: Subscription, now_ms: int) -> Subscription | None:
        """One of the same application that would deliver the same events to the same endpoint in the same form."""
        for key in self._keys(subscription):
            for other in self._by_key.get(key, {}).values():
                if _identity(other) == _identity(subscription) and not other.has_ended(now_ms):
                    return other
        return None

    @staticmethod
    def _keys(subscription: Subscription) -> Iterator[_Key]:
        return ((event_type, subscription.subject) for event_type in subscription.event_types)


def _identity(one: Subscription) -> tuple[object, ...]:
    tags = tuple(sorted(one.tag.split(",")))
    return one.application, one.face, frozenset(one.event_types), one.subject, one.endpoint, one.form, tags

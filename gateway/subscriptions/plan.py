"""Which deliveries an event makes, given the subscriptions it matched."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.catalogue import EventType
from gateway.events import Delivery, Event
from gateway.subscriptions.subscription import Subscription

PARTNER_ID_LIMIT = 500
"""MESH takes a Mex-PartnerID of up to 500 characters."""


def plan(
    event: Event, event_type: EventType, matched: Iterable[Subscription], new_id: Callable[[], int]
) -> list[Delivery]:
    """The deliveries of `event`: one for each webhook subscription, one for each mailbox that NEMS subscriptions name.

    A mailbox gets one copy of a published message however many subscriptions match (NEMS, "Create subscription");
    those of them that carry a tag are listed in its Mex-PartnerID.
    """
    deliveries = []
    mailboxes: dict[str, list[Subscription]] = {}
    for one in matched:
        if one.channel == "mesh":
            mailboxes.setdefault(one.endpoint, []).append(one)
        else:
            deliveries.append(Delivery(new_id(), event.row_id, one.channel, one.endpoint, one.form, (one.id,)))
    for mailbox, sharing in mailboxes.items():
        ids = tuple(one.id for one in sharing)
        workflow = event_type.nems.workflow if event_type.nems else ""
        deliveries.append(
            Delivery(new_id(), event.row_id, "mesh", mailbox, "nems-message", ids, workflow, partner_id(sharing))
        )
    return deliveries


def partner_id(subscriptions: Iterable[Subscription]) -> str:
    """`<id>|<tag>` of the subscriptions that carry a tag, joined by `~~~`; as many whole ones as MESH takes."""
    text = ""
    for one in subscriptions:
        longer = f"{text}~~~{one.id}|{one.tag}" if text else f"{one.id}|{one.tag}"
        if one.tag and len(longer) <= PARTNER_ID_LIMIT:
            text = longer
    return text

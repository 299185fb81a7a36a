"""Which deliveries an event makes, given the subscriptions it matched."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.catalogue import EventType
from gateway.events import Delivery, Event
from gateway.subscriptions.subscription import Entry

PARTNER_ID_LIMIT = 500
"""MESH takes a Mex-PartnerID of up to 500 characters."""


def plan(event: Event, event_type: EventType, matched: Iterable[Entry], new_id: Callable[[], int]) -> list[Delivery]:
    """The deliveries of `event`: one for each mailbox that NEMS subscriptions name, one for each other subscription.

    A mailbox gets one copy of a published message however many subscriptions match (NEMS, "Create subscription");
    those of them that carry a tag are listed in its Mex-PartnerID.
    """
    deliveries = []
    mailboxes: dict[str, list[Entry]] = {}
    for one in matched:
        terms = one.terms
        if terms.form == "nems-message":
            mailboxes.setdefault(terms.endpoint, []).append(one)
        else:
            whose = terms.channel, terms.endpoint, terms.form, (one.id,), terms.workflow
            key = event.subject or "" if terms.ordering == "per-subject" else ""
            deliveries.append(Delivery(new_id(), event.row_id, *whose, order_key=key))
    for mailbox, sharing in mailboxes.items():
        ids = tuple(one.id for one in sharing)
        workflow = event_type.nems.workflow if event_type.nems else ""
        deliveries.append(
            Delivery(new_id(), event.row_id, "mesh", mailbox, "nems-message", ids, workflow, partner_id(sharing))
        )
    return deliveries


def partner_id(subscriptions: Iterable[Entry]) -> str:
    """`<id>|<tag>` of the subscriptions that carry a tag, joined by `~~~`; as many whole ones as MESH takes."""
    text = ""
    for one in subscriptions:
        longer = f"{text}~~~{one.id}|{one.tag}" if text else f"{one.id}|{one.tag}"
        if one.tag and len(longer) <= PARTNER_ID_LIMIT:
            text = longer
    return text

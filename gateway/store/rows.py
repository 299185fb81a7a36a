"""Rows of the database to the objects they hold, and back."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from gateway.events import Attempt, Delivery, Event, Original
from gateway.store.base import InboxMessage
from gateway.subscriptions.subscription import Entry, Subscription, Terms, terms_of

Row = tuple[Any, ...]
_columns = operator.attrgetter(
    "row_id", "received_ms", "face", "application", "id", "source", "type", "time", "subject", "dataref", "versionid"
)
_original = operator.attrgetter("original.form", "original.media_type", "original.body")
_encoder = msgspec.json.Encoder(decimal_format="number")
_decode = msgspec.json.decode
_decode_exact = msgspec.json.Decoder(float_hook=Decimal).decode
"""Leaves numbers with a fraction as they are written."""

EVENT = (
    "e.id, e.received_ms, e.face, e.application, e.event_id, e.source, e.type, e.time, e.subject, e.dataref,"
    " e.versionid, e.filtering, e.warnings, e.form, e.media_type, e.body"
)
DELIVERY = (
    "d.id, d.event_id, d.channel, d.endpoint, d.form, d.subscriptions, d.workflow, d.partner_id, d.attempts,"
    " d.uncertain, d.claim, d.number, d.order_key, d.replays"
)
SUBSCRIPTION = (
    "id, application, face, event_types, subject, channel, endpoint, form, created_ms, tag, private, end_ms, workflow,"
    " state, reason, payload, timeout_seconds, heartbeat_seconds, unproven, ordering, retry_seconds, filter"
)
RESOURCE = "criteria, body, media_type"
_BETWEEN = "\x1f"  # the unit separator, which no value has
_TERMS = ("application", "event_types", "endpoint", "filter", "state")
# One text for what many agree in, without what all of NEMS's agree in: there may be a million rows.
NEMS_ENTRY = "id, subject, tag, end_ms, " + f" || '{_BETWEEN}' || ".join(_TERMS)
ATTEMPT = "delivery_id, number, started_ms, duration_ms, outcome, status, detail, answer"
INBOX = "message_id, received_ms, disposition, reason, headers, body, mailbox, released_ms"


def json_text(value: object) -> str:
    """`value` as JSON text; the empty object and list, which are most, cost nothing."""
    if not value:
        return "{}" if isinstance(value, dict) else "[]"
    return _encoder.encode(value).decode()


def event_row(event: Event) -> Row:
    """The columns EVENT."""
    return *_columns(event), json_text(event.filtering), json_text(event.warnings), *_original(event)


def event_of(row: Row) -> Event:
    """The event of the columns EVENT."""
    return Event(
        row_id=row[0], received_ms=row[1], face=row[2], application=row[3], id=row[4], source=row[5], type=row[6],
        time=row[7], subject=row[8], dataref=row[9], versionid=row[10], filtering=_decode_exact(row[11]),
        warnings=tuple(_decode(row[12])), original=Original(body=row[15], media_type=row[14], form=row[13]),
    )  # fmt: skip


def delivery_row(delivery: Delivery, state: str, next_ms: int, number: int = 0, *, blocked: bool = False) -> Row:
    """The row of the table deliveries, as it is first written."""
    return (
        delivery.id, delivery.event_id, delivery.channel, delivery.endpoint, delivery.form,
        json_text(delivery.subscriptions), delivery.workflow, delivery.partner_id, state, next_ms,
        number, delivery.order_key, blocked,
    )  # fmt: skip


def delivery_of(row: Row) -> Delivery:
    """The delivery of the columns DELIVERY."""
    identity, event_id, channel, endpoint, form, subscriptions, workflow, partner_id, attempts, uncertain, *rest = row
    return Delivery(
        identity, event_id, channel, endpoint, form, tuple(_decode(subscriptions)), workflow, partner_id, attempts,
        bool(uncertain), *rest,
    )  # fmt: skip


def subscription_row(one: Subscription) -> Row:
    """The row of the table subscriptions, in the order of SUBSCRIPTION; headers and secrets are in `private` alone."""
    return (
        one.id, one.application, one.face, json_text(one.event_types), one.subject, one.channel, one.endpoint, one.form,
        one.created_ms, one.tag, one.private, one.end_ms, one.workflow, one.state, one.reason, one.payload,
        one.timeout_seconds, one.heartbeat_seconds, one.unproven, one.ordering, json_text(one.retry_seconds),
        one.filter,
    )  # fmt: skip


def resource_row(one: Subscription) -> Row:
    """What it was created with, in the order of RESOURCE."""
    return one.criteria, one.resource, one.media_type


def subscription_of(row: Row) -> Subscription:
    """The subscription of the columns SUBSCRIPTION and RESOURCE."""
    values = list(row)
    values[3], values[20] = tuple(_decode(row[3])), tuple(_decode(row[20]))
    values[18] = bool(row[18])
    return Subscription(*values[:8], *values[22:], *values[8:22])


def nems_entries_of(rows: Iterable[Row]) -> list[Entry]:
    """The entries of rows of the columns NEMS_ENTRY: subscriptions of a mailbox to the messages as they come."""
    return [Entry(identity, subject, tag, end_ms, _terms(terms)) for identity, subject, tag, end_ms, terms in rows]


@lru_cache(maxsize=65_536)
def _terms(text: str) -> Terms:
    application, event_types, endpoint, criterion, state = text.split(_BETWEEN)
    types = tuple(_decode(event_types))
    return terms_of(application, "nems", types, "mesh", endpoint, "nems-message", criterion, "", state, "none")


def attempt_of(row: Row) -> Attempt:
    """The attempt of the columns ATTEMPT."""
    return Attempt(*row)


def inbox_row(message: InboxMessage, event_id: int | None = None) -> Row:
    """The columns INBOX, and event_id."""
    return (
        message.message_id, message.received_ms, message.disposition, message.reason, json_text(message.headers),
        message.body, message.mailbox, message.released_ms, event_id,
    )  # fmt: skip


def inbox_of(row: Row) -> InboxMessage:
    """The message of the columns INBOX."""
    message_id, received_ms, disposition, reason, headers, *rest = row
    return InboxMessage(message_id, received_ms, disposition, reason, _decode(headers), *rest)

"""Reads a Subscription of the Subscriptions R5 Backport IG 1.1.0: what its subscriber asks for, or why it cannot be.

Anything that would change what is delivered, and that this face cannot do, is refused by name.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.applications import Application
from gateway.catalogue import Catalogue, EventType
from gateway.clock import instant, now_ms
from gateway.errors import Refusal
from gateway.events import JSON, NUMBERED
from gateway.faces.http import end_ms
from gateway.faces.r4 import channel
from gateway.faces.r4.channel import Endpoint, unsupported
from gateway.faces.r4.extensions import ORDERING, RETRY_SECONDS, read_extensions
from gateway.faces.r4.filters import read_filters
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.tables import load
from gateway.reader import check
from gateway.subscriptions.subscription import Kind, Subscription

R4 = load("R4")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a subscriber may ask for: `loopback` says that webhooks may go to this machine, and without TLS; `mesh` that
    there is a MESH to send by; the others are in seconds.
    """

    loopback: bool
    mesh: bool
    heartbeat_min: int
    timeout_max: int
    secret_overlap: float


class Requests:
    """Turns a Subscription resource into a subscription."""

    def __init__(self, catalogue: Catalogue, limits: Limits) -> None:
        self._catalogue, self._limits = catalogue, limits

    def read(
        self, resource: dict[str, Any], application: Application, present: Subscription | None = None
    ) -> Subscription:
        """The subscription that `resource` asks for: requested, or active where nobody needs to be asked first;
        `present` is the one that it changes.

        Raises:
            Refusal: it asks for what there is not, or what the application may not have.
        """
        extensions = read_extensions(resource)
        event_type = self._event_type(resource["criteria"], present.event_types if present else ())
        criterion, subject = read_filters(extensions.get("backport-filter-criteria", ()), event_type)
        _authorise(application, event_type, "generic" if subject is None else "explicit")
        asked = resource["channel"]
        where = self._endpoint(asked, extensions, application)
        form = channel.form(asked.get("payload"), _one(extensions, "backport-payload-content"))
        if form not in NUMBERED and "backport-heartbeat-period" in extensions:
            raise unsupported("channel", "a heartbeat needs backport-payload-content")
        # A webhook shows that it is there before patients' data goes to it; what MNS delivers has no such proof.
        is_asked = where.channel == "rest-hook" and form in NUMBERED
        return Subscription(
            id=str(uuid.uuid4()),
            application=application.id,
            face="r4",
            event_types=(event_type.id,),
            subject=subject,
            channel=where.channel,
            endpoint=where.address,
            form=form,
            criteria=resource["criteria"],
            resource=_kept(resource),
            media_type=JSON,
            created_ms=now_ms(),
            headers=channel.headers(asked),
            end_ms=end_ms(resource),
            workflow=where.workflow,
            filter=criterion,
            state="requested" if is_asked else "active",
            unproven=is_asked,
            payload=asked["payload"],
            timeout_seconds=self._timeout(_one(extensions, "backport-timeout")),
            heartbeat_seconds=self._heartbeat(_one(extensions, "backport-heartbeat-period"), where),
            ordering=channel.ordering(_one(extensions, ORDERING)),
            retry_seconds=channel.retry_seconds(_one(extensions, RETRY_SECONDS)),
        )

    def _event_type(self, topic: str, present: Sequence[str]) -> EventType:
        event_type = self._catalogue.with_topic(topic)
        if event_type is None or event_type.state == "withdrawn":
            known = ", ".join(sorted(one.topic for one in self._catalogue if one.takes_subscribers))
            raise unsupported("criteria", f"not a topic of this gateway; there are: {known}")
        if not event_type.takes_subscribers and event_type.id not in present:
            raise unsupported("criteria", "the topic is retired: nobody may subscribe to it any more")
        return event_type

    def _endpoint(
        self, asked: dict[str, Any], extensions: Mapping[str, list[Any]], application: Application
    ) -> Endpoint:
        where = channel.endpoint(asked, extensions, loopback=self._limits.loopback)
        if where.channel == "mesh":
            if not self._limits.mesh:
                raise unsupported("channel.type", "this gateway has no MESH mailbox")
            if not application.may_use_mailbox(where.address):
                text = "that mailbox is not this application's"
                raise Refusal.because("ACCESS_DENIED", text, "Subscription.channel.endpoint")
            if asked.get("header"):
                raise unsupported("channel.header", "MESH has no headers of the subscriber's")
        return where

    def _timeout(self, seconds: Any) -> int | None:
        if seconds is not None and not _is_from(seconds, 1, self._limits.timeout_max):
            raise unsupported("channel", f"backport-timeout must be from 1 to {self._limits.timeout_max} seconds")
        return None if seconds is None else int(seconds)

    def _heartbeat(self, seconds: Any, where: Endpoint) -> int | None:
        if seconds is None:
            return None
        least = self._limits.heartbeat_min
        if not _is_from(seconds, least, 31_536_000):
            raise unsupported("channel", f"backport-heartbeat-period must be from {least} seconds to a year")
        if where.channel != "rest-hook":
            raise unsupported("channel", "backport-heartbeat-period is for rest-hook only")
        return int(seconds)


def parse(body: bytes) -> dict[str, Any]:
    """A valid R4 Subscription.

    Raises:
        Refusal: it is not one.
    """
    resource = parse_json(body, R4).resource
    if resource.get("resourceType") != "Subscription":
        raise Refusal.because("INVALID_RESOURCE", "must be a Subscription", "resource")
    check(resource, R4)
    _require_values(resource)
    return resource


def _require_values(resource: dict[str, Any]) -> None:
    """FHIR lets an extension stand for the value of an element that must be there; here it has to have one."""
    channel = resource["channel"]
    for path, value in (
        ("status", resource.get("status")),
        ("criteria", resource.get("criteria")),
        ("channel.type", channel.get("type")),
        *((f"channel.header[{index}]", one) for index, one in enumerate(channel.get("header", []))),
    ):
        if not value:
            raise Refusal.because("INVALID_RESOURCE", "must have a value", f"Subscription.{path}")


def _authorise(application: Application, event_type: EventType, kind: Kind) -> None:
    if not application.may_subscribe(event_type.id, kind):
        text = f"this application may not have {kind} subscriptions to {event_type.id}"
        raise Refusal.because("ACCESS_DENIED", text, "Subscription.criteria")


def _kept(resource: dict[str, Any]) -> bytes:
    """The resource as it is kept: its headers, which may hold a secret, are kept apart; `error` and when it was last
    changed are the server's to say.
    """
    own = {name: value for name, value in resource.items() if name not in {"error", "_error"}}
    asked = {name: value for name, value in resource["channel"].items() if name not in {"header", "_header"}}
    meta = resource.get("meta", {}) | {"lastUpdated": instant(now_ms())}
    return render_json(own | {"channel": asked, "meta": meta})


def _one(extensions: Mapping[str, list[Any]], name: str) -> Any:
    values = extensions.get(name)
    return values[0] if values else None


def _is_from(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most

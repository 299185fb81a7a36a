"""Map out: an event in the form that a delivery asks for."""

from __future__ import annotations

from typing import Any

from gateway.catalogue import Catalogue
from gateway.delivery.topics import Topics
from gateway.errors import Refusal
from gateway.events import CLOUDEVENT, JSON, NUMBERED, XML, Delivery, Event, Form
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.signal import signal_faults
from gateway.fhir.tables import load
from gateway.fhir.validate import validate
from gateway.fhir.xml import render_xml
from gateway.ids import delivery_uuid, show
from gateway.mapping.context import Context
from gateway.mapping.modules import Modules


class Renderer:
    """Renders events by the mapping modules."""

    def __init__(self, modules: Modules, catalogue: Catalogue, base_url: str, instance: int) -> None:
        self._modules, self._catalogue = modules, catalogue
        self._base_url, self._instance = base_url, instance
        self._topics = Topics(catalogue, base_url)

    def render(self, event: Event, delivery: Delivery) -> tuple[bytes, str]:
        """The body and its media type.

        An event that came in the form asked for goes out as the bytes that came in; NEMS delivers XML always, so a
        message that was published as JSON is written as XML.

        Raises:
            Refusal: no mapping module leads there, the event lacks what it needs, or what the module made of it is not
                valid.
        """
        original = event.original
        if original.form == delivery.form == "nems-message":
            if original.media_type == XML:
                return original.body, XML
            tables = load("STU3")
            return render_xml(parse_json(original.body, tables).resource, tables), XML
        if delivery.form in NUMBERED:
            identity = str(delivery_uuid(self._instance, delivery.id))
            subscription = delivery.subscriptions[0]
            told = self._topics.of_event(event, subscription, delivery.number, delivery.form, identity)
            return _written(told, delivery.form)
        module = self._modules.find("event", delivery.form, event.type)
        if module is None:
            raise Refusal.because("NOT_IMPLEMENTED", f"no mapping module writes {event.type} as {delivery.form}")
        return _written(module.apply(event.attributes(), self._context(event, delivery)), delivery.form)

    def _context(self, event: Event, delivery: Delivery) -> Context:
        event_type = self._catalogue[event.type]
        return Context(
            claim_check=f"{self._base_url}/claim-check/{show(event.row_id)}",
            public_url=self._base_url,
            notification=str(delivery_uuid(self._instance, delivery.id)),
            mns_type=event_type.mns.type if event_type.mns else None,
            nems_code=event_type.nems.code if event_type.nems else None,
        )


def _written(output: dict[str, Any], form: Form) -> tuple[bytes, str]:
    """What a mapping module has made, as a body and its media type; a Refusal if it is not what the form asks for."""
    if form == "cloudevent":
        return render_json(output), CLOUDEVENT
    tables = load("STU3" if form == "nems-message" else "R4")
    issues = [*validate(output, tables), *(signal_faults(output) if form == "mns-signal" else ())]
    if errors := [issue for issue in issues if issue.severity == "error"]:
        raise Refusal(errors)
    return (render_xml(output, tables), XML) if form == "nems-message" else (render_json(output), JSON)

"""Map out: an event in the form that a delivery asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.catalogue import Catalogue
from gateway.delivery.retrieval import NOTHING, Retrieved
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

_MODULE_FORMS: Mapping[Form, Form] = {"hydrated-signal": "mns-signal"}


class Renderer:
    """Renders events by the mapping modules."""

    def __init__(
        self, modules: Modules, catalogue: Catalogue, base_url: str, instance: int, mns_path: str | None = None
    ) -> None:
        self._modules, self._catalogue = modules, catalogue
        self._base_url, self._instance, self._mns_path = base_url, instance, mns_path
        self._topics = Topics(catalogue, base_url)
        self._checked = _Checked()

    def inputs(self, event: Event, delivery: Delivery) -> Mapping[str, str]:
        """The forms of what the mapping module for `delivery` reads besides the event, by their names."""
        if event.original.form == delivery.form or delivery.form in NUMBERED:
            return {}
        module = self._modules.find("event", _MODULE_FORMS.get(delivery.form, delivery.form), event.type)
        return module.inputs if module else {}

    def render(self, event: Event, delivery: Delivery, retrieved: Retrieved = NOTHING) -> tuple[bytes, str]:
        """The body and its media type; `retrieved` is what was fetched for it.

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
            return self._checked_once(event, delivery.form, self._topics, told)
        form = _MODULE_FORMS.get(delivery.form, delivery.form)
        module = self._modules.find("event", form, event.type)
        if module is None:
            raise Refusal.because("NOT_IMPLEMENTED", f"no mapping module writes {event.type} as {form}")
        output = module.apply(event.attributes(), self._context(event, delivery), retrieved.inputs)
        if retrieved.hydrated is not None:
            return _written(output, form, event.dataref, retrieved.hydrated)
        return self._checked_once(event, form, module, output)

    def _checked_once(self, event: Event, form: Form, maker: object, output: dict[str, Any]) -> tuple[bytes, str]:
        """What `maker` has made of an event, which is checked for the first of its deliveries in that form."""
        if self._checked.get(event.row_id, form) is maker:
            return _encoded(output, form)
        written = _written(output, form)
        self._checked.keep(event.row_id, form, maker)
        return written

    def _context(self, event: Event, delivery: Delivery) -> Context:
        event_type = self._catalogue[event.type]
        return Context(
            claim_check=f"{self._base_url}/claim-check/{show(event.row_id)}",
            public_url=self._base_url,
            notification=str(delivery_uuid(self._instance, delivery.id)),
            mns_path=self._mns_path,
            mns_type=event_type.mns.type if event_type.mns else None,
            nems_code=event_type.nems.code if event_type.nems else None,
        )


def _written(
    output: dict[str, Any], form: Form, dataref: str | None = None, hydrated: dict[str, Any] | None = None
) -> tuple[bytes, str]:
    """What a mapping module has made, as a body and its media type; a Refusal if it is not what the form asks for."""
    if form == "cloudevent":
        return _encoded(output, form)
    tables = load("STU3" if form == "nems-message" else "R4")
    issues = validate(output, tables)
    if hydrated is not None:
        # In whatever form its publisher has it: what FHIR asks of the rest is asked before.
        output = output | {"entry": [*output["entry"], _hydrated(dataref, hydrated)]}
    issues += signal_faults(output) if form == "mns-signal" else []
    if errors := [issue for issue in issues if issue.severity == "error"]:
        raise Refusal(errors)
    return _encoded(output, form)


def _encoded(output: dict[str, Any], form: Form) -> tuple[bytes, str]:
    if form == "cloudevent":
        return render_json(output), CLOUDEVENT
    return (render_xml(output, load("STU3")), XML) if form == "nems-message" else (render_json(output), JSON)


class _Checked:
    """Which events were found valid in which forms lately, as which maker writes them: the deliveries of an event in
    one form differ by the UUID of the notification, and by the id of the subscription and the event's number in it, so
    one of them is checked for all.
    """

    def __init__(self, room: int = 1024) -> None:
        self._room = room
        self._makers: dict[tuple[int, Form], object] = {}

    def get(self, row_id: int, form: Form) -> object:
        """Who wrote it: a mapping module, or the topics."""
        return self._makers.get((row_id, form))

    def keep(self, row_id: int, form: Form, maker: object) -> None:
        """Remember it, and forget the oldest when there are too many."""
        self._makers[row_id, form] = maker
        if len(self._makers) > self._room:
            del self._makers[next(iter(self._makers))]


def _hydrated(dataref: str | None, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "fullUrl": dataref, "resource": resource, "request": {"method": "GET", "url": dataref},
        "response": {"status": "200"},
    }  # fmt: skip

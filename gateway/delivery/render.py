"""Map out: an event in the form that a delivery asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from gateway.mapping.module import Module
from gateway.mapping.modules import Modules

_OTHER_DIGITS = str.maketrans("0123456789abcdef", "123456789abcdef0")
_MODULE_FORMS: Mapping[Form, Form] = {"hydrated-signal": "mns-signal"}


class Renderer:
    """Renders events by the mapping modules."""

    def __init__(
        self, modules: Modules, catalogue: Catalogue, base_url: str, instance: int, mns_path: str | None = None
    ) -> None:
        self._modules, self._catalogue = modules, catalogue
        self._base_url, self._instance, self._mns_path = base_url, instance, mns_path
        self._topics = Topics(catalogue, base_url)
        self._made = _Made()

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
        identity = delivery_uuid(self._instance, delivery.id)
        if delivery.form in NUMBERED:
            subscription = delivery.subscriptions[0]
            told = self._topics.of_event(event, subscription, delivery.number, delivery.form, identity)
            return self._checked_once(event, delivery.form, self._topics, told)
        form = _MODULE_FORMS.get(delivery.form, delivery.form)
        module = self._modules.find("event", form, event.type)
        if module is None:
            raise Refusal.because("NOT_IMPLEMENTED", f"no mapping module writes {event.type} as {form}")
        if retrieved is NOTHING and (copy := self._copy(event, form, module, identity)):
            return copy
        output = module.apply(event.attributes(), self._context(event, identity), retrieved.inputs)
        if retrieved.hydrated is not None:
            return _written(output, form, event.dataref, retrieved.hydrated)
        return self._checked_once(event, form, module, output, identity)

    def _copy(self, event: Event, form: Form, module: Module, identity: str) -> tuple[bytes, str] | None:
        """What `module` would make for the notification of that UUID, from what it made for another, if it does no more
        with a UUID than to copy it. To find that out it is asked with one that differs from the other in every digit.
        """
        first = self._made.get(event, form, module)
        if first is None or not first.identity:
            return None
        if first.is_copied is None:
            probe = first.identity.translate(_OTHER_DIGITS)
            try:
                again = _encoded(module.apply(event.attributes(), self._context(event, probe)), form)
            except Refusal:
                again = None
            first.is_copied = again == first.copy(probe)
        return first.copy(identity) if first.is_copied else None

    def _checked_once(
        self, event: Event, form: Form, maker: object, output: dict[str, Any], identity: str = ""
    ) -> tuple[bytes, str]:
        """What `maker` has made of an event, which is checked for the first of its deliveries in that form."""
        if self._made.get(event, form, maker):
            return _encoded(output, form)
        body, media_type = _written(output, form)
        self._made.keep(event, form, _First(maker, identity, body, media_type))
        return body, media_type

    def _context(self, event: Event, identity: str) -> Context:
        event_type = self._catalogue[event.type]
        return Context(
            claim_check=f"{self._base_url}/claim-check/{show(event.row_id)}",
            public_url=self._base_url,
            notification=identity,
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


@dataclass(slots=True)
class _First:
    """What was written of an event first: who made it, a mapping module or the topics, for the notification of which
    UUID; "" when that is not the only thing by which another would differ. `is_copied` says whether the UUID is all.
    """

    maker: object
    identity: str
    body: bytes
    media_type: str
    is_copied: bool | None = None

    def copy(self, identity: str) -> tuple[bytes, str]:
        """The same with another UUID."""
        return self.body.replace(self.identity.encode(), identity.encode()), self.media_type


class _Made:
    """What was made of events lately, in each form, and found valid: one delivery of an event is checked for all."""

    def __init__(self, room: int = 1024, longest: int = 16_384) -> None:
        self._room, self._longest = room, longest
        self._firsts: dict[tuple[int, Form], _First] = {}

    def get(self, event: Event, form: Form, maker: object) -> _First | None:
        """What `maker` has made first."""
        first = self._firsts.get((event.row_id, form))
        return first if first and first.maker is maker else None

    def keep(self, event: Event, form: Form, first: _First) -> None:
        """Remember what is valid, and forget the oldest when there are too many."""
        if not first.identity or len(first.body) > self._longest:
            first.identity, first.body = "", b""
        self._firsts[event.row_id, form] = first
        if len(self._firsts) > self._room:
            del self._firsts[next(iter(self._firsts))]


def _hydrated(dataref: str | None, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "fullUrl": dataref, "resource": resource, "request": {"method": "GET", "url": dataref},
        "response": {"status": "200"},
    }  # fmt: skip

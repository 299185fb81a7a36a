"""What every mapping makes of the cases beside the modules, for docs/reference/mapping-results.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gateway import catalogue
from gateway.catalogue import Catalogue, EventType
from gateway.errors import Refusal
from gateway.mapping.context import Context
from gateway.mapping.forms import forms
from gateway.mapping.module import Module
from gateway.mapping.modules import Modules
from gateway.mapping.tools import cases, messages
from gateway.resources import folder

Row = tuple[str, ...]

IN_HEADS: Final = ("message", "what it is", "event", "MNS signal", "CloudEvent", "NEMS message")
TYPE_HEADS: Final = ("event type", "CloudEvent and back", "MNS signal and back", "NEMS message")
OUT_HEADS: Final = ("event", "what it is", "result")
_TARGETS: Final = ("mns-signal", "cloudevent", "nems-message")
_CONTEXT: Final = Context(
    claim_check="https://gateway.example/claim-check/1",
    public_url="https://gateway.example",
    notification="00000000-0000-4000-8000-000000000050",
)
_EVENT: Final = {
    "id": "00000000-0000-4000-8000-000000000001",
    "source": "uk.nhs.example-service",
    "time": "2031-05-06T07:08:09Z",
    "subject": "9990000018",
    "dataref": "https://example.org/record/1",
    "versionid": 'W/"7"',
}
_VALUES: Final = {"string": "A99991", "boolean": True, "integer": 12}
_CODES: Final = {"action": "UPDATE", "deathnotificationstatus": "2"}


def incoming() -> dict[str, list[Row]]:
    """For each form of message that is read: what becomes of every case, as an event and in each form it leaves in."""
    modules, event_types = _loaded()
    found: dict[str, list[Row]] = {}
    for module in _sorted(modules):
        if module.source != "event":
            found.setdefault(module.source, []).extend(_incoming(module, modules, event_types))
    return found


def outgoing() -> dict[str, list[Row]]:
    """For each form that is written: what becomes of every case of an event."""
    found: dict[str, list[Row]] = {}
    for module in _sorted(_loaded()[0]):
        if module.source == "event":
            found.setdefault(module.target, []).extend(_outgoing(module))
    return found


def by_event_type() -> list[Row]:
    """For each event type: what of an event comes back from each form of MNS, and what it is as a NEMS message."""
    modules, event_types = _loaded()
    return [
        (
            f"`{one.id}`",
            _back(_event(one), one, "cloudevent", modules),
            _back(_event(one), one, "mns-signal", modules),
            _written(_event(one), one, "nems-message", modules),
        )
        for one in event_types
    ]


def _event(event_type: EventType) -> dict[str, Any]:
    values = {name: _CODES.get(name, _VALUES[type_name]) for name, type_name in event_type.filters.items()}
    return {**_EVENT, "type": event_type.id} | ({"filtering": values} if values else {})


def _back(event: dict[str, Any], event_type: EventType, form: str, modules: Modules) -> str:
    there, back = (modules.find(*ends, event_type.id) for ends in (("event", form), (form, "event")))
    if there is None or back is None:
        return "no module"
    again = {**back.apply(there.apply(event, _context(event_type))), "type": event_type.id}
    lost = [f"`{name}`" for name in event if again.get(name) != event[name]]
    return f"all but {', '.join(lost)}" if lost else "all"


def _loaded() -> tuple[Modules, Catalogue]:
    return Modules.load(folder("mappings")), catalogue.load(folder("config") / "event-types")


def _sorted(modules: Modules) -> list[Module]:
    return sorted(modules, key=lambda module: (module.source, module.target, module.name))


def _incoming(module: Module, modules: Modules, event_types: Catalogue) -> Iterator[Row]:
    for path in cases.files(module):
        case = cases.read(path)
        event: dict[str, Any] = {}

        def read(case: cases.Case = case, event: dict[str, Any] = event) -> Mapping[str, Any]:
            event.update(module.apply(case.input, _CONTEXT, case.inputs))
            return event

        said = _result(read, module.target)
        event_type = event_types.named(event.get("type", "")) or event_types.with_topic(event.get("type", ""))
        told = [_told(event, event_type, target, module, modules) for target in _TARGETS]
        yield f"`{_name(path)}`", case.description, said, *told


def _told(event: dict[str, Any], event_type: EventType | None, target: str, read: Module, modules: Modules) -> str:
    if not event:
        return ""
    if read.source == target == "nems-message":
        return "as it came"
    if event_type is None:
        return "not in the catalogue"
    return _written({**event, "type": event_type.id}, event_type, target, modules)


def _written(event: dict[str, Any], event_type: EventType, target: str, modules: Modules) -> str:
    writer = modules.find("event", target, event_type.id)
    if writer is None:
        return "NEMS has no such event"
    return _result(lambda: writer.apply(event, _context(event_type)), target)


def _context(event_type: EventType) -> Context:
    return _CONTEXT._replace(
        mns_type=event_type.mns.type if event_type.mns else None,
        nems_code=event_type.nems.code if event_type.nems else None,
    )


def _outgoing(module: Module) -> Iterator[Row]:
    for path in cases.files(module):
        case = cases.read(path)
        context = cases.context(case.context, str(path))

        def write(case: cases.Case = case, context: Context = context) -> Mapping[str, Any]:
            return module.apply(case.input, context, case.inputs)

        yield f"`{_name(path)}`", case.description, _result(write, module.target)


def _result(made: Callable[[], Mapping[str, Any]], target: str) -> str:
    try:
        message = made()
    except Refusal as refusal:
        return "refused: " + ", ".join(dict.fromkeys(f"`{issue.reason}`" for issue in refusal.issues))
    if messages.tables_of(forms()[target]) is None:
        return "mapped"
    return "not valid" if messages.errors(dict(message), forms()[target]) else "valid"


def _name(path: Path) -> str:
    return path.name.removesuffix(".json")

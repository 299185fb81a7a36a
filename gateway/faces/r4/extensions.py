"""The extensions on a Subscription, of the Subscriptions R5 Backport IG 1.1.0 and our own, each at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.errors import Refusal
from gateway.fhir.notification import IG

BASE: Final = f"{IG}/StructureDefinition/"
# This gateway's own.
ORDERING: Final = "urn:fhir-event-gateway:ordering"
RETRY_SECONDS: Final = "urn:fhir-event-gateway:retry-seconds"


@dataclass(frozen=True, slots=True)
class _Known:
    place: str
    value: str
    repeats: bool = False


_KNOWN: Final = {
    "backport-filter-criteria": _Known("Subscription.criteria", "valueString", repeats=True),
    "backport-heartbeat-period": _Known("Subscription.channel", "valueUnsignedInt"),
    "backport-timeout": _Known("Subscription.channel", "valueUnsignedInt"),
    "backport-max-count": _Known("Subscription.channel", "valuePositiveInt"),
    "backport-channel-type": _Known("Subscription.channel.type", "valueCoding"),
    "backport-payload-content": _Known("Subscription.channel.payload", "valueCode"),
    ORDERING: _Known("Subscription.channel", "valueCode"),
    RETRY_SECONDS: _Known("Subscription.channel", "valueString"),
}


def read_extensions(resource: dict[str, Any]) -> Mapping[str, list[Any]]:
    """The values of the guide's extensions by their names, without its base.

    Raises:
        Refusal: NOT_SUPPORTED; an extension is not the guide's, not at its place, there too often, or without its
            value.
    """
    found: dict[str, list[Any]] = {}
    for place, extension in _extensions(resource, "Subscription"):
        url = str(extension.get("url", ""))
        name = url.removeprefix(BASE)
        # A name of the guide's without its base is another extension.
        known = None if url.startswith("backport-") else _KNOWN.get(name)
        if known is None or known.place != place:
            raise Refusal.because("NOT_SUPPORTED", f"an extension that is not known here; {_offer(place)}", place)
        if known.value not in extension:
            raise Refusal.because("NOT_SUPPORTED", f"{name} must have a {known.value}", place)
        values = found.setdefault(name, [])
        values.append(extension[known.value])
        if len(values) > 1 and not known.repeats:
            raise Refusal.because("NOT_SUPPORTED", f"{name} may stand only once", place)
    return found


def _extensions(element: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every extension of the resource outside its text, with the path of the element that it is of."""
    for name, value in element.items():
        if name in {"extension", "modifierExtension"}:
            yield from ((place, extension) for extension in value)
        elif name not in {"text", "contained", "meta"}:
            below = f"{place}.{name.removeprefix('_')}"
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    yield from _extensions(one, below)


def _offer(place: str) -> str:
    names = [name for name, known in _KNOWN.items() if known.place == place]
    return f"there are: {', '.join(names)}" if names else "there are none"

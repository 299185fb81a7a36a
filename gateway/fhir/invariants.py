"""What the specification says of a Bundle, and of contained resources, beyond the structure of their types.

The numbers are those of FHIR R4, Bundle and DomainResource, "Constraints". STU3 has the same rules, but that it asks
for no request, response or document date, and gives bdl-11 and bdl-12 in its text only. A history may have responses
in both, as R4 wants, though bdl-4 of STU3 does not name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from gateway.fhir.tables import Version

Broken = tuple[str, str]
"""A rule that is broken: where, as a step from the element that the rule is about, and what is wrong."""
Rule = Callable[[dict[str, Any]], Iterable[Broken]]
"""What is broken in an object, whose structure may itself be wrong."""

_WITH_REQUEST: Final = frozenset(("batch", "transaction", "history"))
_WITH_RESPONSE: Final = frozenset(("batch-response", "transaction-response", "history"))
_PLAIN: Final = frozenset(("fullUrl", "resource"))
_WANTED: Final = {
    **dict.fromkeys(("batch", "transaction"), _PLAIN | {"request"}),
    **dict.fromkeys(("batch-response", "transaction-response"), _PLAIN | {"response"}),
    "history": _PLAIN | {"request", "response"},
}
_FIRST: Final = {"document": ("Composition", "bdl-11"), "message": ("MessageHeader", "bdl-12")}


def rules(version: Version) -> dict[str, Rule]:
    """The rules of a FHIR version by the type they are about."""
    asks = version == "R4"
    return {"Bundle": lambda bundle: _bundle(bundle, asks)}


def contained(resource: dict[str, Any]) -> Iterator[Broken]:
    """What is broken in a resource that another contains."""
    if "contained" in resource:
        yield ".contained", "is within a contained resource (dom-2)"
    meta = resource.get("meta")
    if isinstance(meta, dict):
        for name in meta.keys() & {"versionId", "lastUpdated"}:
            yield f".meta.{name}", "is within a contained resource (dom-4)"


def _bundle(bundle: dict[str, Any], asks: bool) -> list[Broken]:
    kind = bundle.get("type")
    if type(kind) is not str:
        return []
    broken: list[Broken] = []
    if "total" in bundle and kind not in {"searchset", "history"}:
        broken.append((".total", "is for a searchset or history only (bdl-1)"))
    if kind == "document":
        broken += _document(bundle, asks)
    entries = bundle.get("entry", [])
    if type(entries) is list:
        if kind in _FIRST:
            broken += _first(entries, *_FIRST[kind])
        if not _is_plain(entries, kind):
            broken += _entries(entries, kind, asks)
    return broken


def _document(bundle: dict[str, Any], asks: bool) -> Iterator[Broken]:
    identifier = bundle.get("identifier")
    if not isinstance(identifier, dict) or not {"system", "value"} <= identifier.keys():
        yield ".identifier", "is required of a document, with a system and a value (bdl-9)"
    if asks and "timestamp" not in bundle:
        yield ".timestamp", "is required of a document (bdl-10)"


def _first(entries: list[Any], type_name: str, rule: str) -> Iterator[Broken]:
    first = entries[0] if entries else None
    resource = first.get("resource") if type(first) is dict else None
    if type(resource) is not dict or resource.get("resourceType") != type_name:
        yield ".entry[0].resource", f"is not a {type_name} ({rule})"


def _is_plain(entries: list[Any], kind: str) -> bool:
    """Whether every entry has a fullUrl of its own, a resource and what this kind of Bundle wants, and nothing else:
    so it is in nearly every message, and then no rule about entries is broken.
    """
    wanted = _WANTED.get(kind, _PLAIN)
    try:
        urls = [entry["fullUrl"] for entry in entries if entry.keys() == wanted]
        return len(set(urls)) == len(entries) and "/_history/" not in "\n".join(urls)
    except (AttributeError, TypeError):  # an entry is no object, or a fullUrl no string
        return False


def _entries(entries: list[Any], kind: str, asks: bool) -> Iterator[Broken]:
    seen: set[tuple[str, str]] = set()
    for index, entry in enumerate(entries):
        if type(entry) is not dict:
            continue
        yield from _parts(index, entry, kind, asks)
        url = entry.get("fullUrl")
        if type(url) is str:
            key = (url, _version_of(entry.get("resource")))
            if key in seen and kind != "history":
                yield f".entry[{index}].fullUrl", "is that of another entry (bdl-7)"
            if "/_history/" in url:
                yield f".entry[{index}].fullUrl", "is of one version of a resource (bdl-8)"
            seen.add(key)


def _parts(index: int, entry: dict[str, Any], kind: str, asks: bool) -> Iterator[Broken]:
    if "search" in entry and kind != "searchset":
        yield f".entry[{index}].search", "is for a searchset only (bdl-2)"
    if not entry.keys() & {"resource", "request", "response"}:
        yield f".entry[{index}]", "has no resource, request or response (bdl-5)"
    for part, kinds, rule in (("request", _WITH_REQUEST, "bdl-3"), ("response", _WITH_RESPONSE, "bdl-4")):
        if part in entry and kind not in kinds:
            yield f".entry[{index}].{part}", f"is not for a Bundle of this type ({rule})"
        if asks and part not in entry and kind in kinds:
            yield f".entry[{index}].{part}", f"is required in a Bundle of this type ({rule})"


def _version_of(resource: Any) -> str:
    meta = resource.get("meta") if type(resource) is dict else None
    version = meta.get("versionId") if type(meta) is dict else None
    return version if type(version) is str else ""

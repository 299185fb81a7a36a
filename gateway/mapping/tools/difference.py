"""Two JSON values, compared by path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

_ABSENT: Final = object()
_NAMING: Final = ("url", "system", "name", "use", "type")
"""What tells the items of a FHIR list apart, best first: of extensions, identifiers and codings, parameters, names."""

Change = Literal["changed", "lost", "added"]
Label = Callable[[Any, int], str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two values differ; `before` is None where something was added, `after` where it was lost."""

    path: str
    change: Change
    before: Any
    after: Any


def differences(before: Any, after: Any, root: str) -> list[Difference]:
    """Where the values differ, list items compared one by one in their order; paths begin with `root`."""
    return list(_differences(before, after, root, _by_index))


def named_differences(before: Any, after: Any, root: str) -> list[Difference]:
    """The same, where list items are matched by what names them (the url of an extension, the type of a resource) as
    far as that tells them apart on both sides, whatever their order.
    """
    return list(_differences(before, after, root, _labels))


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every single value in `value`, with its path."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def text(value: Any) -> str:
    """A value on one line."""
    return msgspec.json.encode(value).decode()


def _differences(
    before: Any, after: Any, path: str, label: Callable[[Sequence[Any], Sequence[Any]], Label]
) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [(f".{key}", before.get(key, _ABSENT), after.get(key, _ABSENT)) for key in {**before, **after}]
    elif isinstance(before, list) and isinstance(after, list):
        name = label(before, after)
        left = {name(item, number): item for number, item in enumerate(before)}
        right = {name(item, number): item for number, item in enumerate(after)}
        pairs = [(f"[{key}]", left.get(key, _ABSENT), right.get(key, _ABSENT)) for key in {**left, **right}]
    else:
        if type(before) is not type(after) or before != after:
            yield _difference(path, before, after)
        return
    for step, one, other in pairs:
        yield from _differences(one, other, path + step, label)


def _difference(path: str, before: Any, after: Any) -> Difference:
    if before is _ABSENT:
        return Difference(path, "added", None, after)
    return Difference(path, "lost", before, None) if after is _ABSENT else Difference(path, "changed", before, after)


def _by_index(before: Sequence[Any], after: Sequence[Any]) -> Label:
    return lambda _, number: str(number)


def _labels(before: Sequence[Any], after: Sequence[Any]) -> Label:
    for naming in (_resource_type, *(_value_of(key) for key in _NAMING)):
        if all(_tells_apart(naming, items) for items in (before, after)):
            return _named(naming)
    return _by_index(before, after)


def _named(naming: Callable[[Any], Any]) -> Label:
    return lambda item, _: str(naming(item))


def _tells_apart(naming: Callable[[Any], Any], items: Sequence[Any]) -> bool:
    names = [naming(item) for item in items]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _resource_type(item: Any) -> Any:
    resource = item.get("resource") if isinstance(item, dict) else None
    return resource.get("resourceType") if isinstance(resource, dict) else None


def _value_of(key: str) -> Callable[[Any], Any]:
    return lambda item: item.get(key) if isinstance(item, dict) else None

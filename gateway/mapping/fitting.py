"""Whether a value is one of a primitive type of the target: for certain, by its own type, or when it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.errors import Refusal
from gateway.fhir.primitives import CHECKS
from gateway.mapping.forms import MOMENTS, TEXT, Form, kind
from gateway.mapping.terms import Constant, Term

_URIS: Final = frozenset(("uri", "url", "canonical", "oid", "uuid"))
_CODES: Final = frozenset(("code", "id"))
_STRINGS: Final = frozenset(("string", "markdown")) | _URIS | _CODES | MOMENTS
# By the type wanted, the types whose every value is one of it (FHIR R4, "Primitive Types").
_WIDER: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("string", "markdown"), _STRINGS),
    **dict.fromkeys(("uri", "url", "canonical"), _URIS | {"id"}),
    "code": _CODES | _URIS,
    "dateTime": frozenset(("date", "instant")),
    "integer": frozenset(("unsignedInt", "positiveInt")),
    "unsignedInt": frozenset(("positiveInt",)),
}
# The types whose values have no white space: text made of them is a uri if what stands between is.
_SOLID: Final = _URIS | {"id"} | MOMENTS
_LEAST: Final = {"unsignedInt": 0, "positiveInt": 1}


def is_one(value: Any, type_name: str) -> bool:
    """Whether a value that is written in a module is one of a primitive type."""
    return type_name not in CHECKS or bool(CHECKS[type_name](value))


def is_sure(term: Term, type_name: str) -> bool:
    """Whether whatever the term gives is one of a primitive type."""
    if kind(type_name) not in ("string", "integer") or term.type == type_name:
        return True
    return term.type in _WIDER.get(type_name, ())


def text_is_sure(literals: list[str], holes: list[Term], type_name: str) -> bool:
    """Whether whatever text is made of literals and of the values of holes is one of a primitive type."""
    if type_name in ("string", "markdown"):
        return any(literal.strip() for literal in literals)
    if type_name in _URIS:
        return all(is_one(literal, "uri") for literal in literals) and all(hole.type in _SOLID for hole in holes)
    return kind(type_name) != "string"


def can_be_copied(term: Term, type_name: str, target: Form) -> bool:
    """Whether an object of the source can stand as it is in the target, whose FHIR version may be another.

    What values extensions may have is not compared.
    """
    if term.type != type_name or not term.origin:
        return False
    return _alike(type_name, term.origin.form, target, frozenset())


def _alike(type_name: str, source: Form, target: Form, seen: frozenset[str]) -> bool:
    if source.types is target.types or target.is_open(type_name) or type_name in seen or type_name == "Extension":
        return True
    if type_name == "Resource":
        return False
    here, there = source.fields(type_name), target.fields(type_name)
    seen |= {type_name}
    return all(
        name in there
        and (there[name].type, there[name].is_list) == (field.type, field.is_list)
        and (kind(field.type) != "object" or _alike(field.type, source, target, seen))
        for name, field in here.items()
    ) and all(name in here and here[name].required for name, field in there.items() if field.required)


def joined(one: Term, other: Term) -> str:
    """The type of the text of two after one another, where nothing counts as empty text."""
    literals = [str(each.value) for each in (one, other) if isinstance(each, Constant)]
    rest = [each for each in (one, other) if not isinstance(each, Constant)]
    if not any(literal.strip() for literal in literals):
        return TEXT
    return "uri" if text_is_sure(literals, rest, "uri") else "string"


def holder(type_name: str, path: str) -> Callable[[Any], Any]:
    """Gives a value as it is if it is one of a primitive type; raises Refusal INVALID_RESOURCE at a path if not."""
    least = _LEAST.get(type_name)
    check: Callable[[Any], object] = CHECKS[type_name] if least is None else least.__le__

    def held(value: Any) -> Any:
        if check(value):
            return value
        raise Refusal.because("INVALID_RESOURCE", f"this does not give a valid {type_name}", path)

    return held


def common(one: Term, other: Term) -> str:
    """A type that values of both are of."""
    if one.type == other.type or other.kind == "empty":
        return one.type
    if one.kind == "empty" or one.kind != other.kind:
        return other.type
    if one.kind == "string":
        return "dateTime" if {one.type, other.type} <= {"date", "dateTime", "instant"} else TEXT
    return one.kind

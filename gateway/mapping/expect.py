"""What functions and operators demand of what they are given."""

from __future__ import annotations

from gateway.mapping import terms
from gateway.mapping.syntax import Call, ExpressionError
from gateway.mapping.terms import Term


def boolean(term: Term, at: int) -> None:
    """Refuse a term that is not true or false."""
    if term.kind != "boolean":
        raise ExpressionError(f"true or false is expected, not {term.type}; for presence write .exists()", at)


def kind(term: Term, wanted: str, what: str, at: int) -> None:
    """Refuse a term that is not of a kind, or, where that is "primitive", of any but object."""
    fits = term.kind in (wanted, "empty") or (wanted == "primitive" and term.kind != "object")
    if not fits:
        raise ExpressionError(f"{what} takes {wanted}, not {term.type}", at)


def count(node: Call, least: int, most: int) -> None:
    """Refuse a call with too few or too many arguments."""
    given = len(node.arguments)
    if not least <= given <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ExpressionError(f"{node.name}() takes {wanted} arguments, not {given}", node.at)


def a_type(term: Term, at: int) -> None:
    """Refuse a choice element whose type was not said."""
    if isinstance(term, terms.Choice):
        raise ExpressionError(f"say which type is meant, e.g. .ofType({next(iter(term.members))})", at)


def written_text(term: Term, what: str, at: int) -> str:
    """The text of a term that is known when the module is loaded."""
    if not isinstance(term, terms.Constant) or not isinstance(term.value, str):
        raise ExpressionError(f"{what} takes text written out, or a param", at)
    return term.value


def same_objects(one: Term, other: Term) -> bool:
    """Whether two terms, of which neither is a primitive, are objects of one type in one source, or nothing."""
    if "empty" in (one.kind, other.kind):
        return True
    return one.type == other.type and one.origin is other.origin

"""Which syntax an answer has: that of `_format`, else of Accept (FHIR STU3, "RESTful API"; RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.requests import Request

from gateway.errors import Refusal
from gateway.faces.http import SYNTAXES, Syntax, media_type

_WILDCARDS: dict[str, tuple[Syntax, ...]] = {
    "*/*": ("xml", "json"),
    "application/*": ("xml", "json"),
    "text/*": ("xml",),
}
_Rank = tuple[float, bool, int]
_QUALITY = re.compile(r";\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.ASCII | re.IGNORECASE)


def answer_syntax(request: Request, default: Syntax) -> Syntax:
    """The syntax that the caller wants, or `default` when it wants none that we have."""
    return _wanted(request, default) or default


def require_acceptable(request: Request) -> None:
    """Check that the caller takes an answer in a syntax that we have.

    Raises:
        Refusal: UNSUPPORTED_MEDIA_TYPE.
    """
    if _wanted(request, "xml") is None:
        name = "_format" if request.query_params.get("_format") else "Accept"
        raise Refusal.because("UNSUPPORTED_MEDIA_TYPE", "must allow XML or JSON of FHIR", name)


def wanted_types(request: Request) -> list[str]:
    """The media types that Accept names, those wanted most first; those not wanted at all (q=0) are left out."""
    named = [(media_type(part), _quality(part)) for part in ",".join(request.headers.getlist("accept")).split(",")]
    return [name for name, quality in sorted(named, key=lambda one: -one[1]) if quality > 0]


def _wanted(request: Request, default: Syntax) -> Syntax | None:
    if request.scope["query_string"] and (named := request.query_params.get("_format")):
        # A plus in a query string arrives as a space.
        return SYNTAXES.get(media_type(named).replace(" ", "+"))
    accept = ",".join(request.headers.getlist("accept"))
    return _preferred(accept, default) if accept.strip() else default


@lru_cache(256)
def _preferred(accept: str, default: Syntax) -> Syntax | None:
    """The syntax of the highest quality; of equals the one named itself, then the one named first, then `default`."""
    ranges = [(media_type(member), _quality(member)) for member in accept.split(",")]
    ranked: dict[Syntax, _Rank | None] = {syntax: _rank(syntax, ranges) for syntax in ("xml", "json")}
    allowed = [(rank, syntax == default, syntax) for syntax, rank in ranked.items() if rank and rank[0] > 0]
    return max(allowed)[2] if allowed else None


def _rank(syntax: Syntax, ranges: list[tuple[str, float]]) -> _Rank | None:
    """The quality of a syntax, whether it is named itself and not by a wildcard, and how early; None if not at all."""
    named = [(quality, True, -at) for at, (name, quality) in enumerate(ranges) if SYNTAXES.get(name) == syntax]
    meant = [(quality, False, -at) for at, (name, quality) in enumerate(ranges) if syntax in _WILDCARDS.get(name, ())]
    return max(named or meant, default=None)


def _quality(member: str) -> float:
    match = _QUALITY.search(member)
    return float(match[1]) if match else 1.0

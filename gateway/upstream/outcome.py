"""What an OperationOutcome of another service says, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from lxml import etree

from gateway.errors import Refusal
from gateway.fhir.xml_tree import read_tree

_LONGEST = 500
# An OperationOutcome may repeat the NHS number that it is about.
_NUMBER = re.compile(r"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b")


def told(body: bytes) -> str:
    """The codes and words of its issues; "" when `body` is no OperationOutcome. Numbers of ten digits are left out."""
    words = "; ".join(dict.fromkeys(filter(None, _issues(body))))
    return _NUMBER.sub("[number]", " ".join(words.split()))[:_LONGEST]


def _issues(body: bytes) -> Iterator[str]:
    if body.lstrip()[:1] == b"{":
        yield from _of_json(body)
    else:
        yield from _of_xml(body)


def _of_xml(body: bytes) -> Iterator[str]:
    # By local names: answers without the namespace of FHIR are known.
    try:
        root = read_tree(body)
    except Refusal:
        return
    if etree.QName(root).localname != "OperationOutcome":
        return
    for issue in root.iterfind("{*}issue"):
        found = [issue.find(path) for path in ("{*}details/{*}coding/{*}code", "{*}details/{*}coding/{*}display")]
        found += [issue.find("{*}diagnostics")]
        yield _joined([one.get("value", "") for one in found if one is not None])


def _of_json(body: bytes) -> Iterator[str]:
    try:
        outcome = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return
    if not isinstance(outcome, dict) or outcome.get("resourceType") != "OperationOutcome":
        return
    for issue in _dicts(outcome.get("issue")):
        details = issue.get("details")
        codings = _dicts(details.get("coding")) if isinstance(details, dict) else []
        texts = [one.get(name) for one in codings[:1] for name in ("code", "display")]
        texts.append(issue.get("diagnostics"))
        yield _joined([text for text in texts if isinstance(text, str)])


def _joined(texts: list[str]) -> str:
    """Each once: the display and the diagnostics are often the same."""
    return ": ".join(dict.fromkeys(text.rstrip(".") for text in texts if text))


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

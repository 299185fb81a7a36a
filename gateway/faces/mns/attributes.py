"""What a publisher of MNS may write in the attributes of an event, as the OpenAPI description of MNS says (POST
/events), in its two forms: CloudEvents, and the form before them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from gateway.errors import Issue
from gateway.fhir.primitives import FORMS

INVALID: Final = "INVALID_RESOURCE"
_WORDS: Final = {"type": "event type"}
"""What MNS calls an attribute, where that is not its name."""
_UNKNOWN: Final = "Please leave this out: an event of MNS has no such attribute"
_URI_CHARACTERS: Final = r"(?!.{2001})(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]++|%[0-9A-Fa-f]{2})++"

Check = Callable[[Any], object]
"""Answers something true for a value that is right. May raise TypeError for a value of another JSON type."""


class Attribute(NamedTuple):
    """What holds a value to its form, and whether the attribute must be there; for a text, the form itself."""

    check: Check
    required: bool = True
    form: str = ""


def _text(form: str, *, required: bool = True) -> Attribute:
    return Attribute(re.compile(form, re.ASCII).fullmatch, required, form)


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_object(value: Any) -> bool:
    return type(value) is dict


def _is_filtering(value: Any) -> bool:
    return type(value) is dict and all(map(_is_filter, value.values()))


def _is_filter(value: Any) -> bool:
    """Null is none of MNS's types, but publishers do send it."""
    if type(value) is list:
        return all(type(one) in (str, int) for one in value)
    return value is None or type(value) in (str, bool, int, float)


# A space is in no name or link; what has one could not go out as an id or a URL in every form.
_NAME: Final = r"(?u:[^\s\x00-\x1f]{1,512})"
_LINK: Final = r"[A-Za-z][A-Za-z0-9+.-]*:" + _URI_CHARACTERS

CLOUDEVENT: Final[Mapping[str, Attribute]] = {
    "id": _text(_NAME),
    "source": _text(_URI_CHARACTERS),
    "specversion": _text(r"1\.0"),
    "type": _text(_NAME),
    "time": _text(FORMS["instant"]),
    "subject": _text(_NAME, required=False),
    "dataref": _text(_LINK, required=False),
    "versionid": _text(_NAME, required=False),
    "filtering": Attribute(_is_filtering, required=False),
}

# All texts of a CloudEvent in one, a line each, which no form lets a text have within: nearly every event is right,
# and to look once takes a third of the time.
_TEXTS: Final = {name: attribute for name, attribute in CLOUDEVENT.items() if attribute.form}
_are_right: Final = re.compile("\n".join(f"(?:{one.form})" for one in _TEXTS.values()), re.ASCII).fullmatch
_texts: Final = operator.itemgetter(*_TEXTS)
# What stands for an attribute that is left out: for one that may be, what is right in any form.
_LEFT_OUT: Final[dict[str, Any]] = {name: "" if one.required else "a:a" for name, one in _TEXTS.items()}
_LEFT_OUT["filtering"] = {}

_ASID_SYSTEM: Final = re.escape("https://fhir.nhs.uk/Id/nhsSpineASID")

V1: Final[Mapping[str, Attribute]] = {
    "id": _text(_NAME),
    "type": _text(_NAME),
    "time": _text(FORMS["instant"]),
    "subject": Attribute(_is_object),
    "subject.nhsNumber": Attribute(_is_text),
    "subject.familyName": Attribute(_is_text),
    "subject.dob": _text(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?"),
    "source": Attribute(_is_object),
    "source.name": Attribute(_is_text),
    "source.identifier": Attribute(_is_object),
    "source.identifier.system": _text(_ASID_SYSTEM),
    "source.identifier.value": _text(_NAME),
    "data": Attribute(_is_object, required=False),
    "data.fullUrl": _text(_LINK),
    "data.versionId": _text(_NAME),
    "data.provenance": Attribute(_is_object),
    "data.provenance.name": Attribute(_is_text),
    "data.provenance.identifier": Attribute(_is_object),
    "data.provenance.identifier.system": Attribute(_is_text),
    "data.provenance.identifier.value": Attribute(_is_text),
    "data.registrationEncounterCode": _text("[1-6]?", required=False),
    "data.deathNotificationStatus": _text("[12U]", required=False),
    "data.nhsNumberStatus": _text("[IR]", required=False),
}


def cloudevent_issues(event: dict[str, Any]) -> list[Issue]:
    """What is wrong with the attributes of a CloudEvent, all of it; MNS has no others than these ("Design your event":
    additional context attributes are disallowed).
    """
    whole = _LEFT_OUT | event
    try:
        if len(whole) == len(_LEFT_OUT) and _are_right("\n".join(_texts(whole))) and _is_filtering(whole["filtering"]):
            return []
    except TypeError:  # a text is none
        pass
    issues = [issue(name) for name, attribute in CLOUDEVENT.items() if not _holds(attribute, event, name)]
    return issues + [issue(name, _UNKNOWN) for name in event.keys() - CLOUDEVENT.keys()]


def v1_issues(event: Mapping[str, Any]) -> list[Issue]:
    """What is wrong with an event in the form before CloudEvents, all of it; an attribute that is not told of here may
    be anything.
    """
    wrong = []
    for path, attribute in V1.items():
        parent, _, name = path.rpartition(".")
        holder = _at(event, parent)
        # What is missing with all that it would hold is told of once.
        if _is_object(holder) and not _holds(attribute, holder, name):
            wrong.append(issue(path))
    return wrong


def _holds(attribute: Attribute, holder: Mapping[str, Any], name: str) -> object:
    if name not in holder:
        return not attribute.required
    try:
        return attribute.check(holder[name])
    except TypeError:
        return False


def issue(path: str, text: str = "") -> Issue:
    """An Issue at an attribute, in the words of MNS unless there is more to say."""
    name = path.rpartition(".")[2]
    return Issue(INVALID, path, text or f"Please provide a valid {_WORDS.get(path, name)}")


def _at(event: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        event = event.get(name) if _is_object(event) else None
    return event

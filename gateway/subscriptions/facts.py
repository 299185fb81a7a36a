"""Facts: what is known of an event, for criteria to ask.

A criterion's key is the name of a filtering attribute, or one of these:

    patient.age               completed years at the time of the event
    patient.registered        whether the patient is registered with a GP practice: true or false
    patient.practice          the ODS code of that practice
    patient.practice_sub_icb  the codes of the ICB sub-location (once CCG) that the practice belongs to
    patient.local_authority   the codes of the local authorities that the patient's home is or was in
    patient.sub_icb           the codes of the ICB sub-location (once CCG) that the home is or was in
    patient.country           the code of the country that the home is or was in

A filtering attribute `<name>_manufacturer_org` that the publisher did not fill is the supplier of the organisation that
`<name>` names.

The message gives the birth date, the practice and the postcodes, where it holds them (`Event.demographics`); the rest
is looked up in reference data. What cannot be known has no values and a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from gateway.events import Event
from gateway.reference.data import Area, Reference
from gateway.subscriptions.criteria import Criterion, comparisons

MANUFACTURER: Final = "_manufacturer_org"
"""What the names of enriched filters of MNS end with; what is before it names a filter that holds an ODS code."""

_Found = tuple["Sequence[str] | None", str]


class EventFacts:
    """The facts of one event, each worked out when it is first asked for; call it with a key for the values."""

    __slots__ = ("_areas", "_event", "_found", "_reference")

    def __init__(self, event: Event, reference: Reference) -> None:
        self._event, self._reference = event, reference
        self._found: dict[str, _Found] = {}
        self._areas: list[Area] | None = None

    def __call__(self, key: str) -> Sequence[str] | None:
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._look_up(key)
        return found[0]

    def lack(self, key: str) -> str:
        """Why a fact is not known; "" for one that is."""
        self(key)
        return self._found[key][1]

    def _look_up(self, key: str) -> _Found:
        derive = _PATIENT.get(key)
        if derive is not None:
            return derive(self)
        value = self._event.filtering.get(key)
        if value is None and key.endswith(MANUFACTURER):
            return self._manufacturer(key.removesuffix(MANUFACTURER))
        if value is None:
            return None, f"the event has no {key}"
        return tuple(map(_text, value if isinstance(value, list) else [value])), ""

    def _told(self, name: str) -> list[str]:
        """What the message says; rarely more than one value."""
        return self._event.demographics.get(name) or []

    def _manufacturer(self, organisation: str) -> _Found:
        """The suppliers of the organisations that the event names by that filter (MNS, "Filter enrichment")."""
        codes, why = self(organisation), self.lack(organisation)
        suppliers = self._reference.suppliers
        if codes is None or suppliers is None:
            return None, why or "no suppliers are loaded"
        found = tuple(supplier for code in codes if (supplier := suppliers.get(code.upper())))
        return (found, "") if found else (None, f"the suppliers loaded do not know {organisation}")

    def _age(self) -> _Found:
        at = self._event.time
        # Years, less one before the birthday: dates of ISO 8601 compare as text.
        ages = [
            str(int(at[:4]) - int(born[:4]) - (at[5:10] < born[5:10]))
            for born in self._told("birthDate")
            if _DAY.match(born)
        ]
        return (ages, "") if ages else (None, "the message does not say the birth date to the day")

    def _registered(self) -> _Found:
        registered = self._event.demographics.get("registered")
        if registered is None:
            return None, "the message does not say whether the patient is registered with a GP practice"
        return (_text(registered),), ""

    def _practice(self) -> _Found:
        if practices := self._told("practice"):
            return practices, ""
        if self._event.demographics.get("registered") is False:
            return (), ""
        return None, "the message does not say the patient's GP practice"

    def _practice_sub_icb(self) -> _Found:
        codes, why = self("patient.practice"), self.lack("patient.practice")
        if not codes:
            return codes, why
        practices = self._reference.practices
        known = [practices.get(code) for code in codes] if practices else []
        if found := [one.commissioner for one in known if one and one.commissioner]:
            return found, ""
        if told := self._told("commissioner"):
            return told, ""
        if practices is None:
            return None, "no practices are loaded, and the message does not say what the practice is part of"
        return None, "the practices loaded do not say what the patient's practice is part of"

    def _local_authority(self) -> _Found:
        return self._of_home(1)

    def _sub_icb(self) -> _Found:
        return self._of_home(2)

    def _country(self) -> _Found:
        found = self._of_home(0)
        if found[0] is not None or self._reference.postcodes is None:
            return found
        return self._country_of_practice() or found

    def _country_of_practice(self) -> _Found | None:
        """Where no address is told: a deregistration may hold no more than the practice that was left."""
        practices, postcodes = self._reference.practices, self._reference.postcodes
        if practices is None or postcodes is None:
            return None
        known = [practices.get(code) for code in self._told("practice") or self._told("formerPractice")]
        areas = [postcodes.get(one.postcode) for one in known if one]
        found = [code for area in areas if area for code in area[0]]
        return (found, "") if found else None

    def _of_home(self, part: int) -> _Found:
        if self._areas is None:
            self._areas = self._homes()
        found = [code for area in self._areas for code in area[part]]
        return (found, "") if found else (None, self._homeless())

    def _homes(self) -> list[Area]:
        postcodes = self._reference.postcodes
        known = [postcodes.get(one) for one in self._told("postcodes")] if postcodes else []
        return [area for area in known if area]

    def _homeless(self) -> str:
        if not self._told("postcodes"):
            return "the message does not say the patient's postcode"
        return (
            "the postcodes loaded do not know the patient's" if self._reference.postcodes else "no postcodes are loaded"
        )


_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_PATIENT: dict[str, Callable[[EventFacts], _Found]] = {
    "patient.age": EventFacts._age,
    "patient.registered": EventFacts._registered,
    "patient.practice": EventFacts._practice,
    "patient.practice_sub_icb": EventFacts._practice_sub_icb,
    "patient.local_authority": EventFacts._local_authority,
    "patient.sub_icb": EventFacts._sub_icb,
    "patient.country": EventFacts._country,
}
_OF_POSTCODES = frozenset({"patient.local_authority", "patient.sub_icb", "patient.country"})


def lacks_postcodes(criterion: Criterion, reference: Reference) -> bool:
    """Whether a criterion asks for what nobody can know before postcodes are loaded."""
    return reference.postcodes is None and any(one.key in _OF_POSTCODES for one in comparisons(criterion))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

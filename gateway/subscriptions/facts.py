"""Facts: what is known of an event, for criteria to ask.

A criterion's key is the name of a filtering attribute, or one of these:

    patient.age               completed years at the time of the event
    patient.registered        whether the patient is registered with a GP practice: true or false
    patient.practice          the ODS code of that practice
    patient.practice_sub_icb  the codes of the ICB sub-location (once CCG) that the practice belongs to
    patient.local_authority   the codes of the local authorities that the patient's home is or was in
    patient.sub_icb           the codes of the ICB sub-location (once CCG) that the home is or was in
    patient.country           the code of the country that the home is or was in

The message gives the birth date, the practice and the postcodes, where it holds them (`Event.demographics`); the rest
is looked up in reference data. What cannot be known has no values and a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.events import Event
from gateway.reference.data import Reference

_Found = tuple["Sequence[str] | None", str]


class EventFacts:
    """The facts of one event, each worked out when it is first asked for; call it with a key for the values."""

    __slots__ = ("_event", "_found", "_reference")

    def __init__(self, event: Event, reference: Reference) -> None:
        self._event, self._reference = event, reference
        self._found: dict[str, _Found] = {}

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
        if value is None:
            return None, f"the event has no {key}"
        return tuple(map(_text, value if isinstance(value, list) else [value])), ""

    def _age(self) -> _Found:
        born, at = str(self._event.demographics.get("birthDate", "")), self._event.time
        if len(born) < 10:
            return None, "the message does not say the birth date to the day"
        # Years less one before the birthday: dates of ISO 8601 compare as text.
        return (str(int(at[:4]) - int(born[:4]) - (at[5:10] < born[5:10])),), ""

    def _registered(self) -> _Found:
        registered = self._event.demographics.get("registered")
        if registered is None:
            return None, "the message does not say whether the patient is registered with a GP practice"
        return (_text(registered),), ""

    def _practice(self) -> _Found:
        demographics = self._event.demographics
        if practice := demographics.get("practice"):
            return (str(practice),), ""
        if demographics.get("registered") is False:
            return (), ""
        return None, "the message does not say the patient's GP practice"

    def _practice_sub_icb(self) -> _Found:
        practice, why = self("patient.practice"), self.lack("patient.practice")
        if not practice:
            return practice, why
        practices = self._reference.practices
        if practices and (known := practices.get(practice[0])) and known.commissioner:
            return (known.commissioner,), ""
        if told := self._event.demographics.get("commissioner"):
            return (str(told),), ""
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
        demographics = self._event.demographics
        code = demographics.get("practice") or demographics.get("formerPractice")
        practice = practices.get(str(code)) if practices and code else None
        area = postcodes.get(practice.postcode) if postcodes and practice else None
        return (area[0], "") if area and area[0] else None

    def _of_home(self, part: int) -> _Found:
        told = self._event.demographics.get("postcodes")
        if not told:
            return None, "the message does not say the patient's postcode"
        postcodes = self._reference.postcodes
        if postcodes is None:
            return None, "no postcodes are loaded"
        areas = [postcodes.get(str(one)) for one in (told if isinstance(told, list) else [told])]
        found = tuple(code for area in areas if area for code in area[part])
        return (found, "") if found else (None, "the postcodes loaded do not know the patient's")


_PATIENT: dict[str, Callable[[EventFacts], _Found]] = {
    "patient.age": EventFacts._age,
    "patient.registered": EventFacts._registered,
    "patient.practice": EventFacts._practice,
    "patient.practice_sub_icb": EventFacts._practice_sub_icb,
    "patient.local_authority": EventFacts._local_authority,
    "patient.sub_icb": EventFacts._sub_icb,
    "patient.country": EventFacts._country,
}
KEYS = frozenset(_PATIENT)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

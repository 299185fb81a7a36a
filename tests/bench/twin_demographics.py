"""The part of the hand-written twins that reads what generic subscriptions are matched by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

Object = Mapping[str, Any]
Resolve = Callable[[Object, Object, Object], Object]

_ODS_CODE: Final = "https://fhir.nhs.uk/Id/ods-organization-code"
_ODS_PAGES: Final = "https://directory.spineservices.nhs.uk/STU3/Organization/"
_ROUTING: Final = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-RoutingDemographics-1"


def demographics(bundle: Object, header: Object, patient: Object, resolve: Resolve) -> dict[str, Any]:
    """The birth date, home and GP practice of the patient, as far as the message tells them."""
    found: dict[str, Any] = {}
    if born := _born(header):
        found["birthDate"] = born
    if home := _home(patient):
        found["postcodes"] = home
    practitioners = patient.get("generalPractitioner", ())
    organizations = [resolve(bundle, patient, one) for one in practitioners]
    if practice := organization_codes(practitioners, organizations):
        found["practice"] = practice
    parts = [one.get("partOf", {}) for one in organizations if one.get("resourceType") == "Organization"]
    if commissioner := _pages(parts):
        found["commissioner"] = commissioner
    if practitioners:
        found["registered"] = True
    return found


def left_practice(bundle: Object, resolve: Resolve) -> list[str]:
    """The practice that the episodes of care of a change of GP were at."""
    episodes = [entry["resource"] for entry in bundle["entry"] if _is_episode(entry.get("resource", {}))]
    left = [one["managingOrganization"] for one in episodes if "managingOrganization" in one]
    return organization_codes(left, [resolve(bundle, episodes[0], one) for one in left])


def organization_codes(references: Iterable[Object], organizations: Iterable[Object]) -> list[str]:
    """The ODS codes of organisations, by their identifiers and by references to their pages at ODS."""
    codes = [
        identifier["value"].strip()
        for one in organizations
        if one.get("resourceType") == "Organization"
        for identifier in one.get("identifier", ())
        if identifier.get("system") == _ODS_CODE and "value" in identifier
    ]
    return list(dict.fromkeys([*codes, *_pages(references)]))


def _is_episode(resource: Object) -> bool:
    return resource.get("resourceType") == "EpisodeOfCare"


def _pages(references: Iterable[Object]) -> list[str]:
    found = (one.get("reference", "") for one in references)
    return [text[len(_ODS_PAGES) :] for text in found if text.startswith(_ODS_PAGES)]


def _born(header: Object) -> list[str]:
    return [
        part["valueDateTime"]
        for extension in header.get("extension", ())
        if extension.get("url") == _ROUTING
        for part in extension.get("extension", ())
        if part.get("url") == "birthDateTime" and "valueDateTime" in part
    ]


def _home(patient: Object) -> list[str]:
    return [
        address["postalCode"]
        for address in patient.get("address", ())
        if address.get("use", "home") == "home" and "postalCode" in address
    ]

"""The bridge mappings written by hand, to time the mapping modules against.

Each takes the arguments of its module and passes its golden cases, refusals included. They are written as a good
engineer would for speed without tricks: one pass over the entries, one over the extensions, each check once, and what
NEMS messages have in common is read by one function, straight into the event. The checks themselves (NHS number,
instant, UUID) and uuid5 are the functions that modules call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

from gateway.errors import Issue, Refusal
from gateway.mapping.context import Context
from gateway.mapping.module import Inputs
from gateway.mapping.runtime import is_instant, is_uuid, uuid5
from gateway.nhs_number import is_nhs_number
from tests.bench.twin_demographics import demographics, left_practice

T = TypeVar("T")
Object = Mapping[str, Any]

_STU3: Final = "https://fhir.nhs.uk/STU3/"
ROUTING: Final = f"{_STU3}StructureDefinition/Extension-RoutingDemographics-1"
CHANGE: Final = f"{_STU3}StructureDefinition/Extension-MessageEventType-1"
_CHANGES: Final = (CHANGE, f"{_STU3}StructureDefinition/Extension-EMS-MessageEventType-1")
_CHANGE_SYSTEMS: Final = (f"{_STU3}CodeSystem/MessageEventType-1", f"{_STU3}CodeSystem/EMS-MessageEventType-1")
_EVENT_TYPES: Final = f"{_STU3}CodeSystem/EventType-1"
_EVENT_TYPES_OF_2018: Final = f"{_STU3}CodeSystem/EMS-EventType-1"
_NHS_NUMBER: Final = "https://fhir.nhs.uk/Id/nhs-number"
ODS_CODE: Final = "https://fhir.nhs.uk/Id/ods-organization-code"
_ODS_URL: Final = "https://directory.spineservices.nhs.uk/STU3/Organization/"
ASID: Final = "urn:nhs:addressing:asid:"
ASID_URL: Final = "https://fhir.nhs.uk/Id/nhsSpineASID/"
PDS: Final = "https://api.service.nhs.uk/personal-demographics/FHIR/R4"
ACTIONS: Final = {"new": "CREATE", "update": "UPDATE", "delete": "DELETE"}
_SIGNAL_PROFILE: Final = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"
)
_AT_PATIENT: Final = "Bundle.entry.resource.ofType(Patient)"
_AT_PRACTICE: Final = f"{_AT_PATIENT}.generalPractitioner.resolve().ofType(Organization).identifier.value"
_SIGNAL_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,12}")
_ETAG: Final = re.compile(r'W/"([0-9]+)"')

_signal_id = uuid5("https://cloudevents.io/id")
_header_id = uuid5(f"{_STU3}MessageHeader")
_bundle_id = uuid5(f"{_STU3}Bundle")
_patient_id = uuid5(f"{_STU3}Patient")
_focus_id = uuid5(f"{_STU3}focus")
_practice_id = uuid5(f"{_STU3}Organization")


class Message(NamedTuple):
    """What every NEMS message about one patient says, but for births: what all events have, and where the rest is."""

    event: dict[str, Any]
    change: str
    header: Object
    patient: Object


def change_of_gp(bundle: Object, context: Context, inputs: Inputs) -> dict[str, Any]:
    """A NEMS change of GP as an event."""
    event, _, header, patient = read(bundle)
    event["type"] = "pds-change-of-gp-1"
    event["dataref"] = f"{PDS}/Patient/{event['subject']}"
    _add_version_id(event, patient)
    code = None
    for reference in patient.get("generalPractitioner", ()):
        code = one(code, _ods_code(resolve(bundle, patient, reference)), _AT_PRACTICE)
    if code:
        event["filtering"] = {"generalpractitioner": code.strip()}
    known = event["demographics"] = demographics(bundle, header, patient, resolve)
    if left := left_practice(bundle, resolve):
        known["formerPractice"] = left
    known.setdefault("registered", False)
    return event


def record_change(bundle: Object, context: Context, inputs: Inputs) -> dict[str, Any]:
    """A NEMS record change as an event."""
    event, _, header, patient = read(bundle)
    _add_version_id(event, patient)
    event["filtering"] = {"nhsnumber": event["subject"]}
    _add_demographics(event, demographics(bundle, header, patient, resolve))
    return event


def vaccinations(bundle: Object, context: Context, inputs: Inputs) -> dict[str, Any]:
    """A NEMS vaccination as an event."""
    event, change, header, patient = read(bundle)
    if context.claim_check:
        event["dataref"] = context.claim_check
    filtering = event["filtering"] = {"action": ACTIONS[change]}
    responsible = header.get("responsible", {})
    reference = responsible.get("reference", "")
    if reference.startswith(_ODS_URL):
        filtering["sourceorganisation"] = reference[len(_ODS_URL) :]
    elif code := _ods_code(resolve(bundle, header, responsible)):
        filtering["sourceorganisation"] = code.strip()
    _add_demographics(event, demographics(bundle, header, patient, resolve))
    return event


def signal(event: Object, context: Context, inputs: Inputs) -> dict[str, Any]:
    """An event as the signal of MNS."""
    notification, url, mns_type = context.notification, context.public_url, context.mns_type
    if not (notification and is_uuid(notification)):
        raise Refusal.because("INTERNAL_SERVER_ERROR", "a signal needs a UUID", "%notification")
    if not (url and mns_type):
        raise Refusal.because("INTERNAL_SERVER_ERROR", "a signal needs a URL and a type", "%mnsType")
    subscriptions = f"{url}/multicast-notification-service/subscriptions"
    time, source, identity = event["time"], event["source"], event["id"]
    happened: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": "1"},
        {"name": "timestamp", "valueInstant": time},
    ]
    if dataref := event.get("dataref"):
        happened.append({"name": "focus", "valueReference": {"reference": dataref}})
    more: list[dict[str, Any]] = [
        {"name": "event-type", "valueString": mns_type},
        {"name": "source", "valueUri": source},
    ]
    if subject := event.get("subject"):
        more.append({"name": "subject", "valueReference": {"identifier": {"value": subject}}})
    if version_id := event.get("versionid"):
        more.append({"name": "version-id", "valueString": version_id})
    parameters = {
        "resourceType": "Parameters",
        "id": notification,
        "meta": {"profile": [_SIGNAL_PROFILE]},
        "parameter": [
            {"name": "subscription", "valueReference": {"reference": subscriptions}},
            {"name": "status", "valueCode": "active"},
            {"name": "type", "valueCode": "event-notification"},
            {"name": "notification-event", "part": happened},
            {"name": "additional-context", "part": more},
        ],
    }
    return {
        "resourceType": "Bundle",
        "id": identity if _SIGNAL_ID.fullmatch(identity) else _signal_id(f"{source} {identity}"),
        "type": "history",
        "timestamp": time,
        "entry": [
            {
                "fullUrl": f"urn:uuid:{notification}",
                "resource": parameters,
                "request": {"method": "GET", "url": subscriptions},
                "response": {"status": "200"},
            }
        ],
    }


def cloudevent(event: Object, context: Context, inputs: Inputs) -> dict[str, Any]:
    """An event as the CloudEvent of MNS."""
    if not context.mns_type:
        raise Refusal.because("INTERNAL_SERVER_ERROR", "a CloudEvent needs a type", "%mnsType")
    made = {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["source"],
        "type": context.mns_type,
        "time": event["time"],
    }
    if subject := event.get("subject"):
        made["subject"] = subject
    if dataref := event.get("dataref"):
        made["dataref"] = dataref
    if version_id := event.get("versionid"):
        made["versionid"] = version_id
    return made


def to_change_of_gp(event: Object, context: Context, inputs: Inputs) -> dict[str, Any]:
    """An event as a NEMS change of GP, with the patient's record in PDS where it was retrieved."""
    retrieved = inputs.get("retrieved", {})
    subject = event.get("subject", "")
    practice = _practice(event, retrieved)
    _check_to_change_of_gp(subject, retrieved, practice, context)
    name = next((one for one in retrieved.get("name", ()) if _is_usual(one)), None)
    birth_date = retrieved.get("birthDate")
    demographics: list[dict[str, Any]] = [
        {"url": "nhsNumber", "valueIdentifier": {"system": _NHS_NUMBER, "value": subject}}
    ]
    if name:
        demographics.append({"url": "name", "valueHumanName": _official(name, "family", "given")})
    if birth_date:
        demographics.append({"url": "birthDateTime", "valueDateTime": birth_date})
    identity = event["id"] if is_uuid(event["id"]) else _header_id(f"{event['source']} {event['id']}")
    patient_id, focus_id = _patient_id(identity), _focus_id(identity)
    patient: dict[str, Any] = {"resourceType": "Patient", "id": patient_id}
    if version := _ETAG.fullmatch(event.get("versionid", "")):
        patient["meta"] = {"versionId": version[1]}
    patient["identifier"] = [{"system": _NHS_NUMBER, "value": subject}]
    if name:
        patient["name"] = [_official(name, "family", "given", "prefix")]
    if gender := retrieved.get("gender"):
        patient["gender"] = gender
    if birth_date:
        patient["birthDate"] = birth_date
    entries = [
        _entry(_message_header(event, identity, focus_id, demographics)),
        _entry(
            {
                "resourceType": "Communication",
                "id": focus_id,
                "status": "completed",
                "subject": {"reference": f"urn:uuid:{patient_id}"},
            }
        ),
        _entry(patient),
    ]
    if practice:
        practice_id = _practice_id(identity)
        patient["generalPractitioner"] = [{"reference": f"urn:uuid:{practice_id}"}]
        organization = {
            "resourceType": "Organization",
            "id": practice_id,
            "identifier": [{"system": ODS_CODE, "value": practice}],
        }
        entries.append(_entry(organization))
    return {"resourceType": "Bundle", "id": _bundle_id(identity), "type": "message", "entry": entries}


# --- what NEMS messages have in common


def read(bundle: Object) -> Message:
    """Read a NEMS message, in today's spelling or that of 2018; Refusal says all that is wrong with it."""
    entries = bundle.get("entry", ())
    first = entries[0].get("resource", {}) if entries else {}
    header = first if first.get("resourceType") == "MessageHeader" else {}
    coding = header.get("event", {})
    change, number = _extensions(header)
    patient: Object | None = None
    for entry in entries:
        resource = entry.get("resource", {})
        if resource.get("resourceType") == "Patient":
            patient = one(patient, resource, _AT_PATIENT)
    if number is None and patient and coding.get("system") == _EVENT_TYPES_OF_2018:
        number = _identifier(patient, _NHS_NUMBER)
    time = header.get("timestamp")
    if not (time and is_instant(time)):
        time = header.get("meta", {}).get("lastUpdated", "")
        time = time if is_instant(time) else ""
    endpoint = header.get("source", {}).get("endpoint", "")
    if endpoint.startswith(ASID):
        endpoint = ASID_URL + endpoint[len(ASID) :]
    identity = header.get("id", "")
    change = (change or "").replace("\u200b", "").strip()
    event = {
        "id": identity if is_uuid(identity) else _header_id(identity),
        "source": endpoint,
        "type": coding.get("code", "").replace("\u200b", "").strip(),
        "time": time,
        "subject": (number or "").strip(),
    }
    message = Message(event, change, header, patient or {})
    if not (identity and event["type"] and change in ACTIONS and time and is_nhs_number(event["subject"])):
        raise Refusal(_faults(message))
    return message


def _extensions(header: Object) -> tuple[str | None, str | None]:
    """The message event type, and the NHS number of the routing demographics."""
    change = number = None
    for extension in header.get("extension", ()):
        url = extension.get("url")
        if url in _CHANGES:
            for coding in extension.get("valueCodeableConcept", {}).get("coding", ()):
                if coding.get("system") in _CHANGE_SYSTEMS:
                    change = one(change, coding.get("code"), "message event type")
        elif url == ROUTING:
            for part in extension.get("extension", ()):
                if part.get("url") == "nhsNumber":
                    number = one(number, part.get("valueIdentifier", {}).get("value"), "NHS number")
    return change, number


def _faults(message: Message) -> list[Issue]:
    """What is wrong with a message, in the order of the modules' requirements."""
    at = "Bundle.entry[0].resource"
    faults = (
        (message.header, "INVALID_RESOURCE", at),
        (message.header.get("id"), "INVALID_RESOURCE", f"{at}.id"),
        (message.event["type"], "INVALID_RESOURCE", f"{at}.event.code"),
        (message.change in ACTIONS, "INVALID_RESOURCE", f"{at}.extension('{CHANGE}')"),
        (message.event["time"], "INVALID_RESOURCE", f"{at}.timestamp"),
        (is_nhs_number(message.event["subject"]), "INVALID_NHS_NUMBER", f"{at}.extension('{ROUTING}')"),
    )
    return [Issue(reason, location, "missing or wrong") for is_right, reason, location in faults if not is_right]


def one(found: T | None, value: T | None, path: str) -> T | None:
    """`value`, or what was found before it.

    Raises:
        Refusal: MULTIPLE_VALUES, they differ.
    """
    if found is not None and value is not None and found != value:
        raise Refusal.because("MULTIPLE_VALUES", "different values stand where one is expected", path)
    return found if value is None else value


def resolve(bundle: Object, holder: Object, reference: Object) -> Object:
    """What a Reference in the resource `holder` leads to: by fullUrl, else by type and id; {} where nothing is."""
    text = reference.get("reference", "")
    if text.startswith("#"):
        return next((one for one in holder.get("contained", ()) if one.get("id") == text[1:]), {})
    for entry in bundle["entry"]:
        if entry.get("fullUrl") == text:
            found: Object = entry.get("resource", {})
            return found
    resource_type, _, identity = text.partition("/")
    resources = (entry.get("resource", {}) for entry in bundle["entry"])
    return next(
        (one for one in resources if one.get("resourceType") == resource_type and one.get("id") == identity), {}
    )


def _add_demographics(event: dict[str, Any], known: dict[str, Any]) -> None:
    if known:
        event["demographics"] = known


def _add_version_id(event: dict[str, Any], patient: Object) -> None:
    """The change number of the record, as an ETag."""
    if number := patient.get("meta", {}).get("versionId"):
        event["versionid"] = f'W/"{number}"'


def _ods_code(resource: Object) -> str | None:
    return _identifier(resource, ODS_CODE) if resource.get("resourceType") == "Organization" else None


def _identifier(resource: Object, system: str) -> str | None:
    found = None
    for identifier in resource.get("identifier", ()):
        if identifier.get("system") == system:
            found = one(found, identifier.get("value"), "identifier")
    return found


# --- to NEMS


def _check_to_change_of_gp(subject: str, retrieved: Object, practice: str | None, context: Context) -> None:
    if context.nems_code != "pds-change-of-gp-1":
        raise Refusal.because("NOT_IMPLEMENTED", "NEMS has no such event", "%nemsCode")
    if retrieved and _identifier(retrieved, _NHS_NUMBER) != subject:
        raise Refusal.because("REFERENCE_NOT_FOUND", "another person's record", "%retrieved.identifier")
    if practice and not _CODE.fullmatch(practice):
        raise Refusal.because("INVALID_IDENTIFIER_VALUE", "not an ODS code", "Event.filtering.generalpractitioner")
    if not is_nhs_number(subject):
        raise Refusal.because("INVALID_NHS_NUMBER", "a NEMS message needs an NHS number", "Event.subject")
    if not (retrieved or practice):
        raise Refusal.because("NO_RECORD_FOUND", "the practice is unknown", "Event.filtering.generalpractitioner")


def _practice(event: Object, retrieved: Object) -> str | None:
    """The ODS code of the patient's practice."""
    if not retrieved:
        code: str | None = event.get("filtering", {}).get("generalpractitioner")
        return code
    found = None
    for practitioner in retrieved.get("generalPractitioner", ()):
        identifier = practitioner.get("identifier", {})
        if identifier.get("system") == ODS_CODE:
            found = one(found, identifier.get("value"), "practice")
    return found.strip() if found else None


def _is_usual(name: Object) -> bool:
    return name.get("use") == "usual" and "end" not in name.get("period", {})


def _official(name: Object, *parts: str) -> dict[str, Any]:
    return {"use": "official", **{part: name[part] for part in parts if part in name}}


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}


def _message_header(event: Object, identity: str, focus_id: str, demographics: list[dict[str, Any]]) -> dict[str, Any]:
    time, source = event["time"], event["source"]
    change = {"system": _CHANGE_SYSTEMS[0], "code": "new", "display": "New event message"}
    return {
        "resourceType": "MessageHeader",
        "id": identity,
        "meta": {"lastUpdated": time, "profile": [f"{_STU3}StructureDefinition/Event-MessageHeader-1"]},
        "extension": [
            {"url": ROUTING, "extension": demographics},
            {"url": CHANGE, "valueCodeableConcept": {"coding": [change]}},
        ],
        "event": {"system": _EVENT_TYPES, "code": "pds-change-of-gp-1", "display": "PDS Change of GP"},
        "timestamp": time,
        "source": {"endpoint": ASID + source[len(ASID_URL) :] if source.startswith(ASID_URL) else source},
        "responsible": {"reference": f"{_ODS_URL}X26"},
        "focus": [{"reference": f"urn:uuid:{focus_id}"}],
    }

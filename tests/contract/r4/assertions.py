"""What Inferno's Subscriptions Test Kit asserts of the notifications of a server, in Python."""

from __future__ import annotations

import json
from typing import Any

from fhir.resources.R4B.bundle import Bundle

from gateway.fhir.tables import load
from gateway.fhir.validate import validate
from tests.contract.r4.acts import IG, parameters
from tests.harness import Request

R4 = load("R4")


def is_notification(request: Request, subscription: dict[str, Any], kind: str, status: str) -> dict[str, Any]:
    """Assert all that holds for every notification (tests 1.2.02, 4.01 and 4.02); what its status says, by name.

    `subscription` is the answer to its creation.
    """
    bundle = json.loads(request.body)
    is_bundle(bundle, "history")
    first = bundle["entry"][0]
    assert first["request"]["url"].endswith(f"Subscription/{subscription['id']}/$status")
    said = is_status(first["resource"])
    assert said["subscription"].rpartition("/")[2] == subscription["id"]
    assert (said["type"], said["status"]) == (kind, status)
    assert request.headers["Content-Type"].startswith(subscription["channel"]["payload"])
    for header in subscription["channel"].get("header", []):
        name, _, value = header.partition(":")
        assert request.headers[name] == value.strip()
    return said


def is_bundle(bundle: dict[str, Any], kind: str) -> None:
    """Assert that it is a valid Bundle of that type; of a history every entry has a request and a response."""
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", kind)
    assert [issue for issue in validate(bundle, R4) if issue.severity == "error"] == []
    Bundle.model_validate(bundle)
    if kind == "history":
        assert bundle["entry"]
        assert all("request" in entry and "response" in entry for entry in bundle["entry"])


def is_status(resource: dict[str, Any]) -> dict[str, Any]:
    """Assert that it meets the profile of the status (cardinalities, types); its values by name."""
    assert resource["resourceType"] == "Parameters"
    assert f"{IG}/StructureDefinition/backport-subscription-status-r4" in resource["meta"]["profile"]
    names = [one["name"] for one in resource["parameter"]]
    for name in ("subscription", "status", "type"):
        assert names.count(name) == 1
    assert max(names.count(name) for name in ("topic", "events-since-subscription-start")) <= 1
    types = {
        "subscription": "valueReference",
        "topic": "valueCanonical",
        "status": "valueCode",
        "type": "valueCode",
        "events-since-subscription-start": "valueString",
        "error": "valueCodeableConcept",
        "event-number": "valueString",
        "timestamp": "valueInstant",
        "focus": "valueReference",
        "additional-context": "valueReference",
    }
    for one in resource["parameter"]:
        parts = one.get("part", []) if one["name"] == "notification-event" else [one]
        for part in parts:
            assert set(part) == {"name", types[part["name"]]}, part["name"]
        if one["name"] == "notification-event":
            assert [part["name"] for part in parts].count("event-number") == 1
    return parameters(resource)


def is_empty(bundle: dict[str, Any], said: dict[str, Any]) -> None:
    """Test 3.1.2.03."""
    assert len(bundle["entry"]) == 1
    assert len(said["notification-event"]) >= 1
    assert not any({"focus", "additional-context"} & set(event) for event in said["notification-event"])
    assert "topic" not in said


def is_id_only(bundle: dict[str, Any], said: dict[str, Any]) -> None:
    """Test 3.2.2.03."""
    assert len(said["notification-event"]) >= 1
    assert all("focus" in event for event in said["notification-event"])
    assert all("resource" not in entry and "fullUrl" in entry for entry in bundle["entry"][1:])


def is_full_resource(bundle: dict[str, Any], said: dict[str, Any]) -> None:
    """Test 3.3.2.03."""
    assert len(said["notification-event"]) >= 1
    entries = {entry["fullUrl"]: entry for entry in bundle["entry"][1:]}
    for event in said["notification-event"]:
        for name in {"focus", "additional-context"} & set(event) | {"focus"}:
            assert entries[event[name]]["resource"]["resourceType"]
    assert "topic" in said


LEVELS = {"empty": is_empty, "id-only": is_id_only, "full-resource": is_full_resource}

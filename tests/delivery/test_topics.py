"""Notifications of topics: what each payload level says of an event."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gateway import catalogue
from gateway.delivery.topics import Topics
from gateway.events import JSON, Event, Form, Original
from gateway.fhir.notification import Told, notification
from gateway.ids import show
from tests.samples import event, subscription

ROOT = Path(__file__).resolve().parents[2]
BASE = "https://gateway.example"


@pytest.fixture(scope="module")
def topics() -> Topics:
    return Topics(catalogue.load(ROOT / "config" / "event-types"), BASE)


def told(topics: Topics, of: Event, form: Form) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The parts of the event, and the entries beside the status."""
    bundle = topics.of_event(of, "one", 7, form, "00000000-0000-4000-8000-000000000001")
    first, *others = bundle["entry"]
    (parts,) = [one["part"] for one in first["resource"]["parameter"] if one["name"] == "notification-event"]
    return {part["name"]: next(value for name, value in part.items() if name != "name") for part in parts}, others


def test_an_event_that_points_nowhere_has_what_was_published_as_its_focus(topics: Topics) -> None:
    one = event()
    place = f"{BASE}/R4/Binary/{show(one.row_id)}"
    parts, others = told(topics, one, "r4-id-only")
    assert (parts["event-number"], parts["timestamp"], parts["focus"]) == ("7", one.time, {"reference": place})
    assert others == []
    parts, (entry,) = told(topics, one, "r4-full-resource")
    assert (parts["focus"], entry["fullUrl"]) == ({"reference": place}, place)
    assert base64.b64decode(entry["resource"]["data"]) == one.original.body


def test_a_time_that_is_no_instant_is_left_out(topics: Topics) -> None:
    parts, _ = told(topics, event(time="2026-11-02T09:15:00+58:00"), "r4-empty")
    assert set(parts) == {"event-number"}


def test_a_resource_that_came_in_a_notification_goes_on(topics: Topics) -> None:
    focus = "https://fhir.example.org/Patient/1"
    patient = {"resourceType": "Patient", "id": "1"}
    came = notification(topics.status(subscription(form="r4-id-only"), "active", "event-notification", 1), "1", "t", [
        Told(1, None, focus, patient)
    ])  # fmt: skip
    one = event(original=Original(json.dumps(came).encode(), JSON, "r4-status"), face="r4", dataref=focus)
    parts, (entry,) = told(topics, one, "r4-full-resource")
    assert (parts["focus"], entry["fullUrl"], entry["resource"]) == ({"reference": focus}, focus, patient)


def test_what_is_not_numbered_is_not_counted(topics: Topics) -> None:
    assert topics.status(subscription(form="mns-signal"), "active", "query-status", 3).events is None
    assert topics.status(subscription(form="r4-empty"), "active", "query-status", 3).events == 3

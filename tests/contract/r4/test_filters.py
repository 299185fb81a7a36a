"""Filters are applied: only what meets all of them is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.demo import TOPIC
from tests.contract.mns.acts import cloudevent
from tests.contract.r4.acts import extension, subscribe, topical
from tests.harness import Gateway, Listener

BASE = "/multicast-notification-service"


def publish(gateway: Gateway, filtering: dict[str, Any], subject: str = "9990001006") -> str:
    """Publish a vaccination as a CloudEvent; its dataref."""
    event = cloudevent(type="imms-vaccination-record-change-1", subject=subject, filtering=filtering)
    event["dataref"] = f"https://example.org/Immunization/{event['id']}"
    headers = {"Content-Type": "application/cloudevents+json", "X-Correlation-ID": event["id"]}
    answer = gateway.http.post(f"{BASE}/events", json=event, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(event["dataref"])


def heard(listener: Listener, count: int) -> list[str]:
    """The foci of the events told, once there are so many."""
    bodies = [json.loads(one.body) for one in listener.wait_for(count + 1)[1:]]
    told = [one for body in bodies for one in body["entry"][0]["resource"]["parameter"] if "part" in one]
    return [part["valueReference"]["reference"] for one in told for part in one["part"] if part["name"] == "focus"]


@pytest.mark.rule("r4-135", "r4-136")
@pytest.mark.parametrize(
    ("searches", "matching", "other"),
    [
        (["generalpractitioner=A20047"], {"generalpractitioner": "A20047"}, {"generalpractitioner": "B86056"}),
        (["generalpractitioner=A20047,B86056"], {"generalpractitioner": "B86056"}, {"generalpractitioner": "C1"}),
        (["generalpractitioner:not=A20047"], {"generalpractitioner": "B86056"}, {"generalpractitioner": "A20047"}),
        (["generalpractitioner:not=A20047"], {"generalpractitioner": "B86056"}, {}),
        (["subjectage=lt5"], {"subjectage": 4}, {"subjectage": 5}),
        (["subjectage=ge65"], {"subjectage": 65}, {"subjectage": 7}),
        (["subjectage=7,8"], {"subjectage": 8}, {"subjectage": 9}),
        (["Immunization?immunisationtype=FLU"], {"immunisationtype": "FLU"}, {"immunisationtype": "flu"}),
        (["immunisationtype=M%26M"], {"immunisationtype": "M&M"}, {"immunisationtype": "M"}),
        (["generalpractitioner=A20047%2CB86056"], {"generalpractitioner": "B86056"}, {"generalpractitioner": "C1"}),
        (["generalpractitioner%3Anot=A20047"], {"generalpractitioner": "B86056"}, {"generalpractitioner": "A20047"}),
        (["immunisationtype=a%5C%2Cb"], {"immunisationtype": "a,b"}, {"immunisationtype": "a"}),
        (["immunisationtype=a\\,b"], {"immunisationtype": "a,b"}, {"immunisationtype": "a"}),
        (["immunisationtype=it's"], {"immunisationtype": "it's"}, {"immunisationtype": "its"}),
        pytest.param(
            ["action=CREATE&subjectage=lt5"], {"action": "CREATE", "subjectage": 4},
            {"action": "CREATE", "subjectage": 6}, marks=pytest.mark.rule("r4-95"),
        ),
        pytest.param(
            ["action=CREATE", "subjectage=lt5"], {"action": "CREATE", "subjectage": 4},
            {"action": "UPDATE", "subjectage": 4}, marks=pytest.mark.rule("r4-95"),
        ),
    ],
)  # fmt: skip
def test_only_what_meets_every_filter_is_told(
    gateway: Gateway, listener: Listener, searches: list[str], matching: dict[str, Any], other: dict[str, Any]
) -> None:
    extensions = [extension("backport-filter-criteria", valueString=search) for search in searches]
    asked = topical(listener.url, criteria=f"{TOPIC}vaccinations-1", _criteria={"extension": extensions})
    place = subscribe(gateway, asked)
    publish(gateway, other)
    first, _, second = publish(gateway, matching), publish(gateway, other), publish(gateway, matching)
    assert sorted(heard(listener, 2)) == sorted([first, second])
    gateway.http.delete(place)


@pytest.mark.rule("r4-136")
def test_a_subscription_to_one_patient(gateway: Gateway, listener: Listener) -> None:
    searches = [extension("backport-filter-criteria", valueString="subject=9990001006")]
    asked = topical(listener.url, criteria=f"{TOPIC}vaccinations-1", _criteria={"extension": searches})
    place = subscribe(gateway, asked)
    publish(gateway, {}, "9990001014")
    first, second = publish(gateway, {}), publish(gateway, {})
    assert sorted(heard(listener, 2)) == sorted([first, second])
    gateway.http.delete(place)

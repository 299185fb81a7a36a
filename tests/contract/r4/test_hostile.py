"""Whatever stands in a Subscription or a notification, it is taken or refused: nothing else is raised."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import catalogue
from gateway.applications import LOCAL
from gateway.errors import Refusal
from gateway.faces.r4.request import Limits, Requests, parse
from gateway.fhir.json import parse_json
from gateway.fhir.subscription_status import is_notification, is_of_mns, one_by_one, read_status
from gateway.fhir.tables import load
from gateway.reader import check
from tests.contract.r4.acts import CHANNEL_TYPES, extension, topical
from tests.contract.r4.test_incoming import changed, event

R4 = load("R4")
ROOT = Path(__file__).resolve().parents[3]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    " ",
    "x",
    "é\u0000",
    "urn:x",
    [],
    {},
    [[]],
    [{}],
    {"a": 1},
    "9" * 30,
]

SUBSCRIPTION = topical(
    _criteria={"extension": [extension("backport-filter-criteria", valueString="generalpractitioner=A1,B2&subject=9990001006")]},
    end="2099-01-01T00:00:00Z",
    channel={
        "extension": [extension("backport-heartbeat-period", valueUnsignedInt=60), extension("backport-timeout", valueUnsignedInt=5)],
        "_type": {"extension": [extension("backport-channel-type", valueCoding={"system": CHANNEL_TYPES, "code": "mesh"})]},
        "header": ["A: b"],
    },
)  # fmt: skip
NOTIFICATION = json.loads(
    changed(
        type="event-notification",
        more=[
            event("1"),
            event("2"),
            {"name": "additional-context", "part": [{"name": "event-type", "valueString": "x"}]},
        ],
    )
)


def mutants(resource: dict[str, Any], seed: int, count: int = 400) -> Iterator[bytes]:
    """The resource with up to three of its parts taken away, put elsewhere, or made into something else."""
    chance = random.Random(seed)
    for _ in range(count):
        changed = copy.deepcopy(resource)
        for _ in range(chance.randint(1, 3)):
            place = chance.choice(list(places(changed)))
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            deed = chance.randint(0, 3)
            if deed == 0:
                del place[key]
            elif deed == 1 and isinstance(place, dict):
                place[f"_{key}" if chance.random() < 0.5 else chance.choice(["extension", "part", "resource"])] = (
                    place.pop(key)
                )
            else:
                place[key] = chance.choice(VALUES)
        yield json.dumps(changed).encode()


def places(value: Any) -> Iterator[Any]:
    """Every object and list of a resource that is not empty, itself included."""
    if isinstance(value, dict | list) and value:
        yield value
        for one in value.values() if isinstance(value, dict) else value:
            yield from places(one)


@pytest.mark.parametrize("seed", range(5))
def test_subscriptions(seed: int) -> None:
    limits = Limits(loopback=True, mesh=True, heartbeat_min=10, timeout_max=60, secret_overlap=1)
    requests = Requests(catalogue.load(ROOT / "config" / "event-types"), limits)
    taken = 0
    for body in mutants(SUBSCRIPTION, seed):
        try:
            requests.read(parse(body), LOCAL)
            taken += 1
        except Refusal as refusal:
            assert refusal.issues
    assert taken < 400


@pytest.mark.parametrize("seed", range(5))
def test_notifications(seed: int) -> None:
    read = 0
    for body in mutants(NOTIFICATION, seed):
        try:
            bundle = parse_json(body, R4).resource
            if is_notification(bundle):
                check(bundle, R4)
                read_status(bundle)
                is_of_mns(bundle)
                read += len(list(one_by_one(bundle)))
        except Refusal as refusal:
            assert refusal.issues
    assert read

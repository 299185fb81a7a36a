"""The face against the OpenAPI description that MNS publishes: schemathesis calls every operation as it says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from tests.contract.mns.acts import BASE, V2, Caller
from tests.harness import SUBSCRIBER_MAILBOX, Gateway

EXAMPLES = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
OPERATIONS = {
    "POST /events", "POST /subscriptions", "GET /subscriptions", "GET /subscriptions/{id}", "PUT /subscriptions/{id}",
    "DELETE /subscriptions/{id}",
}  # fmt: skip

DIFFERENCES = {
    404: "PUT answers it for a subscription that there is not, as MNS's prose and sandbox do",
    405: "a verb that the description does not have",
    413: "a body that is larger than the operator allows",
    415: "a Content-Type that the description does not have",
    429: "the quota of the application is used up",
}
"""The answers of the face that the description does not list for an operation, and why there are any."""


def schema(examples: Path) -> Any:
    raw = json.loads((examples / "mns" / "openapi.json").read_bytes())
    for methods in raw["paths"].values():
        for operation in methods.values():
            if isinstance(operation, dict):
                # Every header is given below, and the form of this one is in a notation that JSON Schema has not.
                operation["parameters"] = [one for one in operation["parameters"] if one["in"] != "header"]
    return schemathesis.openapi.from_dict(raw)


NARROWER = {
    "id": ({"pattern": "^[!-~]{1,100}$"}, "an id has no white space, so that it can be one in every form"),
    "subject": ({"pattern": "^[!-~]{1,100}$"}, "nor has a subject"),
    "versionid": ({"pattern": "^[!-~]{1,100}$"}, "nor a version"),
    "source": ({"pattern": "^[a-z0-9.]{1,100}$"}, "a source is written in ASCII, as a URI must be"),
    "specversion": ({"enum": ["1.0"]}, "there is no other version of CloudEvents"),
    "type": ({"enum": ["pds-change-of-gp-2", "vrs-proxy-role-created-1"]}, "the event type is in the catalogue"),
    "time": (
        {"enum": ["2026-11-02T09:15:00Z", "2026-11-02T09:15:00.123+01:00"]},
        "T and Z are in upper case, as in FHIR",
    ),
    "dataref": (
        {"pattern": "^https://[a-z0-9.]{1,50}/[A-Za-z0-9/]{0,50}$"},
        "a link is written in ASCII, as a URI must be",
    ),
    "criteria": (
        {"enum": ["eventType='pds-change-of-gp-2'"]},
        "an event type of the catalogue, and filters that it has",
    ),
    "end": ({"enum": ["2022-04-05T17:31:00.000Z"]}, "T and Z are in upper case, as in FHIR"),
}
"""What the face takes is narrower than the schemas of the description, and why; it takes all that is left."""


@pytest.mark.parametrize(
    ("label", "media_type"), [("POST /events", V2), ("POST /subscriptions", "application/fhir+json")]
)
def test_the_face_takes_all_that_is_described_but_for_the_differences(
    gateway: Gateway, caller: Caller, examples: Path, label: str, media_type: str
) -> None:
    raw = json.loads((examples / "mns" / "openapi.json").read_bytes())
    path = label.split()[1]
    operation = raw["paths"][path]["post"]
    body = operation["requestBody"]["content"][media_type]
    operation["parameters"], operation["requestBody"]["content"] = [], {media_type: body}
    # No other attributes: MNS disallows them in words, and what is misspelt would go unnoticed.
    body["schema"]["additionalProperties"] = False
    for name in body["schema"]["properties"].keys() & NARROWER.keys():
        body["schema"]["properties"][name] = {"type": "string", **NARROWER[name][0]}
    if channel := body["schema"]["properties"].get("channel"):
        channel["additionalProperties"] = False
        place = f"^mesh://{SUBSCRIBER_MAILBOX}[?]workflow_id=[A-Za-z0-9_.-]{{20,40}}$"
        channel["properties"]["endpoint"] = {"type": "string", "pattern": place}  # no queues of AWS
        channel["properties"]["payload"] = {"enum": ["application/json", "application/fhir+json"]}
        del body["schema"]["properties"]["hydration"]  # tested apart: headers have rules that the schema does not tell
    (described,) = [
        one.ok() for one in schemathesis.openapi.from_dict(raw).get_all_operations() if one.ok().label == label
    ]

    @given(case=described.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @EXAMPLES
    def call(case: Any) -> None:
        case.headers = {
            "Content-Type": media_type, "Authorization": f"Bearer {caller.token}", "X-Correlation-ID": "schemathesis",
        }  # fmt: skip
        response = case.call(base_url=gateway.url + BASE)
        # Two subscriptions that are alike are one too many.
        assert response.status_code in {200, 201, 409}, response.text

    call()


MODES = [
    *((label, GenerationMode.POSITIVE) for label in sorted(OPERATIONS)),
    # Where an id or a mark is any text, none is wrong by the description.
    *((label, GenerationMode.NEGATIVE) for label in ("POST /events", "POST /subscriptions", "PUT /subscriptions/{id}")),
]


@pytest.mark.parametrize(("label", "mode"), MODES)
def test_the_face_answers_as_its_description_says(
    gateway: Gateway, caller: Caller, examples: Path, label: str, mode: GenerationMode
) -> None:
    described = schema(examples)
    operations = {one.ok().label: one.ok() for one in described.get_all_operations()}
    assert operations.keys() >= OPERATIONS
    operation = operations[label]
    documented = {int(status) for status in operation.definition.raw["responses"]}
    answered: Counter[int] = Counter()

    @given(case=operation.as_strategy(generation_mode=mode))
    @EXAMPLES
    def call(case: Any) -> None:
        case.headers = {
            **(case.headers or {}), "Authorization": f"Bearer {caller.token}", "X-Correlation-ID": "schemathesis",
        }  # fmt: skip
        response = case.call(base_url=gateway.url + BASE)
        answered[response.status_code] += 1
        assert response.status_code in documented or response.status_code in DIFFERENCES, response.text
        assert response.headers["x-correlation-id"] == ["schemathesis"]
        checks = [not_a_server_error]
        if response.status_code in documented:
            checks += [content_type_conformance, response_schema_conformance]
        case.validate_response(response, checks=checks)

    call()
    assert answered
    if mode is GenerationMode.NEGATIVE:
        assert not {200, 201, 204} & answered.keys(), answered

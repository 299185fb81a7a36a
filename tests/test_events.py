"""What is printed of events, deliveries and what came of them: nothing of a patient."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from rich.pretty import pretty_repr

from gateway.applications import LOCAL
from gateway.delivery.channels.base import Notification, Outcome, Result
from gateway.delivery.channels.connection import Answer
from gateway.events import Attempt, Event, Original, Record, Verdict
from gateway.reader import Received
from gateway.store.base import Acceptance, Claimed
from tests.samples import delivery, event

PATIENT = "9990001006"
TOLD = Original(PATIENT.encode(), "application/fhir+xml", "nems-message")
EVENT: Event = msgspec.structs.replace(
    event(),
    subject=PATIENT,
    dataref=f"https://example.com/Patient/{PATIENT}",
    filtering={"nhsNumber": PATIENT},
    demographics={"nhsNumber": PATIENT},
    original=TOLD,
)
DELIVERY = delivery(EVENT, order_key=PATIENT)
ATTEMPT = Attempt(DELIVERY.id, 1, 0, 0, "failed", 500, "HTTP 500", answer=PATIENT)


@pytest.mark.parametrize(
    "one",
    [
        TOLD,
        EVENT,
        DELIVERY,
        ATTEMPT,
        Verdict(ATTEMPT, "pending"),
        Outcome(Result.FAILED, 500, "HTTP 500", answer=PATIENT),
        Notification(str(uuid.uuid4()), DELIVERY, EVENT, PATIENT.encode(), "application/fhir+json"),
        Received("nems", LOCAL, TOLD, {"id": PATIENT}),
        Acceptance(EVENT, [DELIVERY]),
        Claimed(DELIVERY, EVENT, 0),
        Answer(200, "", PATIENT.encode()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_nothing_of_a_patient_is_printed(one: msgspec.Struct) -> None:
    for printed in (str(one), repr(one), repr([one]), pretty_repr(one)):
        assert PATIENT not in printed
        assert type(one).__name__ in printed


def test_what_is_shown_is_there() -> None:
    for kind in Record.__subclasses__():
        assert set(kind.SHOWN) <= set(kind.__struct_fields__), kind

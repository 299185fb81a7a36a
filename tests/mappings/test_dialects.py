"""Messages in the spelling of 2018, and what is refused by name."""

from __future__ import annotations

import pytest

from gateway.errors import Refusal
from gateway.faces.nems.reading import message_event_type
from gateway.mapping.tools import cases
from tests.mappings.conftest import CONTEXT, Shipped

FORMER = {
    "PDS001": "pds-change-of-gp-1",
    "PDS002": "pds-change-of-address-1",
    "PDS003": "pds-birth-notification-1",
    "PDS004": "pds-death-notification-1",
}


@pytest.mark.rule("nems-of-2018")
@pytest.mark.parametrize(("code", "event_type"), FORMER.items())
def test_a_message_of_2018_is_found_its_module_by_its_former_code(shipped: Shipped, code: str, event_type: str) -> None:
    module = shipped.module("nems-message", "event", shipped.catalogue[event_type])
    message = cases.read(cases.file(module, "of-2018")).input
    assert message["entry"][0]["resource"]["event"]["code"] == code
    found = message_event_type(message, shipped.catalogue)
    assert found.id == event_type
    assert module.apply(message, CONTEXT)["type"] == event_type


# Failsafe alerts of 2018, events that were drafted and never released, and a name that only MNS uses.
@pytest.mark.rule("nems-never-released")
@pytest.mark.parametrize(
    "code",
    ["FM001", "FM002", "encounter-1", "allergies-and-adverse-reactions-1", "observations-1", "pds-change-of-gp-2"],
)
def test_an_event_that_nems_never_released_is_refused_by_its_code(shipped: Shipped, code: str) -> None:
    header = {"resourceType": "MessageHeader", "event": {"code": code}}
    with pytest.raises(Refusal) as caught:
        message_event_type(
            {"resourceType": "Bundle", "type": "message", "entry": [{"resource": header}]}, shipped.catalogue
        )
    assert [issue.reason for issue in caught.value.issues] == ["INVALID_CODE_VALUE"]

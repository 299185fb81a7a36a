"""The notifications that the Subscriptions R5 Backport guide shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import Refusal
from tests.mappings.conftest import CONTEXT, Shipped, errors, read_json

FOCUS = "https://example.org/fhir/Encounter/86009987-eabe-42bf-8c02-b112b18cb616"
EVENT = {
    "id": "5dacc867-c70b-5887-b87a-1ee3bf89bbf6",
    "source": "https://example.org/fhir",
    "type": "http://hl7.org/SubscriptionTopic/admission",
    "time": "2020-05-29T11:44:13.1882432-05:00",
}


@pytest.mark.parametrize("level", ["empty", "id-only", "full-resource", "multi-resource"])
def test_each_payload_level_tells_the_same_event(shipped: Shipped, examples: Path, level: str) -> None:
    bundle = read_json(examples / "backport-ig" / f"Bundle-r4-notification-{level}.json")
    assert errors(bundle, "R4") == []
    module = shipped.modules.find("r4-status", "event", "")
    assert module is not None
    assert module.apply(bundle, CONTEXT) == (EVENT if level == "empty" else {**EVENT, "dataref": FOCUS})


@pytest.mark.parametrize("kind", ["handshake", "heartbeat", "error"])
def test_what_tells_of_no_event_is_refused(shipped: Shipped, examples: Path, kind: str) -> None:
    bundle = read_json(examples / "backport-ig" / f"Bundle-r4-notification-{kind}.json")
    module = shipped.modules.find("r4-status", "event", "")
    assert module is not None
    with pytest.raises(Refusal) as caught:
        module.apply(bundle, CONTEXT)
    (issue,) = caught.value.issues
    assert issue.location.endswith(".where(name = 'type')")

"""The test signal: an event that the gateway itself publishes, for subscribers to try themselves against (MNS, "Test
event"), and the resource that it points to.
"""

from __future__ import annotations

import uuid
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.applications import GATEWAY
from gateway.catalogue import Catalogue
from gateway.clock import instant, now_ms
from gateway.events import CLOUDEVENT, JSON, Original
from gateway.faces.mns.answers import answer
from gateway.faces.mns.publish import read_event
from gateway.intake import EVER, Intake
from gateway.reader import Received

TYPE: Final = "mns-test-signal-1"
SOURCE: Final = "uk.nhs.multicast-notification-service"
SUBJECT: Final = "9912003888"
"""The number of nobody, which MNS has in its test event."""
PATH: Final = "/mns-mock-hydration/FHIRR4Response"
"""Where what it points to stands, under the base path of the face."""


class TestSignal:
    """Publishes the test signal every `seconds`, at full intervals of the clock, while somebody subscribes to it.

    Its id is made of its time, and an event of one id is kept once: however many nodes there are, there is one signal.
    """

    def __init__(self, intake: Intake, catalogue: Catalogue, face_url: str, seconds: float) -> None:
        self._intake, self._face_url, self._milliseconds = intake, face_url, round(seconds * 1000)
        self._event_type = catalogue.named(TYPE)
        self._last = 0

    async def publish(self) -> None:
        """Publish the signal that is due, unless it is out."""
        due = now_ms() // self._milliseconds * self._milliseconds
        if due == self._last or self._event_type is None:
            return
        body = msgspec.json.encode(self._event(due))
        received = Received("mns", GATEWAY, Original(body, CLOUDEVENT, "cloudevent"), read_event(body, CLOUDEVENT))
        event = self._intake.map_in(received, self._event_type, ())
        if self._intake.index.match(event):
            await self._intake.accept(event, self._event_type, repeat_seconds=EVER)
            self._last = due

    def _event(self, due_ms: int) -> dict[str, str]:
        return {
            "specversion": "1.0", "id": identity(due_ms), "source": SOURCE, "type": TYPE, "time": instant(due_ms),
            "subject": SUBJECT, "dataref": self._face_url + PATH,
        }  # fmt: skip


def identity(due_ms: int) -> str:
    """The id of the test signal that was due then."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{SOURCE}/{TYPE}/{due_ms}"))


async def hydration(_: Request) -> Response:
    """200 with what the test signal points to: the Patient that it is about, and nobody is."""
    number = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": SUBJECT}
    return answer({"resourceType": "Patient", "id": SUBJECT, "identifier": [number]}, media_type=JSON)

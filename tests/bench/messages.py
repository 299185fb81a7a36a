"""What the benchmark publishes: our own sample as JSON, and padded as XML, and a CloudEvent of MNS; every message with
an id of its own.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Literal

import msgspec

from gateway.demo import NEMS_HEADERS
from gateway.events import CLOUDEVENT, JSON, XML
from gateway.fhir.json import render_json
from gateway.fhir.tables import load
from gateway.fhir.xml import parse_xml
from gateway.resources import folder

Syntax = Literal["json", "xml", "cloudevent"]
EVENT = "pds-change-of-gp-1"
PUBLISH = "/STU3/Events/1/$process-message"
PUBLISH_MNS = "/multicast-notification-service/events"
XML_BYTES = 8400
_MEDIA_TYPES = {"json": JSON, "xml": XML}
_EVENT = {
    "specversion": "1.0",
    "source": "https://fhir.nhs.uk/Id/nhsSpineASID/200000000115",
    "type": "pds-change-of-gp-2",
    "time": "2026-11-02T09:15:00Z",
    "subject": "9990001006",
    "dataref": "https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/9990001006",
    "versionid": 'W/"16"',
    "filtering": {"generalpractitioner": "A20047"},
}
_HEADER_ID = re.compile(r'<MessageHeader>\s*<id value="([^"]+)"')


@dataclass(frozen=True)
class Message:
    """A body, with the id that is to be another in each message sent."""

    syntax: Syntax
    body: bytes
    own_id: bytes
    token: str = ""

    @property
    def path(self) -> str:
        """Where it is posted to."""
        return PUBLISH_MNS if self.syntax == "cloudevent" else PUBLISH

    @property
    def headers(self) -> dict[str, str]:
        """The headers with which a publisher of NEMS, or of MNS, posts it."""
        if self.syntax == "cloudevent":
            return {
                "Content-Type": CLOUDEVENT,
                "Authorization": f"Bearer {self.token}",
                "X-Correlation-ID": "11C46F5F-CDEF-4865-94B2-0EE0EDCC26DA",
            }
        return {
            **NEMS_HEADERS,
            "Content-Type": _MEDIA_TYPES[self.syntax],
            "InteractionID": f"urn:nhs:names:services:events:{EVENT}.Write",
        }

    def request(self) -> bytes:
        """The whole HTTP request, as it goes over the wire."""
        headers = {"Host": "127.0.0.1", **self.headers, "Content-Length": str(len(self.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body


def message(syntax: Syntax, token: str = "") -> Message:
    """The change-of-GP sample: as compact JSON, or as XML of some 8 KB, or as the CloudEvent that MNS takes from who has
    `token`.
    """
    if syntax == "cloudevent":
        own_id = b"236a1d4a-5d69-4fa9-9c7f-e72bf505aa5b"
        return Message(syntax, msgspec.json.encode(_EVENT | {"id": own_id.decode()}), own_id, token)
    text = (folder("config") / "demo" / f"{EVENT}.xml").read_text(encoding="utf-8")
    found = _HEADER_ID.search(text)
    assert found
    own_id = found[1].encode()
    if syntax == "xml":
        return Message("xml", _padded(text).encode(), own_id)
    tables = load("STU3")
    return Message("json", render_json(parse_xml(text.encode(), tables).resource), own_id)


def _padded(text: str) -> str:
    number = 0
    while len(text) < XML_BYTES:
        number += 1
        text = text.replace("</Bundle>", f"{_organization(number)}</Bundle>")
    return text


def _organization(number: int) -> str:
    identity = uuid.UUID(int=number, version=4)
    return f"""  <entry>
    <fullUrl value="urn:uuid:{identity}"/>
    <resource>
      <Organization>
        <id value="{identity}"/>
        <meta>
          <profile value="https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-Organization-1"/>
        </meta>
        <identifier>
          <system value="https://fhir.nhs.uk/Id/ods-organization-code"/>
          <value value="A2010{number}"/>
        </identifier>
        <name value="INVENTED SURGERY {number}"/>
      </Organization>
    </resource>
  </entry>
"""

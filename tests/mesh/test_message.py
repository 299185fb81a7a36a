from __future__ import annotations

import pytest

from mesh.message import OutgoingMessage, ReceivedMessage
from tests.mesh.conftest import Outgoing


def test_a_plain_message_has_no_fault(outgoing: Outgoing) -> None:
    assert outgoing(subject="Née Müller", file_name="a.xml", content_type="application/fhir+xml").fault() == ""


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"body": b""}, "the body is empty"),
        ({"recipient": ""}, "Mex-To is missing"),
        ({"workflow_id": ""}, "Mex-WorkflowID is missing"),
        ({"local_id": ""}, "Mex-LocalID is missing"),
        ({"local_id": "2026/11/21"}, "Mex-LocalID has a slash in it, so the message could not be looked up"),
        ({"recipient": "X" * 101}, "Mex-To is longer than 100 characters"),
        ({"workflow_id": "X" * 301}, "Mex-WorkflowID is longer than 300 characters"),
        ({"local_id": "X" * 301}, "Mex-LocalID is longer than 300 characters"),
        ({"subject": "X" * 501}, "Mex-Subject is longer than 500 characters"),
        ({"file_name": "X" * 301}, "Mex-FileName is longer than 300 characters"),
        ({"partner_id": "X" * 501}, "Mex-PartnerID is longer than 500 characters"),
        ({"content_type": "X" * 101}, "Content-Type is longer than 100 characters"),
        ({"subject": "birth \N{EN DASH} Leeds"}, "Mex-Subject has a character that a header cannot hold"),
        ({"subject": "birth\r\nMex-To: OTHER"}, "Mex-Subject has a character that a header cannot hold"),
        ({"subject": "birth\x7f!"}, "Mex-Subject has a character that a header cannot hold"),
        ({"subject": "birth\x85!"}, "Mex-Subject has a character that a header cannot hold"),
        ({"subject": " birth"}, "Mex-Subject begins or ends with a space"),
    ],
)
def test_what_mesh_would_refuse_is_a_fault(outgoing: Outgoing, changes: dict[str, object], fault: str) -> None:
    assert outgoing(**changes).fault() == fault


@pytest.mark.parametrize("name", ["subject", "file_name", "partner_id"])
def test_headers_as_long_as_mesh_allows_are_sent(outgoing: Outgoing, name: str) -> None:
    assert outgoing(**{name: "é" * 300}).fault() == ""


def test_repr_shows_nothing_about_a_patient() -> None:
    sent = OutgoingMessage("TRUST01", "WF", "id-1", b"canary", "canary", "canary", "application/xml", "canary")
    headers = {"Mex-Subject": "canary", "Mex-FileName": "canary", "Mex-StatusDescription": "canary"}
    assert "canary" not in repr(sent)
    assert "canary" not in repr(ReceivedMessage.read("M1", headers, b"canary"))


def test_headers_are_read_whatever_their_case() -> None:
    message = ReceivedMessage.read("M1", {"mEx-FROM": "A1", "MEX-LinkedMsgId": "M0", "content-TYPE": "text/x"}, b"")
    assert (message.sender, message.linked_message_id, message.content_type) == ("A1", "M0", "text/x")
    assert message.headers == {"mex-from": "A1", "mex-linkedmsgid": "M0", "content-type": "text/x"}


def test_the_content_type_of_the_whole_message_goes_before_that_of_its_first_chunk() -> None:
    headers = {"Content-Type": "application/octet-stream", "Mex-Content-Type": "application/fhir+xml"}
    assert ReceivedMessage.read("M1", headers, b"").content_type == "application/fhir+xml"

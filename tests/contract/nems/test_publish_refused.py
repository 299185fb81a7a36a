"""What a publisher is refused, with its code and its place, and nothing of it kept."""

from __future__ import annotations

import pytest

from tests.contract.nems.answers import outcome
from tests.harness import Gateway, interaction, message

BOMB = b"""<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><Bundle xmlns="http://hl7.org/fhir"><id value="&c;"/></Bundle>"""
MISSING = "HTTP Header is missing"
REFUSED = {
    "empty": (b"", {}, 400, "INVALID_REQUEST_MESSAGE", "the body is empty"),
    "not XML": (b"hello", {}, 400, "MESSAGE_NOT_WELL_FORMED", "line 1"),
    "half XML": (message()[:2000], {}, 400, "MESSAGE_NOT_WELL_FORMED", "line"),
    "JSON called XML": (b'{"resourceType": "Bundle"}', {}, 400, "MESSAGE_NOT_WELL_FORMED", "line 1"),
    "not JSON": (b"<Bundle/>", {"Content-Type": "application/fhir+json"}, 400, "MESSAGE_NOT_WELL_FORMED", ""),
    "DOCTYPE": (b"<!DOCTYPE Bundle>" + message().partition(b"?>\n")[2], {}, 400, "MESSAGE_NOT_WELL_FORMED", "DOCTYPE"),
    "entity bomb": (BOMB, {}, 400, "MESSAGE_NOT_WELL_FORMED", "DOCTYPE"),
    "4 MB": (b"<a>" + b" " * 4_000_000 + b"</a>", {}, 413, "INVALID_REQUEST_MESSAGE", "larger than 3145728 bytes"),
    "no namespace": (message().replace(b' xmlns="http://hl7.org/fhir"', b""), {}, 422, "INVALID_RESOURCE", ""),
    "media type": (message(), {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type"),
    "compressed": (message(), {"Content-Encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding"),
    "no fromASID": (message(), {"fromASID": ""}, 400, "MISSING_OR_INVALID_HEADER", f"fromASID {MISSING}"),
    "no toASID": (message(), {"toASID": ""}, 400, "MISSING_OR_INVALID_HEADER", f"toASID {MISSING}"),
    "no JWT": (message(), {"Authorization": ""}, 400, "MISSING_OR_INVALID_HEADER", f"Authorization {MISSING}"),
    "not a JWT": (message(), {"Authorization": "Bearer x"}, 400, "MISSING_OR_INVALID_HEADER", "Authorization"),
    "no InteractionID": (message(), {"InteractionID": ""}, 400, "MISSING_OR_INVALID_HEADER", f"InteractionID {MISSING}"),
    "short ASID": (message(), {"fromASID": "1234"}, 400, "MISSING_OR_INVALID_HEADER", "fromASID must be 12 digits"),
    "other InteractionID": (
        message(), interaction("vaccinations-1"), 400, "MISSING_OR_INVALID_HEADER", "does not match request",
    ),
    "InteractionID without a verb": (
        message(),
        {"InteractionID": "urn:nhs:names:services:events:pds-change-of-gp-1"},
        400,
        "MISSING_OR_INVALID_HEADER",
        "does not match request",
    ),
    "InteractionID of another version": (
        message(),
        interaction("pds-change-of-gp-99"),
        400,
        "MISSING_OR_INVALID_HEADER",
        "does not match request",
    ),
    "unknown event": (
        message(**{'code value="pds-change-of-gp-1"': 'code value="pds-chance-1"'}), {}, 400, "INVALID_CODE_VALUE",
        "Bundle.entry[0].resource.event.code",
    ),
    "another system's event": (
        message(**{'code value="pds-change-of-gp-1"': 'code value="pds-change-of-gp-2"'}), {}, 400, "INVALID_CODE_VALUE",
        "Bundle.entry[0].resource.event.code",
    ),
    "bad NHS number": (message(**{"9990001006": "9990001007"}), {}, 400, "INVALID_NHS_NUMBER", "RoutingDemographics"),
    "short NHS number": (message(**{"9990001006": "999000"}), {}, 400, "INVALID_NHS_NUMBER", "RoutingDemographics"),
    "no routing": (
        message(**{"Extension-RoutingDemographics-1": "Extension-Other-1"}), {}, 400, "INVALID_NHS_NUMBER", "RoutingDemographics",
    ),
    "no kind": (message(**{"Extension-MessageEventType-1": "Extension-Other-1"}), {}, 422, "INVALID_RESOURCE", ""),
    "not a message": (message(**{'type value="message"': 'type value="batch"'}), {}, 422, "INVALID_RESOURCE", "Bundle.type"),
    "not a Bundle": (b'<Patient xmlns="http://hl7.org/fhir"/>', {}, 422, "INVALID_RESOURCE", "Bundle"),
    "header not first": (
        b'<Bundle xmlns="http://hl7.org/fhir"><type value="message"/><entry><resource><Patient><active value="true"/>'
        b"</Patient></resource></entry></Bundle>", {}, 422, "INVALID_RESOURCE", "Bundle.entry[0].resource",
    ),
    "unknown element": (message(**{"<focus>": '<colour value="red"/><focus>'}), {}, 422, "INVALID_RESOURCE", "Bundle.entry[0]"),
    "bad date": (message(**{'sent value="2026-11-02': 'sent value="2026-02-30x'}), {}, 422, "INVALID_RESOURCE", ".sent"),
    "bad timestamp": (
        message(**{'timestamp value="2026-11-02T09:15:00+00:00"': 'timestamp value="2026-11-02"'}), {}, 422,
        "INVALID_RESOURCE", "Bundle.entry[0].resource.timestamp",
    ),
}  # fmt: skip


@pytest.mark.rule(
    "nems-nothing-kept",
    "nems-from-asid",
    "nems-to-asid",
    "nems-interaction-required",
    "nems-interaction-match",
    "nems-authorization-required",
    "nems-mime-unknown",
    "nems-well-formed",
    "nems-empty-body",
    "nems-size",
    "nems-message-bundle",
    "nems-header-first",
    "nems-event-unknown",
    "nems-message-event-type",
    "nems-routing",
    "nems-routing-number",
    "nems-error-texts",
)
@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_request_is_told_what_and_where_and_nothing_is_stored(gateway: Gateway, case: str) -> None:
    body, headers, status, code, says = REFUSED[case]
    before = len(gateway.events())
    told = outcome(gateway.publish(body, **headers), status, code)
    assert says in told
    for value in ("9990001006", "999000", "BRAMLEY", "red", "pds-chance"):
        assert value not in told
    assert len(gateway.events()) == before

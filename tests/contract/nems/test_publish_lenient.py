"""NEMS, "Generic event requirements": what a message may get wrong, since NEMS's own examples do, and what not."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.harness import Gateway, message

HEADER = "Bundle.entry[0].resource"
ROUTED_NAME = re.compile(r'<extension url="(?:name|birthDateTime)">.*?</extension>\s*(?=<ext|</ext)', re.DOTALL)
Change = Callable[[str], str]


def instead(old: str, new: str) -> Change:
    """A change of the first `old` in a message to `new`."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def without(start: str, end: str) -> Change:
    """A change that takes out everything from `start` to `end`."""

    def change(text: str) -> str:
        at = text.index(start)
        return text[:at] + text[text.index(end, at) + len(end) :]

    return change


def publish(gateway: Gateway, change: Change) -> tuple[int, list[str]]:
    """The status of publishing a changed sample, and the warnings kept with the newest event."""
    status = gateway.publish(change(message().decode()).encode()).status_code
    return status, list(gateway.events()[0].event.warnings)


def test_our_own_sample_is_right(gateway: Gateway) -> None:
    assert publish(gateway, str) == (202, [])


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        pytest.param(
            without("<lastUpdated", "/>"),
            f"{HEADER}.meta.lastUpdated: is required by NEMS",
            marks=pytest.mark.rule("nems-last-updated-absent"),
        ),
        pytest.param(
            without('<name value="Demonstration', "/>"),
            f"{HEADER}.source.name: is required by NEMS",
            marks=pytest.mark.rule("nems-source-absent"),
        ),
        pytest.param(
            lambda text: re.sub(r'(<MessageHeader>\s*<id value=")[^"]*', r"\1message-7", text),
            f"{HEADER}.id: must be a UUID",
            marks=pytest.mark.rule("nems-event-coding"),
        ),
        pytest.param(
            instead("STU3/CodeSystem/EventType-1", "STU3/CodeSystem/Others-1"),
            f"{HEADER}.event.system: must be https://fhir.nhs.uk/STU3/CodeSystem/EventType-1",
            marks=pytest.mark.rule("nems-event-coding"),
        ),
        pytest.param(
            lambda text: re.sub(r'(<code value="pds-change-of-gp-1"/>\s*)<display [^>]*>', r"\1", text),
            f"{HEADER}.event.display: is required by NEMS",
            marks=pytest.mark.rule("nems-event-coding"),
        ),
        pytest.param(
            without("<contact>", "</contact>"),
            f"{HEADER}.source.contact: is required by NEMS",
            marks=pytest.mark.rule("nems-source-absent"),
        ),
        pytest.param(
            instead("urn:uuid:d23f0824-128b-4f33-8c5c-7fd0a6a3a450", "d23f0824-128b-4f33-8c5c-7fd0a6a3a450"),
            f"{HEADER}.focus: refers to no entry",
            marks=pytest.mark.rule("nems-focus"),
        ),
        pytest.param(
            without("<focus>", "</focus>"),
            f"{HEADER}.focus: is required by NEMS",
            marks=pytest.mark.rule("nems-focus"),
        ),
        pytest.param(
            without("<responsible>", "</responsible>"),
            f"{HEADER}.responsible: is required by NEMS",
            marks=pytest.mark.rule("nems-focus"),
        ),
        pytest.param(
            instead('<fullUrl value="urn:uuid:9531985d', '<fullUrl value="9531985d'),
            "Bundle.entry[2].fullUrl: must be a URI",
            marks=pytest.mark.rule("nems-full-url"),
        ),
        pytest.param(
            instead('<fullUrl value="urn:uuid:9531985d', '<fullUrl value="urn:uuid:0531985d'),
            "Bundle.entry[1].resource.subject: refers to no entry",
            marks=pytest.mark.rule("nems-full-url"),
        ),
        pytest.param(
            instead("<source>", "<receiver><display value='x'/></receiver><source>"),
            f"{HEADER}.receiver: is not allowed by the profile",
            marks=pytest.mark.rule("nems-not-allowed"),
        ),
        pytest.param(
            instead("</focus>", "</focus><reason><text value='x'/></reason>"),
            f"{HEADER}.reason: is not allowed by the profile",
            marks=pytest.mark.rule("nems-not-allowed"),
        ),
        pytest.param(
            instead('<sent value="2026-11-02T09:15:00+00:00"/>', '<sent value="2026-11-02T09:15:00+58:00"/>'),
            "Bundle.entry[1].resource.sent: ",
            marks=pytest.mark.rule("nems-time-zone"),
        ),
        pytest.param(
            lambda text: instead('<status value="completed"/>', "")(
                text.replace("</payload>", '</payload><status value="completed"/>', 1)
            ),
            "is out of the order of the schema",
            marks=pytest.mark.rule("nems-element-order"),
        ),
    ],
)
def test_what_may_be_wrong_is_accepted_with_a_warning_that_is_kept(
    gateway: Gateway, change: Change, warning: str
) -> None:
    status, kept = publish(gateway, change)
    assert status == 202
    assert any(warning in text for text in kept), kept
    assert not any("d23f0824" in text or "9531985d" in text for text in kept)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            instead('code value="pds-change-of-gp-1"', 'code value="pds-change-of-gp-1\u200b"'),
            marks=pytest.mark.rule("nems-event-space"),
        ),
        pytest.param(
            instead('code value="pds-change-of-gp-1"', 'code value=" \u200bpds-change-of-gp-1 "'),
            marks=pytest.mark.rule("nems-event-space"),
        ),
        pytest.param(
            instead("http://hl7.org/fhir/STU3/StructureDefinition/Bundle", "https://hl7.org/fhir/STU3/StructureDefinition/Bundle"),
            marks=pytest.mark.rule("nems-profile-spelling"),
        ),
        pytest.param(
            instead("http://hl7.org/fhir/STU3/StructureDefinition/Bundle", "http://hl7.org/fhir/StructureDefinition/Bundle"),
            marks=pytest.mark.rule("nems-profile-spelling"),
        ),
        pytest.param(lambda text: ROUTED_NAME.sub("", text), marks=pytest.mark.rule("nems-routing-only-number")),
        pytest.param(
            # The one in the Patient, which comes after the one that is routed by.
            lambda text: "9990001014".join(text.rsplit("9990001006", 1)),
            marks=pytest.mark.rule("nems-routing-not-identifier"),
        ),
        pytest.param(
            # The last two entries change places.
            lambda text: re.sub(
                r"(<entry>(?:(?!<entry>).)*</entry>)\s*(<entry>(?:(?!<entry>).)*</entry>)\s*</Bundle>",
                r"\2\1</Bundle>", text, flags=re.DOTALL,
            ),
            marks=pytest.mark.rule("nems-entry-order"),
        ),
    ],
)  # fmt: skip
def test_what_is_not_wrong_at_all_is_accepted(gateway: Gateway, change: Change) -> None:
    text = message().decode()
    assert change(text) != text
    status, kept = publish(gateway, change)
    assert status == 202
    assert all(warning.endswith("is not a valid code") for warning in kept), kept


@pytest.mark.rule("nems-last-updated-absent")
def test_a_record_change_never_says_when_and_is_not_warned_of_it(gateway: Gateway) -> None:
    body = without("<lastUpdated", "/>")(message("pds-record-change-1").decode())
    assert gateway.publish(body.encode(), "pds-record-change-1").status_code == 202
    assert gateway.events()[0].event.warnings == ()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param(
            instead('timestamp value="2026-11-02T09:15:00+00:00"', 'timestamp value="2026-11-02T09:15:00"'),
            422,
            marks=pytest.mark.rule("nems-time-zone"),
        ),
        pytest.param(without('<code value="pds-change-of-gp-1"', "/>"), 422, marks=pytest.mark.rule("nems-event-code")),
        pytest.param(
            without('<extension url="nhsNumber">', "</valueIdentifier>\n          </extension>"),
            400,
            marks=pytest.mark.rule("nems-routing"),
        ),
    ],
)
def test_what_may_not_be_wrong_is_refused(gateway: Gateway, change: Change, status: int) -> None:
    before = len(gateway.events())
    assert gateway.publish(change(message().decode()).encode()).status_code == status
    assert len(gateway.events()) == before

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.events import Event
from gateway.reference import suppliers
from gateway.reference.data import Reference
from gateway.reference.packing import pack_suppliers, unpack_suppliers
from gateway.subscriptions.facts import EventFacts
from tests.samples import event

KEY = "generalpractitioner_manufacturer_org"


def test_the_first_two_columns_are_read(tmp_path: Path) -> None:
    file = tmp_path / "suppliers.csv"
    file.write_text("organisation,supplier,since\na20047, YGM04,2020\nB86056,YGA01\n\nC81001,\n")
    found = suppliers.read(file)
    assert found == {"A20047": "YGM04", "B86056": "YGA01"}
    assert unpack_suppliers(pack_suppliers(found)) == found


@pytest.mark.parametrize("text", ["", "organisation,supplier\n", "a b,c d\n", "PCD7,PCD8\nZZ993VZ,ZZ99 3VZ\n"])
def test_what_is_no_list_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "suppliers.csv"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="not a list of suppliers"):
        suppliers.read(file)


def facts(one: Event, known: dict[str, str] | None) -> EventFacts:
    return EventFacts(one, Reference(suppliers=known))


def test_an_enriched_filter_is_the_supplier_of_the_organisation() -> None:
    one = event(filtering={"generalpractitioner": "A20047"})
    assert facts(one, {"A20047": "YGM04"})(KEY) == ("YGM04",)


def test_what_the_publisher_says_counts_more() -> None:
    one = event(filtering={"generalpractitioner": "A20047", KEY: "OTHER"})
    assert facts(one, {"A20047": "YGM04"})(KEY) == ("OTHER",)


@pytest.mark.parametrize(
    ("filtering", "known", "why"),
    [
        ({}, {"A20047": "YGM04"}, "the event has no generalpractitioner"),
        ({"generalpractitioner": "A20047"}, None, "no suppliers are loaded"),
        ({"generalpractitioner": "A20047"}, {"B86056": "YGA01"}, "do not know generalpractitioner"),
    ],
)
def test_what_cannot_be_worked_out_is_not_known(
    filtering: dict[str, str], known: dict[str, str] | None, why: str
) -> None:
    found = facts(event(filtering=filtering), known)
    assert found(KEY) is None
    assert why in found.lack(KEY)

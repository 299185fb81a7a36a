"""fhir.resources reads the published messages as we do, apart from how it spells times and numbers."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir.tables import Tables
from gateway.fhir.xml import parse_xml

# It refuses the time zone +58:00.
UNREADABLE = {"nipe-outcome-1-update.xml"}


def normal(value: Any) -> Any:
    """Times as moments and numbers as floats, which is what fhir.resources makes of them."""
    if isinstance(value, dict):
        return {name: normal(item) for name, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, str) and "T" in value:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def test_the_examples_read_as_fhir_resources_reads_them(examples: Path, stu3: Tables) -> None:
    bundle = pytest.importorskip("fhir.resources.STU3.bundle").Bundle
    compared = 0
    for message in sorted((examples / "nems" / "events").glob("*.xml")):
        if message.name not in UNREADABLE:
            body = message.read_bytes()
            theirs = json.loads(bundle.model_validate_xml(body).model_dump_json(exclude_comments=True))
            assert normal(parse_xml(body, stu3).resource) == normal(theirs), message.name
            compared += 1
    assert compared == 24

"""Lexical forms."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.fhir.primitives import CHECKS, fault
from gateway.fhir.tables import Tables

RIGHT: dict[str, list[Any]] = {
    "base64Binary": ["QUJD", "QUI=", "QUJD QUJD\n"],
    "boolean": [True, False],
    "canonical": ["https://example.org/a|1.0"],
    "code": ["a", "a b", "pds-change-of-gp-1"],
    "date": ["2026", "2026-03", "2026-03-31"],
    "dateTime": ["2026", "2026-03", "2026-03-31", "2026-03-31T23:59:60.5Z", "2026-03-31T00:00:00-14:00"],
    "decimal": [Decimal("1.00"), 7, Decimal("-1E+5"), Decimal("0.0000001000")],
    "id": ["a", "A-1.b", "x" * 64],
    "instant": ["2026-03-31T23:59:59Z", "2026-03-31T23:59:59.123456789+01:00"],
    "integer": [0, -1, 2147483647, -2147483648],
    "markdown": ["*a*\n"],
    "oid": ["urn:oid:1.2.826.0.1", "urn:oid:2.16"],
    "positiveInt": [1, 2147483647],
    "string": ["a", " a ", "a\tb\r\nc", "é€😀"],
    "time": ["23:59:59", "00:00:00.5"],
    "unsignedInt": [0, 1],
    "uri": ["a", "urn:uuid:x", "https://example.org/?q=%20"],
    "url": ["https://example.org"],
    "uuid": ["urn:uuid:5f0c1d0e-6a0b-4b52-9a53-0c7a2f6d1e01"],
    "xhtml": ['<div xmlns="http://www.w3.org/1999/xhtml">a</div>'],
}
WRONG: dict[str, list[Any]] = {
    "base64Binary": ["QUJ", "*", " "],
    "boolean": ["true", 1, 0],
    "canonical": ["a b"],
    "code": ["a\n\nb", "a\x01"],
    "date": ["26", "2026-13", "2026-03-00", "2026-03-32", "2026-03-31T00:00:00Z", "0000", "\u0662026", "2026\n"],
    "dateTime": ["2026-03-31T24:00:00Z", "2026-03-31T23:59:59", "2026-03-31T23:59Z", "2026-03-31 23:59:59Z"],
    "decimal": [1.5, "1.5", True, Decimal("NaN"), Decimal("1E+100"), Decimal("1E-101")],
    "id": ["x" * 65, "a_b", "a b", "é"],
    "instant": ["2026-03-31", "2026-03-31T23:59:59", 1774998000],
    "integer": [2147483648, -2147483649, Decimal("1"), True, "1"],
    "markdown": [7],
    "oid": ["1.2", "urn:oid:3.1", "urn:oid:1.02"],
    "positiveInt": [0, -1],
    "string": [7, None, "a\x00", "a\x1b"],
    "time": ["24:00:00", "23:59", "23:59:59Z"],
    "unsignedInt": [-1],
    "uri": ["a b", "a\n", " "],
    "url": ["a b"],
    "uuid": ["5f0c1d0e-6a0b-4b52-9a53-0c7a2f6d1e01", "urn:uuid:5F0C1D0E-6A0B-4B52-9A53-0C7A2F6D1E01"],
    "xhtml": ["<div>a</div>", "a"],
}  # fmt: skip


def test_every_primitive_of_the_tables_has_a_check(stu3: Tables, r4: Tables) -> None:
    used = {field.type for tables in (stu3, r4) for name in tables.type_names for field in tables.fields(name).values()}
    assert {name for name in used if stu3.is_primitive(name) or r4.is_primitive(name)} == CHECKS.keys()
    assert RIGHT.keys() == WRONG.keys() == CHECKS.keys()


@pytest.mark.parametrize(("type_name", "value"), [(name, value) for name in RIGHT for value in RIGHT[name]])
def test_right_forms(type_name: str, value: Any) -> None:
    assert CHECKS[type_name](value)
    assert fault(type_name, value) is None


@pytest.mark.parametrize(("type_name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_wrong_forms(type_name: str, value: Any) -> None:
    found = fault(type_name, value)
    assert found is not None
    assert found[0]
    assert found[1] == "error"


@pytest.mark.parametrize("value", [" a", "a ", "\ta b\n"])
def test_white_space_round_a_code_is_a_warning(value: str) -> None:
    assert fault("code", value) == ("is not a valid code", "warning")


@pytest.mark.parametrize("type_name", sorted(CHECKS))
def test_no_form_takes_long_to_refuse(type_name: str) -> None:
    for unit in ("a ", " ", "QUJD ", "1.", "urn:oid:1.1", "9"):
        assert fault(type_name, unit * 20_000 + "\x00") is not None

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.nhs_number import is_nhs_number


@pytest.mark.parametrize("number", ["9990001006", "9990001014", "9434765919", "9912003888", "9990001081"])
def test_valid(number: str) -> None:
    assert is_nhs_number(number)


@pytest.mark.parametrize(
    "number",
    [
        "9990001007",
        "999000100",
        "99900010066",
        "999 000 1006",
        "",
        "abcdefghij",
        "٩٩٩٠٠٠١٠٠٦",
        None,
        9990001006,
        "6101231234",
    ],
)
def test_invalid(number: object) -> None:
    assert not is_nhs_number(number)


@given(st.integers(min_value=0, max_value=999_999_999))
def test_nine_digits_have_one_check_digit_or_none(stem: int) -> None:
    valid = [digit for digit in range(10) if is_nhs_number(f"{stem:09}{digit}")]
    weighted = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), f"{stem:09}", strict=True))
    expected = (11 - weighted % 11) % 11
    assert valid == ([] if expected == 10 else [expected])

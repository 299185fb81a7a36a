"""Narrative.div: what FHIR allows in it, and nothing that runs."""

from __future__ import annotations

import pytest

from gateway.fhir.narrative import fault

NAMESPACE = 'xmlns="http://www.w3.org/1999/xhtml"'


def div(inner: str) -> str:
    return f"<div {NAMESPACE}>{inner}</div>"


@pytest.mark.parametrize(
    "inner",
    [
        "text",
        '<p class="a" style="color:red">a<br/><b>b</b></p>',
        '<a href="https://example.org">a</a>',
        '<img src="#a" alt="x"/>',
        '<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>',
        "&#160;&lt;script&gt;",
    ],
)
def test_formatting_is_allowed(inner: str) -> None:
    assert fault(div(inner)) is None


@pytest.mark.parametrize(
    "inner",
    [
        "<script>x</script>",
        '<p onclick="x">a</p>',
        '<a href="javascript:x">a</a>',
        '<a href=" Java&#10;Script:x">a</a>',
        "<iframe/>",
        "<form/>",
        '<object data="x"/>',
        '<p xmlns="http://hl7.org/fhir"/>',
        "<style>x</style>",
        '<link rel="stylesheet" href="x"/>',
    ],
)
def test_what_may_run_or_load_is_not(inner: str) -> None:
    assert fault(div(inner)) == "holds XHTML that FHIR does not allow"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<div>no namespace</div>",
        f"<p {NAMESPACE}/>",
        f"<div {NAMESPACE}>",
        f"<div {NAMESPACE}/><div {NAMESPACE}/>",
        f'<!DOCTYPE div [<!ENTITY a "b">]><div {NAMESPACE}>&a;</div>',
        div("&nbsp;"),
        div("\x00"),
        div("\ud800"),
    ],
)
def test_what_is_not_one_div(text: str) -> None:
    assert fault(text) == "is not one well-formed XHTML div"

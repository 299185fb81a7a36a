from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.errors import Refusal
from gateway.faces.accept import answer_syntax, require_acceptable

XML, JSON = "application/fhir+xml", "application/fhir+json"


def request(query: str = "", accept: str | None = None) -> Request:
    headers = [] if accept is None else [(b"accept", accept.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "query_string": query.encode(), "headers": headers})


@pytest.mark.rule("nems-accept")
@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        (None, "xml"),
        ("", "xml"),
        ("*/*", "xml"),
        (JSON, "json"),
        ("APPLICATION/JSON+FHIR;charset=utf-8", "json"),
        (f"{XML}, {JSON}", "xml"),
        (f"{JSON}, {XML}", "json"),
        (f"{XML};q=0.8, {JSON};q=0.9", "json"),
        (f"{XML};q=0.8;x=1, {JSON}; Q=0.7", "xml"),
        (f"text/html,{XML};q=0.9,{JSON}", "json"),
        ("text/html, */*;q=0.1", "xml"),
        (f"*/*, {JSON};q=0.5", "xml"),
        (f"*/*, {XML};q=0", "json"),
        ("*/*, application/json", "json"),
        ("application/*;q=0.2, text/*;q=0.1", "xml"),
    ],
)
def test_the_answer_is_what_accept_prefers(accept: str | None, syntax: str) -> None:
    require_acceptable(request(accept=accept))
    assert answer_syntax(request(accept=accept), "xml") == syntax


@pytest.mark.rule("nems-format")
@pytest.mark.parametrize(
    ("query", "syntax"),
    [
        ("_format=application/fhir+json", "json"),
        ("_format=application%2Ffhir%2Bjson", "json"),
        ("_format=json&x=1", "json"),
        ("_format=xml", "xml"),
        ("_format=", "json"),
        ("format=xml", "json"),
    ],
)
def test_format_wins(query: str, syntax: str) -> None:
    require_acceptable(request(query, JSON))
    assert answer_syntax(request(query, JSON), "xml") == syntax


@pytest.mark.rule("nems-accept-unknown", "nems-format")
@pytest.mark.parametrize(
    ("query", "accept", "where"),
    [
        ("", "text/html", "Accept"),
        ("", f"{XML};q=0", "Accept"),
        ("", ",", "Accept"),
        ("_format=nonsense", XML, "_format"),
    ],
)
def test_what_we_do_not_have_is_refused_in_xml(query: str, accept: str, where: str) -> None:
    asked = request(query, accept)
    with pytest.raises(Refusal, match=f"UNSUPPORTED_MEDIA_TYPE at {where}"):
        require_acceptable(asked)
    assert answer_syntax(asked, "xml") == "xml"


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_any_accept_is_understood_or_refused(accept: str) -> None:
    try:
        require_acceptable(request(accept=accept))
    except Refusal:
        assert accept.strip()

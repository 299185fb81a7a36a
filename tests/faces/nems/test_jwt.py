"""Spine Core, "Cross organisation audit and provenance", and what live clients make of it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.faces.nems import jwt
from tests.harness import claims

ASID = "200000000115"
SCOPES = frozenset({"patient/Bundle.write"})
NESTED = base64.urlsafe_b64encode(b'{"x":' + b"[" * 40_000).rstrip(b"=").decode()
"""Deeper than a decoder goes, and within what a header may hold."""


def token(payload: object, header: object = None, signature: str = "") -> str:
    parts = ({"alg": "none", "typ": "JWT"} if header is None else header, payload)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return f"Bearer {encoded[0]}.{encoded[1]}.{signature}"


def payload(**changed: Any) -> dict[str, Any]:
    """The claims of a good token, as JSON; None takes one out."""
    made = json.loads(base64.urlsafe_b64decode(jwt.write(claims(ASID)).split(".")[1] + "=="))
    return {name: value for name, value in (made | changed).items() if value is not None}


def check(rules: jwt.Rules | None = None, **changed: Any) -> None:
    jwt.check(jwt.read(token(payload(**changed))), ASID, SCOPES, rules or jwt.Rules())


def refused(rules: jwt.Rules | None = None, **changed: Any) -> str:
    """What is said of a token that is refused, by its only issue."""
    with pytest.raises(Refusal) as caught:
        check(rules, **changed)
    (issue,) = caught.value.issues
    assert (issue.reason, issue.location) == ("MISSING_OR_INVALID_HEADER", "Authorization")
    return issue.text


@pytest.mark.rule("nems-jwt-unsigned")
def test_what_is_written_is_read() -> None:
    made = claims(ASID)
    assert jwt.read(f"Bearer {jwt.write(made)}") == made
    assert jwt.write(made).endswith(".")
    check()


@pytest.mark.rule("nems-jwt-unsigned")
@pytest.mark.parametrize(
    "header",
    [
        token(payload()).rstrip("."),
        token(payload(), signature="c2lnbmVk"),
        token(payload(), {"alg": "HS256"}),
        token(payload(), {}),
        token(payload()).removeprefix("Bearer "),
        "Bearer a.b.",
        "Bearer e30.e30e30.",
        token([]),
        token("text"),
        "Basic x",
        "Bearer é.é.",
        f"Bearer e30.{NESTED}.",
        f"Bearer {NESTED}.e30.",
    ],
)
def test_what_is_no_unsigned_jwt_is_refused(header: str) -> None:
    with pytest.raises(Refusal, match="MISSING_OR_INVALID_HEADER at Authorization"):
        jwt.read(header)


@pytest.mark.rule("nems-jwt-claims")
@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "iat", "exp", "reason_for_request", "scope", "requesting_system"]
)
def test_a_claim_that_is_missing_or_of_another_type_is_named(name: str) -> None:
    assert refused(**{name: None}) == (
        f"The mandatory claim {name} from the JWT associated with the Authorisation header is missing"
    )
    assert refused(**{name: {}}) == f"the {name} claim is of the wrong type"


@pytest.mark.rule("nems-jwt-claims")
def test_an_empty_audience_is_refused_in_spines_words() -> None:
    assert refused(aud="") == "Empty JWT aud claim"


@pytest.mark.rule("nems-jwt-aud")
@pytest.mark.parametrize(
    "aud",
    [
        "https://nems.example.nhs.uk/STU3/Subscription",
        "https://nems.example.nhs.uk",
        "https://clinicals.spineservices.nhs.uk",
        ["https://nems.example.nhs.uk"],
    ],
)
def test_any_audience_will_do(aud: object) -> None:
    check(aud=aud)


@pytest.mark.rule("nems-jwt-sub")
def test_the_subject_is_the_user_if_there_is_one_else_the_system() -> None:
    user = "https://fhir.nhs.uk/Id/sds-role-profile-id|555254240100"
    check(sub=user, requesting_user=user)
    assert "sub claim" in refused(sub=user)
    assert "sub claim" in refused(requesting_user=user)


@pytest.mark.rule("nems-jwt-system")
@pytest.mark.parametrize("system", [f"{jwt.SYSTEM}200000000116", ASID, f"{jwt.SYSTEM}{ASID}0"])
def test_the_system_is_the_asid_that_calls(system: str) -> None:
    assert "requesting_system" in refused(requesting_system=system, sub=system)


@pytest.mark.rule("nems-jwt-reason")
def test_the_reason_is_one_of_three() -> None:
    for reason in ("directcare", "secondaryuses", "patientaccess"):
        check(reason_for_request=reason)
    assert "'directcare,secondaryuses,patientaccess'" in refused(reason_for_request="curiosity")


@pytest.mark.rule("nems-jwt-scope-publish")
def test_one_of_the_scopes_is_the_one_needed() -> None:
    check(scope="patient/Subscription.write patient/Bundle.write")
    assert refused(scope="patient/Subscription.write") == "scope must be one of 'patient/Bundle.write'"
    assert "scope" in refused(scope="")


@pytest.mark.rule("nems-jwt-clock")
def test_a_token_that_has_expired_or_is_of_the_future_is_refused_within_a_leeway() -> None:
    now = int(time.time())
    check(iat=now - 590, exp=now - 240)
    assert "has expired" in refused(iat=now - 700, exp=now - 310)
    check(iat=now + 290, exp=now + 590)
    assert "in the future" in refused(iat=now + 400, exp=now + 700)
    assert "later than the iat" in refused(iat=now, exp=now)
    assert "in the future" in refused(iat=now * 1000, exp=now * 1000 + 300_000)
    strict = jwt.Rules(leeway_seconds=0)
    assert "has expired" in refused(strict, iat=now - 320, exp=now - 20)


@pytest.mark.rule("nems-jwt-clock")
def test_the_clock_may_be_left_alone() -> None:
    check(jwt.Rules(check_clock=False), iat=1, exp=0)


@pytest.mark.rule("nems-jwt-lifetime")
def test_a_token_may_live_for_an_hour() -> None:
    now = int(time.time())
    check(iat=now, exp=now + 3600)


@pytest.mark.rule("nems-jwt-organization")
@pytest.mark.parametrize("spelling", ["requesting_organization", "requesting_organisation"])
def test_the_organisation_is_read_in_both_spellings(spelling: str) -> None:
    found = jwt.read(token(payload(**{spelling: f"{jwt.ORGANIZATION}A20047"})))
    assert found.organization == "A20047"
    assert jwt.read(token(payload())).organization == ""


def test_no_value_of_a_claim_is_repeated() -> None:
    for name in payload():
        if name not in {"iat", "exp"}:
            try:
                check(**{name: "9990001006"})
            except Refusal as refusal:
                assert "9990001006" not in f"{refusal} {refusal.issues}"
    with pytest.raises(Refusal) as caught:
        jwt.read(token(payload(iat="9990001006")))
    assert "9990001006" not in str(caught.value.issues)


@given(
    st.text(),
    st.recursive(st.none() | st.booleans() | st.text() | st.floats(), lambda inner: st.dictionaries(st.text(), inner)),
)
def test_any_token_is_read_or_refused(text: str, value: object) -> None:
    for header in (text, f"Bearer {text}", token(value), token(payload(), value), token(payload(iss=value))):
        try:
            jwt.read(header)
        except Refusal as refusal:
            assert refusal.issues[0].reason == "MISSING_OR_INVALID_HEADER"

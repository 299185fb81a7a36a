"""Access tokens: signed JWT authentication as on the NHS API platform (RFC 6749, RFC 7523)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faces.oauth.people import assertion, form, key_set
from tests.harness import Gateway

APPLICATIONS = """
applications:
  - id: surgery
    name: Surgery
    jwks_file: {folder}/surgery.json
  - id: keyless
    name: Without keys
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in closed mode that knows the surgery's keys 1 and 2."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "surgery.json").write_bytes(key_set("1", "2"))
    with closed(folder) as running:
        yield running
    assert '"outcome":"failed"' not in running.log.read_text()


def closed(folder: Path) -> Gateway:
    declared = folder / "applications.yaml"
    declared.write_text(APPLICATIONS.format(folder=folder))
    return Gateway(folder, GATEWAY_SECURITY__MODE="closed", GATEWAY_APPLICATIONS=str(declared))


def ask(gateway: Gateway, **changed: Any) -> httpx.Response:
    """Ask for a token with an assertion that has these claims."""
    return gateway.http.post("/oauth2/token", data=form(signed(gateway, **changed)))


def signed(gateway: Gateway, **changed: Any) -> str:
    return assertion(**{"audience": f"{gateway.url}/oauth2/token", **changed})


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["error_description"]
    return answer.status_code, answer.json()["error"]


def test_a_signed_assertion_gets_a_token_for_ten_minutes(gateway: Gateway) -> None:
    answer = ask(gateway)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", "599")
    assert told["access_token"].isascii()


def test_two_keys_are_good_at_once(gateway: Gateway) -> None:
    assert [ask(gateway, kid=kid).status_code for kid in ("1", "2")] == [200, 200]
    assert refusal(ask(gateway, kid="3")) == (401, "invalid_client")


def test_an_assertion_is_good_once_even_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "surgery.json").write_bytes(key_set("1"))
    with closed(tmp_path) as gateway:
        one = signed(gateway)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: httpx.post(f"{gateway.url}/oauth2/token", data=form(one)), range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
        gateway.stop()
        gateway.start()
        assert refusal(gateway.http.post("/oauth2/token", data=form(one))) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"application": "nobody"}, 401, "invalid_client"),
        ({"application": "keyless"}, 401, "invalid_client"),
        ({"sub": "keyless"}, 400, "invalid_request"),
        ({"iss": None}, 400, "invalid_request"),
        ({"sub": ["surgery"]}, 400, "invalid_request"),
        ({"aud": "https://elsewhere.example/oauth2/token"}, 400, "invalid_request"),
        ({"aud": None}, 400, "invalid_request"),
        ({"exp": int(time.time()) - 60}, 400, "invalid_request"),
        ({"exp": int(time.time()) + 3600}, 400, "invalid_request"),
        ({"exp": None}, 400, "invalid_request"),
        ({"exp": "soon"}, 400, "invalid_request"),
        ({"exp": str(int(time.time()) + 60)}, 400, "invalid_request"),
        ({"exp": float("inf")}, 400, "invalid_request"),
        ({"jti": None}, 400, "invalid_request"),
        ({"jti": ""}, 400, "invalid_request"),
        ({"jti": "x" * 201}, 400, "invalid_request"),
        ({"nbf": int(time.time()) + 3600}, 400, "invalid_request"),
        ({"alg": "RS256"}, 400, "invalid_request"),
    ],
)
def test_an_assertion_that_proves_nothing_is_refused(
    gateway: Gateway, changed: dict[str, Any], status: int, error: str
) -> None:
    assert refusal(ask(gateway, **changed)) == (status, error)


def test_an_assertion_of_the_future_is_told_so(gateway: Gateway) -> None:
    answer = ask(gateway, nbf=int(time.time()) + 3600)
    assert "'nbf'" in answer.json()["error_description"]


def test_a_signature_of_another_key_is_refused(gateway: Gateway) -> None:
    head, claims, _ = signed(gateway, kid="1").split(".")
    other = signed(gateway, kid="2").split(".")[2]
    assert refusal(gateway.http.post("/oauth2/token", data=form(f"{head}.{claims}.{other}"))) == (401, "invalid_client")


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "é.é.é"])
def test_what_is_no_assertion_is_refused(gateway: Gateway, text: str) -> None:
    assert refusal(gateway.http.post("/oauth2/token", data=form(text))) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changed", "error"),
    [({"grant_type": "password"}, "unsupported_grant_type"), ({"client_assertion_type": "x"}, "invalid_request")],
)
def test_another_grant_is_refused(gateway: Gateway, changed: dict[str, str], error: str) -> None:
    sent = form(signed(gateway), **changed)
    assert refusal(gateway.http.post("/oauth2/token", data=sent)) == (400, error)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"grant_type=client_credentials&grant_type=password", "application/x-www-form-urlencoded"),
        (b"\xff=1", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % number for number in range(99)), "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * 20_000, "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_form_is_refused(gateway: Gateway, body: bytes, media_type: str) -> None:
    answer = gateway.http.post("/oauth2/token", content=body, headers={"Content-Type": media_type})
    assert refusal(answer) == (400, "invalid_request")


def test_the_log_tells_of_tokens_without_showing_them(gateway: Gateway) -> None:
    token = ask(gateway).json()["access_token"]
    log = gateway.log.read_text()
    assert '"outcome":"issued","application":"surgery"' in log
    assert token not in log

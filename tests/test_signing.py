"""Signatures, with the package of Standard Webhooks as the second opinion."""

from __future__ import annotations

from datetime import UTC, datetime

from standardwebhooks import Webhook, WebhookVerificationError

from gateway.clock import now_ms
from gateway.signing import new_secret, rotated, sign

BODY = b'{"resourceType": "Bundle"}'


def verified(secret: str, headers: dict[str, str], body: bytes = BODY) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_a_receiver_that_knows_the_secret_can_verify_and_no_other() -> None:
    secret = new_secret()
    headers = sign([secret], "msg-1", now_ms(), BODY)
    assert verified(secret.text, headers)
    assert not verified(new_secret().text, headers)
    assert not verified(secret.text, headers, BODY + b" ")
    assert not verified(secret.text, headers | {"webhook-id": "msg-2"})


def test_the_same_as_the_package_signs() -> None:
    secret = new_secret()
    headers = sign([secret], "msg-1", 1_793_610_900_000, BODY)
    assert headers["webhook-timestamp"] == "1793610900"
    expected = Webhook(secret.text).sign("msg-1", datetime.fromtimestamp(1_793_610_900, UTC), BODY.decode())
    assert headers["webhook-signature"] == expected


def test_an_old_request_is_not_taken() -> None:
    secret = new_secret()
    assert not verified(secret.text, sign([secret], "msg-1", now_ms() - 3_600_000, BODY))


def test_while_a_secret_is_rotated_both_sign_and_afterwards_the_new_one_alone() -> None:
    old = new_secret()
    both = rotated([old], now_ms=1_000, until_ms=now_ms() + 60_000)
    during = sign(both, "msg-1", now_ms(), BODY)
    assert verified(old.text, during)
    assert verified(both[0].text, during)
    after = sign(both, "msg-1", now_ms() + 120_000, BODY)
    assert len(after["webhook-signature"].split(" ")) == 1
    assert len(rotated(both, now_ms() + 120_000, 0)) == 2, "what is past is dropped"


def test_without_a_secret_a_request_is_not_signed() -> None:
    assert "webhook-signature" not in sign([], "msg-1", now_ms(), BODY)

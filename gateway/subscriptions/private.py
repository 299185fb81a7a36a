"""What a subscription's owner gave us in confidence, as the one text that the store has of it."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from gateway.sealing import Sealer
from gateway.signing import Secret
from gateway.subscriptions.subscription import Subscription

NOTHING = "{}"


class _Private(msgspec.Struct, omit_defaults=True):
    headers: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Secret, ...] = ()


def packed(one: Subscription, sealer: Sealer) -> str:
    """The headers and secrets of `one`, sealed."""
    text = msgspec.json.encode(_Private(one.headers, one.secrets)).decode()
    return NOTHING if text == NOTHING else sealer.seal(text)


def unpacked(one: Subscription, sealer: Sealer) -> Subscription:
    """`one` as the store has it, with its headers and secrets.

    Raises:
        ConfigurationError: they are sealed with a key that is not set.
    """
    if one.private == NOTHING:
        return one
    private = msgspec.json.decode(sealer.open(one.private), type=_Private)
    return replace(one, headers=private.headers, secrets=private.secrets)

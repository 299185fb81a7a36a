"""Applications with keys of their own, for tests: what they sign, and the key sets that they publish."""

from __future__ import annotations

import json
import time
import uuid
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.faces.oauth.endpoint import ASSERTION_TYPE


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """The key of that name, made when it is first asked for."""
    return rsa.generate_private_key(65537, 2048)


def jwk(name: str) -> dict[str, Any]:
    """The public half of a key."""
    return json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key(name).public_key())) | {"kid": name, "use": "sig"}


def key_set(*names: str) -> bytes:
    """The document that an application publishes."""
    return json.dumps({"keys": [jwk(name) for name in names or ("1",)]}).encode()


def assertion(audience: str, application: str = "surgery", kid: str = "1", alg: str = "RS512", **claims: Any) -> str:
    """An assertion of `application` signed with its key `kid`; claims that are None are left out."""
    whole = {
        "iss": application, "sub": application, "aud": audience, "jti": str(uuid.uuid4()),
        "exp": int(time.time()) + 300, **claims,
    }  # fmt: skip
    present = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(present, key(kid), alg, headers={"kid": kid})


def form(signed: str, **changed: str) -> dict[str, str]:
    """What the token endpoint is sent."""
    return {
        "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed,
        **changed,
    }  # fmt: skip

"""The client assertion: a JWT by which an application proves who it is (RFC 7523, section 3; NHS API platform,
"Application-restricted RESTful APIs - signed JWT authentication").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import jwt

from gateway.applications import Application, Applications
from gateway.errors import GatewayError
from gateway.faces.oauth.keys import KeySets
from gateway.store.base import Identity

ALGORITHM: Final = "RS512"
LONGEST_SECONDS: Final = 300
"""An assertion may be good for five minutes at most."""
LEEWAY_SECONDS: Final = 10
_TYPE: Final = "client_assertion JWT"


class AssertionRefused(GatewayError):
    """The assertion proves nothing; `error` is the code of RFC 6749, section 5.2."""

    def __init__(self, text: str, error: str = "invalid_request") -> None:
        self.error = error
        super().__init__(text)


class Assertions:
    """Checks assertions that are meant for any of `audiences`, each of which is good once."""

    def __init__(self, applications: Applications, keys: KeySets, identity: Identity, audiences: Sequence[str]) -> None:
        self._applications, self._keys, self._identity = applications, keys, identity
        self._audiences = tuple(audiences)

    async def application(self, assertion: str, now_ms: int) -> Application:
        """The application that signed `assertion`.

        Raises:
            AssertionRefused: it is malformed, of nobody, not signed with a key of theirs, too old or too long-lived, or
                was used before.
            Unavailable: the store cannot remember it.
        """
        header, claims = _unverified(assertion)
        application = self._claimed(claims)
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise AssertionRefused(f"Missing 'kid' header in {_TYPE}")
        key = await self._keys.find(application, kid)
        if key is None:
            raise AssertionRefused(f"Invalid 'kid' header in {_TYPE} - no matching public key", "invalid_client")
        self._verify(assertion, key)
        await self._use(application, claims, now_ms)
        return application

    def _claimed(self, claims: dict[str, Any]) -> Application:
        issuer, subject = claims.get("iss"), claims.get("sub")
        if not isinstance(issuer, str) or issuer != subject:
            raise AssertionRefused(f"Missing or non-matching 'iss'/'sub' claims in {_TYPE}")
        application = self._applications.with_id(issuer)
        if application is None or not (application.jwks_url or application.jwks_file):
            raise AssertionRefused(f"Invalid 'iss'/'sub' claims in {_TYPE}", "invalid_client")
        return application

    def _verify(self, assertion: str, key: jwt.PyJWK) -> None:
        try:
            jwt.decode(
                assertion,
                key,
                algorithms=[ALGORITHM],
                audience=self._audiences,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "aud", "jti"], "verify_iat": False},
            )
        except jwt.InvalidSignatureError:
            raise AssertionRefused("JWT signature verification failed", "invalid_client") from None
        except jwt.InvalidAlgorithmError:
            raise AssertionRefused(f"Invalid 'alg' header in {_TYPE} - must be {ALGORITHM}") from None
        except jwt.MissingRequiredClaimError as error:
            raise AssertionRefused(f"Missing '{error.claim}' claim in {_TYPE}") from None
        except jwt.InvalidAudienceError:
            raise AssertionRefused(f"Missing or invalid 'aud' claim in {_TYPE}") from None
        except jwt.ExpiredSignatureError:
            raise AssertionRefused(f"Invalid 'exp' claim in {_TYPE} - JWT has expired") from None
        except jwt.ImmatureSignatureError:
            raise AssertionRefused(f"Invalid 'nbf' claim in {_TYPE} - JWT is not valid yet") from None
        except (jwt.PyJWTError, OverflowError):
            raise AssertionRefused(f"Malformed {_TYPE}") from None

    async def _use(self, application: Application, claims: dict[str, Any], now_ms: int) -> None:
        expiry, jti = claims["exp"], claims["jti"]
        if not isinstance(expiry, int | float):
            raise AssertionRefused(f"Invalid 'exp' claim in {_TYPE} - not a number")
        if expiry > now_ms / 1000 + LONGEST_SECONDS + LEEWAY_SECONDS:
            raise AssertionRefused(f"Invalid 'exp' claim in {_TYPE} - more than 5 minutes in future")
        if not isinstance(jti, str) or not 0 < len(jti) <= 200:
            raise AssertionRefused(f"Invalid 'jti' claim in {_TYPE}")
        until_ms = round((expiry + LEEWAY_SECONDS) * 1000) + 1000
        if not await self._identity.use_once(f"jti {application.id} {jti}", until_ms, now_ms):
            raise AssertionRefused(f"Non-unique 'jti' claim in {_TYPE}")


def _unverified(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims, of which nothing is proven."""
    try:
        whole = jwt.decode_complete(assertion, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise AssertionRefused(f"Malformed {_TYPE}") from None
    return whole["header"], whole["payload"]

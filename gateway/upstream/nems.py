"""The gateway as a subscriber of a NEMS; what its subscriptions bring comes to the gateway's own mailbox."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from gateway.errors import ConfigurationError, UpstreamError
from gateway.faces.nems import jwt
from gateway.settings import NemsUpstream as Settings
from gateway.upstream.outcome import told

XML = "application/fhir+xml;charset=utf-8"
JWT_SECONDS = 300
"""NEMS wants a JWT to be good for five minutes (Spine Core, "Cross organisation audit and provenance")."""
_PROFILE = "https://fhir.nhs.uk/STU3/StructureDefinition/EMS-Subscription-1"
_DIRECTORY = "https://directory.spineservices.nhs.uk/STU3/Organization/"
_ANSWER_BYTES = 1_000_000
_HINTS = {
    401: "are the ASIDs of [nems.upstream] those that NEMS knows?",
    403: "is nems.upstream.from_asid registered for this event and kind of subscription, and the certificate for it?",
    404: "is the id one of nems.upstream.from_asid's?",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What NEMS answered: the id of a new subscription or the one that was read; `said` is what it had to tell."""

    id: str
    body: bytes
    said: str


class Nems:
    """A NEMS, called as one of its subscribers.

    Raises:
        ConfigurationError: the files for TLS are wrong.
        UpstreamError: NEMS refuses, or cannot be reached.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = f"{settings.url.rstrip('/')}/STU3/Subscription"
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=_tls(settings)), _NoRedirects()
        )  # fmt: skip

    def subscribe(self, criteria: str, mailbox: str, *, reason: str, end: str = "") -> Answer:
        """Make a subscription that delivers to `mailbox`; `end` is a FHIR instant, "" for never."""
        body = _resource(criteria, mailbox, self._settings.ods_code, reason, end)
        answer, location = self._call("POST", self._base, body)
        identity = location.rpartition("STU3/Subscription/")[2].partition("/")[0] if location else ""
        if not identity:
            raise UpstreamError("NEMS answered without the id of the subscription: look for it before you try again")
        return Answer(identity, answer, told(answer))

    def read(self, subscription_id: str) -> Answer:
        """The subscription as NEMS has it."""
        body, _ = self._call("GET", self._place(subscription_id))
        return Answer(subscription_id, body, "")

    def delete(self, subscription_id: str) -> Answer:
        """End a subscription."""
        body, _ = self._call("DELETE", self._place(subscription_id))
        return Answer(subscription_id, body, told(body))

    def _place(self, subscription_id: str) -> str:
        return f"{self._base}/{quote(subscription_id, safe='')}"

    def _call(self, method: str, url: str, body: bytes | None = None) -> tuple[bytes, str]:
        """The body of a good answer, and where it says that the new resource is."""
        request = urllib.request.Request(url, body, self._headers(method), method=method)  # noqa: S310  # from settings
        try:
            with self._opener.open(request, timeout=self._settings.seconds) as answer:
                return answer.read(_ANSWER_BYTES), answer.headers.get("Location", "")
        except urllib.error.HTTPError as error:
            with error:
                raise UpstreamError(_refusal(error.code, error.read(_ANSWER_BYTES))) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise UpstreamError(_unreachable(self._settings, error)) from None

    def _headers(self, method: str) -> dict[str, str]:
        settings = self._settings
        return {
            "InteractionID": f"urn:nhs:names:services:clinicals-sync:SubscriptionsApi{method.capitalize()}",
            "fromASID": settings.from_asid,
            "toASID": settings.to_asid,
            "Authorization": f"Bearer {_jwt(settings, self._base, method)}",
            "Accept": XML,
            **({"Content-Type": XML} if method == "POST" else {}),
        }


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another place was not configured."""

    def redirect_request(self, *_: object) -> None:
        return None


def _jwt(settings: Settings, audience: str, method: str) -> str:
    system = f"{jwt.SYSTEM}{settings.from_asid}"
    user = settings.requesting_user and f"https://fhir.nhs.uk/Id/sds-role-profile-id|{settings.requesting_user}"
    now = int(time.time())
    return jwt.write(
        jwt.Claims(
            iss=settings.issuer,
            sub=user or system,
            aud=audience,
            iat=now,
            exp=now + JWT_SECONDS,
            reason_for_request=settings.reason_for_request,
            scope=f"patient/Subscription.{'read' if method == 'GET' else 'write'}",
            requesting_system=system,
            requesting_organization=f"{jwt.ORGANIZATION}{settings.ods_code}",
            requesting_user=user,
        )
    )


def _resource(criteria: str, mailbox: str, ods_code: str, reason: str, end: str) -> bytes:
    """The Subscription, its elements in the order of FHIR (NEMS, "Create subscription")."""
    ending = f"<end value={quoteattr(end)}/>" if end else ""
    return f"""<Subscription xmlns="http://hl7.org/fhir"><meta><profile value="{_PROFILE}"/></meta>\
<status value="requested"/>\
<contact><system value="url"/><value value={quoteattr(_DIRECTORY + ods_code)}/><use value="work"/></contact>\
{ending}<reason value={quoteattr(reason)}/><criteria value={quoteattr(criteria)}/>\
<channel><type value="message"/><endpoint value={quoteattr(mailbox)}/></channel></Subscription>""".encode()


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file, password="")  # or it would ask for one
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"nems.upstream.cert_file, key_file or ca_file: {error}") from None
    return context


def _refusal(status: int, body: bytes) -> str:
    words = told(body) or "without an OperationOutcome"
    hint = _HINTS.get(status, "")
    return f"NEMS refuses: HTTP {status}, {words}" + (f" ({hint})" if hint else "")


def _unreachable(settings: Settings, error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    words = " ".join(str(cause).split())  # what answers may be anything
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"NEMS at {settings.url} is not trusted: {cause.verify_message}; see nems.upstream.ca_file"
    if isinstance(cause, ssl.SSLError) or (settings.cert_file and isinstance(cause, ConnectionResetError)):
        return f"NEMS at {settings.url} ends the TLS handshake ({words}): is nems.upstream.cert_file the one it knows?"
    if isinstance(cause, TimeoutError):
        return f"NEMS at {settings.url} does not answer within {settings.seconds:g} s; see nems.upstream.url"
    return f"NEMS at {settings.url} cannot be reached ({words}); see nems.upstream.url"

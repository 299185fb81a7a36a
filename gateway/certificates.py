"""Client certificates, and the names that the applications file knows them by."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from cryptography import x509

_FINGERPRINT = re.compile(r"sha256:(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)


@lru_cache(1024)
def names(der: bytes) -> frozenset[str]:
    """The names of a certificate (DER): `sha256:` and its fingerprint, and its subject by RFC 4514.

    Raises:
        ValueError: it is not a certificate.
    """
    subject = x509.load_der_x509_certificate(der).subject.rfc4514_string()
    return frozenset({f"sha256:{hashlib.sha256(der).hexdigest()}", subject})


def normal(name: str) -> str:
    """A name of a certificate in the spelling of `names`.

    Raises:
        ValueError: it is neither `sha256:` and 64 hexadecimal digits nor a subject.
    """
    text = name.strip()
    if _FINGERPRINT.fullmatch(text):
        return "sha256:" + text[len("sha256:") :].replace(":", "").lower()
    try:
        subject = x509.Name.from_rfc4514_string(text).rfc4514_string()
    except ValueError:
        subject = ""
    if not subject:
        raise ValueError("a certificate is sha256: and its fingerprint, or a subject such as CN=gp.example.nhs.uk")
    return subject

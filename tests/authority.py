"""A certificate authority of our own, for tests of TLS."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)
# From Python 3.13 on certificates are held to RFC 5280: an authority says what its key is for, and each whose it is.
_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM files."""

    certificate: x509.Certificate
    cert_file: Path
    key_file: Path

    @property
    def fingerprint(self) -> str:
        """As `openssl x509 -fingerprint -sha256` writes it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.cert_file.read_text()


class Authority:
    """Issues certificates, with their files under `folder`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(name)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._subject, self._key).add_extension(constraints, critical=True)
        builder = builder.add_extension(_SIGNS, critical=True)
        self.root = self._write(name, builder.sign(self._key, hashes.SHA256()), self._key)

    def issue(self, common_name: str, *, host: str = "127.0.0.1", expired: bool = False) -> Issued:
        """A certificate for `common_name`, to be shown at `host`, an address or a name."""
        key = ec.generate_private_key(ec.SECP256R1())
        with_host = x509.SubjectAlternativeName([_host(host)])
        builder = self._builder(_name(common_name), key, expired=expired).add_extension(with_host, critical=False)
        return self._write(common_name, builder.sign(self._key, hashes.SHA256()), key)

    def client(self, shown: Issued | None = None) -> ssl.SSLContext:
        """How a client that trusts this authority connects, showing a certificate or none."""
        context = ssl.create_default_context(cafile=str(self.root.cert_file))
        if shown:
            context.load_cert_chain(shown.cert_file, shown.key_file)
        return context

    def server(self, *, ask: bool = False) -> ssl.SSLContext:
        """How a server at localhost takes connections; with `ask` only from clients that this authority vouches for."""
        own = self.issue("localhost", host="localhost")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.root.cert_file)
        context.load_cert_chain(own.cert_file, own.key_file)
        context.verify_mode = ssl.CERT_REQUIRED if ask else ssl.CERT_NONE
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool = False
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(now - _DAY if expired else now + _DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
        cert_file, key_file = (self._folder / f"{self._name}-{name}.{ending}" for ending in ("crt", "key"))
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Issued(certificate, cert_file, key_file)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)

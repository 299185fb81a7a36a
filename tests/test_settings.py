from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway import settings
from gateway.errors import ConfigurationError
from gateway.resources import folder

DEFAULTS = folder("config") / "default.toml"
MESH = {"URL": "http://127.0.0.1:8700", "MAILBOX": "GATEWAY01", "PASSWORD": "word", "SHARED_KEY": "key"}


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """The settings come from the environment of the process: each test has one of its own."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(settings.PREFIX):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


def load(file: Path | None = None, **variables: str) -> settings.Settings:
    os.environ.update({f"{settings.PREFIX}{name}": value for name, value in variables.items()})
    return settings.load(file)


def load_with_mesh(**changed: str) -> settings.Settings:
    return load(**{f"MESH__{name}": value for name, value in (MESH | changed).items()})


def test_the_manual_and_the_model_agree() -> None:
    def names(model: type[BaseModel]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, field in model.model_fields.items():
            inner = field.annotation
            nested = isinstance(inner, type) and issubclass(inner, BaseModel)
            found[name] = names(inner) if nested else None
        return found

    def keys(table: dict[str, object]) -> dict[str, object]:
        return {name: keys(value) if value and isinstance(value, dict) else None for name, value in table.items()}

    assert names(settings.Settings) == keys(tomllib.loads(DEFAULTS.read_text()))


def test_the_manual_explains_every_setting() -> None:
    lines = DEFAULTS.read_text().splitlines()
    explained = False
    for line in lines:
        if re.match(r"\w+ = ", line):
            assert explained, f"no comment above: {line}"
        elif line.startswith("["):
            explained = False
        explained = explained or line.startswith("#")


def test_defaults_are_safe() -> None:
    found = load()
    assert found.http.host == "127.0.0.1"
    assert found.security.mode == "open"
    assert found.http.base_url == "http://127.0.0.1:8000"


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[http]\nport = 8001\nmax_body_bytes = 5\n")
    found = load(file, HTTP__PORT="8002")
    assert (found.http.port, found.http.max_body_bytes, found.http.host) == (8002, 5, "127.0.0.1")


@pytest.mark.parametrize("text", ["[1, 2.5, 4]", "1,2.5,4"])
def test_lists_may_be_written_either_way(text: str) -> None:
    assert load(DELIVERY__RETRY_SECONDS=text).delivery.retry_seconds == (1, 2.5, 4)


CLOSED = {"SECURITY__MODE": "closed", "APPLICATIONS": "x.yaml"}
BY_PROXY = {
    "SECURITY__CLIENT_CERTIFICATES": "proxy",
    "SECURITY__PROXY_ADDRESSES": "10.0.0.1",
    "SECURITY__PROXY_HEADER": "Client-Cert",
}
# Any file will do: what is in it is looked at when the gateway starts.
OWN_TLS = {f"HTTP__TLS_{name}_FILE": __file__ for name in ("CERT", "KEY", "CLIENT_CA")}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"HTTP__PORT": "high"}, "http.port (GATEWAY_HTTP__PORT): "),
        ({"HTTP__PORT": "0"}, "http.port (GATEWAY_HTTP__PORT): "),
        ({"HTTP__PROT": "1"}, "http.prot (GATEWAY_HTTP__PROT): there is no such setting"),
        ({"HTPP__PORT": "1"}, "GATEWAY_HTPP__PORT: there is no such setting"),
        ({"HTTP__HOST": "0.0.0.0"}, "security.mode is open, which is only for loopback"),
        ({"SECURITY__MODE": "shut"}, "security.mode (GATEWAY_SECURITY__MODE): "),
        ({"SECURITY__MODE": "closed"}, "set GATEWAY_APPLICATIONS"),
        ({"STORE__URL": "mysql://x"}, "store (GATEWAY_STORE): must be sqlite:///path"),
        ({"STORE__URL": "postgresql://x"}, "must be sqlite:///path or postgresql://"),
        ({"DELIVERY__RETRY_SECONDS": "[1, x]"}, "delivery.retry_seconds (GATEWAY_DELIVERY__RETRY_SECONDS): "),
        ({"DELIVERY__RETRY_SECONDS": "-1"}, "delivery.retry_seconds"),
        ({"DELIVERY__LEASE_SECONDS": "1"}, "delivery.lease_seconds must be more than the longest attempt"),
        ({"HTTP__TLS_CERT_FILE": "x.crt"}, "tls_cert_file and tls_key_file go together"),
        ({"HTTP__TLS_CLIENT_CA_FILE": "x.crt"}, "tls_client_ca_file needs tls_cert_file"),
        ({"HTTP__TLS_CERT_FILE": "x.crt", "HTTP__TLS_KEY_FILE": "x.key"}, "tls_cert_file x.crt: there is no such file"),
        ({"SECURITY__CLIENT_CERTIFICATES": "tls"}, "client_certificates would not be looked at in open mode"),
        ({**CLOSED, "SECURITY__CLIENT_CERTIFICATES": "tls"}, "= tls and http.tls_client_ca_file go together"),
        ({**CLOSED, **OWN_TLS}, "= tls and http.tls_client_ca_file go together"),
        ({**CLOSED, **OWN_TLS, **BY_PROXY}, "= tls and http.tls_client_ca_file go together"),
        ({**CLOSED, **BY_PROXY, "SECURITY__PROXY_ADDRESSES": ""}, "proxy_addresses and proxy_header go together"),
        ({**CLOSED, **BY_PROXY, "SECURITY__PROXY_HEADER": ""}, "proxy_addresses and proxy_header go together"),
        ({**CLOSED, **BY_PROXY, "SECURITY__CLIENT_CERTIFICATES": "none"}, "proxy_header go together"),
        ({**CLOSED, **BY_PROXY, "SECURITY__PROXY_ADDRESSES": "here"}, "security.proxy_addresses"),
        ({"NEMS__ASID": "1234"}, "nems.asid (GATEWAY_NEMS__ASID): "),
        ({"NEMS__JWT_LEEWAY_SECONDS": "-1"}, "nems.jwt_leeway_seconds"),
        ({"MESH__URL": "ftp://x"}, "mesh (GATEWAY_MESH): url must be http"),
        ({"MESH__URL": "http://127.0.0.1:1"}, "mailbox is needed when url is set"),
        ({"MESH__MAILBOXES": '[{"mailbox": "X", "password": "p"}]'}, "url is needed when mailbox"),
        ({"MESH__MAILBOXES": '[{"mailbox": "X"}]'}, "mesh.mailboxes.0.password"),
        ({"NEMS__UPSTREAM__URL": "nems"}, "nems.upstream (GATEWAY_NEMS__UPSTREAM): url must be http"),
        ({"NEMS__UPSTREAM__URL": "https://x"}, "from_asid is needed when url is set"),
        ({"NEMS__UPSTREAM__CERT_FILE": "x.crt"}, "cert_file and key_file go together"),
        ({"NEMS__UPSTREAM__REASON_FOR_REQUEST": "curiosity"}, "nems.upstream.reason_for_request"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(variables: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(**variables)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["not toml", "[http]\nport = 'x'", "[nothing]\nx = 1"])
def test_a_wrong_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.toml"):
        load(tmp_path / "missing.toml")


def test_mesh_may_be_polled_often_only_on_loopback() -> None:
    assert load_with_mesh(POLL_SECONDS="1").mesh.poll_seconds == 1
    with pytest.raises(ConfigurationError, match="poll_seconds may be under 300 only for a MESH on loopback"):
        load_with_mesh(URL="https://mesh.example.org", POLL_SECONDS="299")
    assert load_with_mesh(URL="https://mesh.example.org", POLL_SECONDS="300").mesh.poll_seconds == 300


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TRACK_SECONDS", "299", "track_seconds may be under 300 only for a MESH on loopback"),
        ("CHUNK_BYTES", "5000000", "chunk_bytes must be more than 5000000 and at most 100000000"),
        ("CHUNK_BYTES", "100000001", "chunk_bytes must be more than 5000000 and at most 100000000"),
    ],
)
def test_mesh_is_used_as_it_asks_except_on_loopback(name: str, value: str, says: str) -> None:
    load_with_mesh(**{name: value})
    with pytest.raises(ConfigurationError, match=says):
        load_with_mesh(URL="https://mesh.example.org", **{name: value})


def test_further_mailboxes_are_a_list() -> None:
    found = load_with_mesh(MAILBOXES='[{"mailbox": "GATEWAY02", "password": "s3cret-word"}]')
    (one,) = found.mesh.mailboxes
    assert (one.mailbox, one.password.get_secret_value()) == ("GATEWAY02", "s3cret-word")
    assert "s3cret" not in repr(found)


def test_secrets_stay_out_of_texts() -> None:
    found = load_with_mesh(PASSWORD="s3cret-word", SHARED_KEY="s3cret-key")
    assert "s3cret" not in repr(found)
    with pytest.raises(ConfigurationError) as caught:
        load_with_mesh(PASSWORD="s3cret-word", POLL_SECONDS="x")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("::", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert settings.is_loopback(host) is loopback

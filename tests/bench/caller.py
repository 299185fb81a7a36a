"""The application that publishes the CloudEvents of the benchmark, known by a token."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path

from tests.faces.oauth.people import assertion, form, key_set

DECLARED = """
applications:
  - {{id: surgery, name: Surgery, publish: ["*"], quota_per_minute: 0, jwks_file: {folder}/keys.json}}
"""


def closed(folder: Path) -> dict[str, str]:
    """The settings of a gateway in closed mode that knows the application."""
    (folder / "keys.json").write_bytes(key_set())
    declared = folder / "applications.yaml"
    declared.write_text(DECLARED.format(folder=folder))
    return {"GATEWAY_SECURITY__MODE": "closed", "GATEWAY_APPLICATIONS": str(declared)}


def ask_token(url: str) -> str:
    """An access token from the gateway at `url`."""
    place = f"{url}/oauth2/token"
    body = urllib.parse.urlencode(form(assertion(place))).encode()
    with urllib.request.urlopen(urllib.request.Request(place, body), timeout=30) as answer:
        return str(json.load(answer)["access_token"])

"""What is known of patients stays in the messages and the database, on the MNS face too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from gateway import ids
from tests.contract.mns.acts import BASE, V1, V2, cloudevent, v1_event
from tests.harness import Document, Gateway, Listener

NUMBER, NAME, BORN = "9990009996", "CANARYBIRD", "1931-02-03"
SOURCES = """
sources:
  - {{url: "http://127.0.0.1:{port}/pds/", patients: true, hydrate: true}}
"""


def call(gateway: Gateway, path: str, body: object, media_type: str) -> int:
    headers = {"X-Correlation-ID": str(uuid.uuid4()), "Content-Type": media_type}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gateway.http.post(BASE + path, content=content, headers=headers).status_code


def subscription(url: str, criteria: str, **more: Any) -> dict[str, Any]:
    channel = {"type": "rest-hook", "endpoint": url, "payload": "application/fhir+json"}
    return {
        "resourceType": "Subscription", "status": "requested", "reason": "", "criteria": criteria, "channel": channel,
        **more,
    }  # fmt: skip


def test_patient_data_reaches_no_log_metric_or_trace(tmp_path: Path, listener: Listener) -> None:
    (tmp_path / "sources.yaml").write_text(SOURCES.format(port=listener.port))
    settings = {"GATEWAY_LOG__LEVEL": "DEBUG", "GATEWAY_RETRIEVAL__SOURCES": str(tmp_path / "sources.yaml")}
    record = f"http://127.0.0.1:{listener.port}/pds/Patient/{NUMBER}"
    with Gateway(tmp_path, **settings) as gateway:
        hydrated = subscription(listener.url, "eventType=pds-change-of-gp-2", hydration={"enabled": True})
        fhir = "application/fhir+json"
        assert call(gateway, "/subscriptions", hydrated, fhir) == 201
        explicit = f"eventType=pds-record-change-2 AND nhsnumber='{NUMBER}'"
        assert call(gateway, "/subscriptions", subscription(listener.url, explicit), fhir) == 201
        for wrong in (f"eventType={NUMBER}", f"{explicit} AND {NAME}", f"{explicit} AND nhsnumber='{NUMBER}7'"):
            assert call(gateway, "/subscriptions", subscription(listener.url, wrong), fhir) == 400
        told = cloudevent(subject=NUMBER, dataref=record, filtering={"generalpractitioner": NAME})
        for answer in (None, Document(b"", status=503), Document(NAME.encode()), Document(b'{"a": "CANARYBIRD"}')):
            listener.documents = {f"/pds/Patient/{NUMBER}": answer} if answer else {}
            assert call(gateway, "/events", {**told, "id": str(uuid.uuid4())}, V2) == 200
            gateway.wait_until_idle()
        for broken in ({"subject": {"n": NUMBER}}, {"time": NUMBER}, {"type": NAME}, {NAME: 1, "id": ""}):
            assert call(gateway, "/events", {**told, **broken}, V2) == 400
        assert call(gateway, "/events", json.dumps(told).encode()[:-9], V2) == 400
        named = {"nhsNumber": NUMBER, "familyName": NAME, "dob": BORN}
        assert call(gateway, "/events", v1_event(subject=named), V1) == 200
        assert call(gateway, "/events", v1_event(subject={**named, "nhsNumber": f"{NUMBER[:-1]}7"}), V1) == 400
        gateway.wait_until_idle()
        seen = gateway.log.read_text() + gateway.http.get("/metrics").text
        seen += "".join(shown(gateway, trace.event.row_id) for trace in gateway.events())
        assert any(NUMBER.encode() in request.body for request in listener.received)
    assert '"level":"error"' not in seen
    assert [canary for canary in (NUMBER, NUMBER[:9], NAME, BORN) if canary in seen] == []
    assert "not hydrated: HTTP 503" in seen


def shown(gateway: Gateway, row_id: int) -> str:
    command = [sys.executable, "-m", "gateway", "events", "show", ids.show(row_id), "--json"]
    return subprocess.run(command, env={**os.environ, **gateway.environment}, capture_output=True, text=True).stdout

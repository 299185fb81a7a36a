"""What is known of patients stays in the messages and the database: it is nowhere an operator's tools look."""

from __future__ import annotations

import io
from pathlib import Path

from mesh.mailbox import Mailbox
from mesh.sandbox.run import LocalMesh
from tests.contract.r4.acts import FHIR, create, extension, topical
from tests.contract.r4.test_incoming import changed
from tests.contract.r4.test_incoming import event as told_event
from tests.harness import (
    NEMS_HEADERS,
    SUBSCRIBER_MAILBOX,
    Gateway,
    Listener,
    collect,
    eventually,
    message,
    subscriptions_api,
)

# Values that stand nowhere else: whatever of these turns up came from a message.
CANARIES = {"9990001006": "9990009996", "BRAMLEY": "CANARYBIRD", "Ada": "Xylophonia", "1987-04-12": "1931-02-03"}


def test_patient_data_reaches_no_log_metric_file_name_or_header(
    tmp_path: Path, mesh: LocalMesh, listener: Listener
) -> None:
    with Gateway(tmp_path, mesh, GATEWAY_LOG__LEVEL="DEBUG") as gateway:
        _exercise(gateway, mesh, listener)
        (received, *_) = collect(mesh, 1)
        seen = io.StringIO()
        seen.write(gateway.log.read_text())
        seen.write(gateway.http.get("/metrics").text)
        seen.write(gateway.http.get("/readyz").text)
        seen.write(str(dict(received.headers.items())))
        seen.write(str([{**request.headers} for request in listener.received]))
        seen.write(str(list(tmp_path.rglob("*"))))
    found = [canary for canary in CANARIES.values() if canary in seen.getvalue()]
    assert found == []
    assert "accept" in seen.getvalue()


def test_the_canaries_would_be_seen(tmp_path: Path, listener: Listener) -> None:
    """The test above can fail: what it looks for is in the messages that it sends."""
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        gateway.publish(message(**CANARIES))
        (request,) = listener.wait_for(1)
    assert CANARIES["9990001006"].encode() in request.body


def _exercise(gateway: Gateway, mesh: LocalMesh, listener: Listener) -> None:
    """Every path that a message can take: delivered, retried, dead, refused in all ways, collected, put aside."""
    gateway.subscribe_mailbox()
    gateway.subscribe_webhook(listener.url)
    gateway.publish(message(**CANARIES))
    listener.answers.status = 503
    gateway.publish(message(**CANARIES))
    listener.wait_for(2)
    listener.answers.status = 410
    whole = message(**CANARIES)
    for broken in (
        whole[:-200],
        whole.replace(b"9990009996", b"9990009997"),
        whole.replace(b"<birthDate", b"<Xylophonia"),
        whole.replace(b'<family value="CANARYBIRD"/>', b"CANARYBIRD"),
        whole.replace(b'value="1931-02-03"', b'value="1931-02-03CANARYBIRD"'),
        whole.replace(b"new", b"CANARYBIRD"),
        whole.replace(b"pds-change-of-gp-1", b"CANARYBIRD"),
        b"<!DOCTYPE CANARYBIRD>" + whole,
    ):
        assert 400 <= gateway.publish(broken).status_code < 500
        _send(mesh, broken)
    _send(mesh, whole)
    subscription = (
        f'<Subscription xmlns="http://hl7.org/fhir"><criteria value="{CANARIES["9990001006"]}"/></Subscription>'
    )
    gateway.http.post("/STU3/Subscription", content=subscription, headers={**NEMS_HEADERS, **subscriptions_api("Post")})
    gateway.http.get("/STU3/Subscription/9990009996", headers={**NEMS_HEADERS, **subscriptions_api("Get")})
    gateway.http.get("/R4/Subscription?patient=9990009996")
    gateway.http.get("/nowhere/9990009996")
    _use_r4(gateway, listener)
    eventually(lambda: len(gateway.events()) == 4)
    eventually(lambda: all(one.ended_ms for trace in gateway.events() for one in trace.deliveries))


def _use_r4(gateway: Gateway, listener: Listener) -> None:
    """Subscribe to a patient, be refused, and be told of that patient by another server, well and badly."""
    for search in ("subject=9990009996", "subject=9990009997", "CANARYBIRD=9990009996"):
        filters = {"extension": [extension("backport-filter-criteria", valueString=search)]}
        create(gateway, topical(listener.url, _criteria=filters))
    told = changed(
        type="event-notification", events_since_subscription_start="1", more=[told_event(patient="9990009996")]
    )
    for body in (told, told[:-20], told.replace(b"pds-change-of-gp-1", b"CANARYBIRD")):
        gateway.http.post("/R4/$process-notification", content=body, headers=FHIR)


def _send(mesh: LocalMesh, body: bytes) -> None:
    from mesh.message import OutgoingMessage

    with Mailbox(mesh.settings_for(SUBSCRIBER_MAILBOX)) as mailbox:
        mailbox.send(OutgoingMessage("GATEWAY01", "CHANGEOFGP_1", str(hash(body)), body))

"""Publishers are told to come back before the gateway runs out of memory or the disk of room."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import NEMS_HEADERS, Gateway, eventually, interaction, message

PUBLISH = "/STU3/Events/1/$process-message"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path, GATEWAY_HTTP__MAX_IN_FLIGHT_BYTES="200000", GATEWAY_HTTP__MAX_CONNECTIONS="20") as running:
        yield running


def half_sent(gateway: Gateway, size: int) -> socket.socket:
    """A connection on which a message is under way: the gateway waits for its body, of which a little was sent."""
    headers = {**NEMS_HEADERS, **interaction("pds-change-of-gp-1"), "Content-Length": str(size), "Host": "x"}
    head = "".join(f"{name}: {value}\r\n" for name, value in (headers | {"Expect": "100-continue"}).items())
    # Once another request has come and gone, those before have given back their room.
    assert gateway.http.get("/livez").status_code == 200
    sent = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
    sent.sendall(f"POST {PUBLISH} HTTP/1.1\r\n{head}\r\n".encode())
    assert sent.recv(1000).startswith(b"HTTP/1.1 100 Continue")
    sent.sendall(b"x")
    return sent


def flood(sent: socket.socket) -> None:
    """Send headers and never end them."""
    for _ in range(100_000):
        sent.sendall(b"X-More: " + b"x" * 8000 + b"\r\n")


def test_beyond_so_many_bytes_under_way_publishers_are_told_to_come_back(gateway: Gateway) -> None:
    with half_sent(gateway, 199_000):
        eventually(lambda: gateway.publish(message()).status_code == 503)
        refused = gateway.publish(message())
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert "OperationOutcome" in refused.text
        assert gateway.http.get("/livez").status_code == 200
    eventually(lambda: gateway.publish(message()).status_code == 202)


def test_bodies_whose_length_is_not_told_are_counted_as_they_come(gateway: Gateway) -> None:
    headers = {**NEMS_HEADERS, **interaction("pds-change-of-gp-1")}
    body = message()
    whole = [body[start : start + 500] for start in range(0, len(body), 500)]
    assert gateway.http.post(PUBLISH, content=iter(whole), headers=headers).status_code == 202
    with half_sent(gateway, 199_000):
        eventually(lambda: gateway.publish(message()).status_code == 503)
        assert gateway.http.post(PUBLISH, content=iter(whole), headers=headers).status_code == 503
    eventually(lambda: gateway.http.post(PUBLISH, content=iter(whole), headers=headers).status_code == 202)


def test_one_body_larger_than_the_room_is_taken_when_nothing_else_is_under_way(tmp_path: Path) -> None:
    with Gateway(tmp_path, GATEWAY_HTTP__MAX_IN_FLIGHT_BYTES="10") as gateway:
        assert gateway.publish(message()).status_code == 202


def test_beyond_so_many_connections_callers_are_turned_away(gateway: Gateway) -> None:
    held = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(25)]
    try:
        eventually(lambda: gateway.http.get("/livez").status_code == 503)
        refused = gateway.publish(message())
        assert (refused.status_code, refused.text) == (503, "Service Unavailable")
        assert int(refused.headers["Retry-After"]) > 0
    finally:
        for one in held:
            one.close()
    eventually(lambda: gateway.http.get("/livez").status_code == 200)


def test_a_head_without_end_leaves_the_gateway_well(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as sent:
        sent.sendall(b"POST / HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"[Bb]roken pipe|reset"):
            flood(sent)
    assert gateway.publish(message()).status_code == 202

"""A NEMS message reaches subscribers of NEMS as the bytes that came in."""

from __future__ import annotations

from pathlib import Path

from gateway.delivery.render import Renderer
from gateway.events import XML, Delivery, Event, Original
from gateway.faces.nems.reading import message_event_type
from tests.mappings.conftest import Shipped, nems_messages


def test_a_published_message_goes_out_byte_for_byte(shipped: Shipped, examples: Path) -> None:
    renderer = Renderer(shipped.modules, shipped.catalogue, "https://gateway.example", 1)
    for name, message in nems_messages(examples).items():
        body = (examples / "nems" / "events" / name).read_bytes()
        event_type = message_event_type(message, shipped.catalogue)
        known = shipped.event(message, "nems-message", event_type)
        event = Event(
            row_id=1, original=Original(body, XML, "nems-message"), face="nems", application="test", received_ms=0,
            **known,
        )  # fmt: skip
        delivery = Delivery(1, 1, "mesh", "MAILBOX", "nems-message", ("a",))
        assert renderer.render(event, delivery) == (body, XML), name

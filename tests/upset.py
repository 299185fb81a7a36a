"""NEMS messages and subscriptions, and what they become when their structure is upset."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st
from lxml import etree

from tests.conftest import ROOT
from tests.harness import EVENTS, message, nems_subscription


@cache
def bodies_sent() -> list[bytes]:
    """Our own messages and subscriptions, and the published ones where they are present."""
    own = [made(event) for made in (message, nems_subscription) for event in EVENTS]
    published = ROOT.parent / "shared" / "examples" / "nems"
    paths = [*sorted(published.glob("events/*.xml")), *sorted(published.glob("subscriptions/spec-create-*.xml"))]
    return [*own, *(path.read_bytes() for path in paths)]


@st.composite
def restructured(draw: st.DrawFn) -> bytes:
    """A message that is still XML, with elements taken out, doubled, swapped, renamed or given another value."""
    root = etree.fromstring(draw(st.sampled_from(bodies_sent())))
    for _ in range(draw(st.integers(1, 4))):
        elements = [element for element in root.iter(etree.Element) if element.getparent() is not None]
        if not elements:
            break
        one = draw(st.sampled_from(elements))
        change = draw(st.sampled_from(["remove", "rename", "value", "empty", "nest"]))
        if change == "remove":
            one.getparent().remove(one)
        elif change == "rename":
            one.tag = draw(st.sampled_from(elements)).tag
        elif change == "value":
            one.set(
                "value", draw(st.sampled_from(["", " ", "0", "9" * 400, "2026-13-45T99:99:99Z", "+58:00", "é\u200b"]))
            )
        elif change == "empty":
            for child in list(one):
                one.remove(child)
        else:
            one.append(draw(st.sampled_from(elements)).__copy__())
    return etree.tostring(root)

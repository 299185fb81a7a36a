"""Map out: what leaves is valid by the contract of its form, or does not leave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gateway import catalogue
from gateway.delivery.render import CLOUDEVENT, Renderer
from gateway.errors import Refusal
from gateway.events import JSON, XML, Original
from gateway.fhir.tables import load
from gateway.fhir.validate import validate
from gateway.fhir.xml import parse_xml
from gateway.mapping.modules import Modules
from tests.samples import delivery, event

ROOT = Path(__file__).resolve().parents[2]
BASE = "https://gateway.example"


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    modules, types = Modules.load(ROOT / "mappings"), catalogue.load(ROOT / "config" / "event-types")
    return Renderer(modules, types, BASE, instance=1)


def test_a_signal(renderer: Renderer) -> None:
    told = event()
    body, media_type = renderer.render(told, delivery(told, form="mns-signal"))
    signal = json.loads(body)
    assert media_type == JSON
    assert (signal["id"], signal["timestamp"]) == (told.id, told.time)


def test_a_cloudevent(renderer: Renderer) -> None:
    told = event()
    body, media_type = renderer.render(told, delivery(told, form="cloudevent"))
    assert media_type == CLOUDEVENT
    assert json.loads(body)["id"] == told.id


def test_a_message_that_was_published_as_xml_is_the_bytes_that_came_in(renderer: Renderer) -> None:
    told = event()
    assert renderer.render(told, delivery(told, form="nems-message")) == (told.original.body, XML)


def test_an_event_that_was_no_message_becomes_one_in_xml(renderer: Renderer) -> None:
    told = event(original=Original(b"{}", "application/cloudevents+json", "cloudevent"), face="mns")
    body, media_type = renderer.render(told, delivery(told, form="nems-message"))
    message = parse_xml(body, load("STU3")).resource
    assert media_type == XML
    assert message["type"] == "message"
    assert validate(message, load("STU3")) == []


# A NEMS message with such a timestamp is taken in with a warning; one was published as an example.
@pytest.mark.parametrize(
    ("changed", "location"),
    [
        ({"time": "2026-11-02T09:15:00+58:00"}, "Bundle.timestamp"),
        ({"time": "2026-02-30T09:15:00Z"}, "Bundle.timestamp"),
        ({"dataref": "not a URL"}, "Bundle.entry[0].resource.parameter[3].part[2].valueReference.reference"),
    ],
)
def test_what_is_no_signal_is_refused_with_its_place(
    renderer: Renderer, changed: dict[str, str], location: str
) -> None:
    told = event(**changed)
    with pytest.raises(Refusal) as refused:
        renderer.render(told, delivery(told, form="mns-signal"))
    assert location in {issue.location for issue in refused.value.issues}
    assert not any(value in str(refused.value) for value in changed.values())


FORMS = ("mns-signal", "cloudevent", "nems-message", "r4-empty", "r4-id-only", "r4-full-resource")


def new_renderer(folder: Path = ROOT / "mappings") -> Renderer:
    return Renderer(Modules.load(folder), catalogue.load(ROOT / "config" / "event-types"), BASE, instance=1)


@pytest.mark.parametrize("form", FORMS)
def test_each_delivery_of_an_event_is_written_as_if_it_were_the_only_one(renderer: Renderer, form: str) -> None:
    told = event(original=Original(b"{}", "application/cloudevents+json", "cloudevent"), face="mns")
    for number in range(1, 5):
        one = delivery(told, form=form, number=number, subscriptions=(f"s{number}",))
        assert renderer.render(told, one) == new_renderer().render(told, one)


@pytest.mark.parametrize("digit", [0, 34, 35])
def test_a_module_that_does_more_with_its_uuid_than_to_copy_it_is_asked_each_time(tmp_path: Path, digit: int) -> None:
    folder = tmp_path / "mappings"
    shutil.copytree(ROOT / "mappings", folder)
    module = folder / "mns" / "cloudevent.yaml"
    text, line = module.read_text(), 'versionid: "{{ Event.versionid }}"'
    assert line in text
    module.write_text(text.replace(line, f'versionid: "{{{{ %notification.substring({digit}, 1) }}}}"'))
    renderer, told = new_renderer(folder), event()
    first = delivery(told, form="cloudevent")
    # The same again, one that differs in its last digit, as ids do that are made together, and others.
    for row_id in (first.id, first.id, first.id ^ 1, first.id + 16, first.id + 256, first.id ^ 1 << 40):
        one = delivery(told, form="cloudevent", id=row_id)
        assert renderer.render(told, one) == new_renderer(folder).render(told, one)

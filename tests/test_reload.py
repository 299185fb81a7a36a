"""A running gateway notices changed modules: right ones are swapped in, wrong ones are not."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import layered
from gateway.mapping.tools.reload import Reloader
from gateway.resources import folder as shipped
from tests.harness import Gateway, Listener, eventually, message
from tests.helper.processes import helpers_of, wakes
from tests.test_cli import run

EVENT = "pds-change-of-gp-1"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An operator's folder: the shipped module for one event type, with a case, and the fragments that it includes."""
    made = tmp_path / "own"
    (made / "cases").mkdir(parents=True)
    nems = shipped("mappings") / "nems"
    for path in nems.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if path.stem == EVENT or "\nfragment: " in f"\n{text}":
            (made / path.name).write_text(text, encoding="utf-8")
    for path in (nems / "cases").glob(f"nems-{EVENT}.registered.json"):
        (made / "cases" / path.name).write_bytes(path.read_bytes())
    return made


@pytest.fixture
def gateway(tmp_path: Path, own: Path) -> Iterator[Gateway]:
    environment = {"GATEWAY_MAPPING__FOLDER": str(own), "GATEWAY_MAPPING__RELOAD_SECONDS": "0.1"}
    with Gateway(tmp_path, **environment) as running:
        yield running


def reloads(gateway: Gateway) -> list[dict[str, Any]]:
    """What the log says of reloads."""
    lines = [json.loads(line) for line in gateway.log.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["action"] == "reload"]


def await_reloads(gateway: Gateway, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(reloads(gateway)) >= count, 20, lambda: f"reloads: {reloads(gateway)}")
    return reloads(gateway)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def told_of(gateway: Gateway, listener: Listener) -> str:
    """Publish an event, and give what the webhook is told of where its data is."""
    before = len(listener.received)
    assert gateway.publish(message(EVENT), EVENT).status_code == 202
    signal = json.loads(listener.wait_for(before + 1)[-1].body)
    parts = {one["name"]: one for one in signal["entry"][0]["resource"]["parameter"]}
    (focus,) = (part for part in parts["notification-event"]["part"] if part["name"] == "focus")
    return str(focus["valueReference"]["reference"])


def test_a_changed_module_is_swapped_in_and_a_wrong_one_is_not(gateway: Gateway, own: Path, listener: Listener) -> None:
    module, case = own / f"{EVENT}.yaml", own / "cases" / f"nems-{EVENT}.registered.json"
    pds = "https://api.service.nhs.uk/personal-demographics/FHIR/R4"
    gateway.subscribe_webhook(listener.url, EVENT)
    assert told_of(gateway, listener).startswith(f"{pds}/Patient/")

    # Its own case expects another address: the module as it was stays.
    change(module, pds, "https://pds.example.org")
    (kept,) = await_reloads(gateway, 1)
    assert (kept["outcome"], kept["file"], kept["level"]) == ("kept old", str(case), "error")
    assert kept["reason"] == f"this case of 'nems-{EVENT}' fails, at output.dataref"
    assert told_of(gateway, listener).startswith(f"{pds}/Patient/")

    # With the case changed too, it is taken.
    change(case, pds, "https://pds.example.org")
    swapped = await_reloads(gateway, 2)[-1]
    assert (swapped["outcome"], swapped["module"], swapped["file"]) == ("swapped", f"nems-{EVENT}", str(module))
    assert told_of(gateway, listener).startswith("https://pds.example.org/Patient/")

    # One that does not compile is told with its line.
    change(module, "{{ %time }}", "{{ %tiem }}")
    kept = await_reloads(gateway, 3)[-1]
    line = next(n for n, text in enumerate(module.read_text(encoding="utf-8").splitlines(), 1) if "%tiem" in text)
    assert (kept["outcome"], kept["file"], kept["line"]) == ("kept old", str(module), line)
    assert "did you mean" in kept["reason"]
    assert told_of(gateway, listener).startswith("https://pds.example.org/Patient/")

    # Taken away, it leaves the shipped one.
    module.unlink()
    assert await_reloads(gateway, 4)[-1]["outcome"] == "removed"
    assert told_of(gateway, listener).startswith(f"{pds}/Patient/")


def test_a_helper_that_takes_the_place_of_another_has_the_modules_of_today(
    gateway: Gateway, own: Path, listener: Listener
) -> None:
    gateway.subscribe_webhook(listener.url, EVENT)
    for changed in (own / f"{EVENT}.yaml", own / "cases" / f"nems-{EVENT}.registered.json"):
        change(changed, "https://api.service.nhs.uk/personal-demographics/FHIR/R4", "https://pds.example.org")
    eventually(lambda: any(one["outcome"] == "swapped" for one in reloads(gateway)))
    (before,) = helpers_of(gateway)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: '"replaced"' in gateway.log.read_text())
    (helper,) = helpers_of(gateway)
    idle = wakes(helper)
    for _ in range(3):
        assert told_of(gateway, listener).startswith("https://pds.example.org/Patient/")
    assert wakes(helper) >= idle + 3, "it did nothing"


class Process:
    """Another process, that has the same modules."""

    def __init__(self, reloader: Reloader) -> None:
        self._reloader, self.is_behind = reloader, False
        self.follows = 0

    async def follow(self, mark: bytes) -> None:
        self.follows += 1
        self.is_behind = not self._reloader.follow(mark)


async def test_one_that_follows_has_the_modules_that_are_used_or_is_behind(own: Path) -> None:
    events = {one.id for one in layered("")}
    reloader, process = Reloader(events, shipped("mappings"), own), Process(Reloader(events, shipped("mappings"), own))
    reloader.followers = [process]
    module = own / f"{EVENT}.yaml"

    def settle() -> None:
        reloader.look()
        reloader.look()
        assert process.is_behind

    change(module, "summary: ", "summary: Second. ")
    reloader.look()
    assert not process.is_behind, "the file may be half written"
    settle()
    await reloader.bring_along(process)
    assert not process.is_behind

    # Before the other has looked, the file is changed again, and is wrong: it never had what is used now.
    change(module, "summary: Second. ", "summary: Third. ")
    settle()
    change(module, "{{ %time }}", "{{ %tiem }}")
    await reloader.bring_along(process)
    assert process.is_behind
    settle()
    await reloader.bring_along(process)
    assert process.is_behind

    change(module, "{{ %tiem }}", "{{ %time }}")
    settle()
    await reloader.bring_along(process)
    assert not process.is_behind


async def test_one_that_begins_later_is_brought_along_if_anything_has_changed(own: Path) -> None:
    events = {one.id for one in layered("")}
    reloader, process = Reloader(events, shipped("mappings"), own), Process(Reloader(events, shipped("mappings"), own))
    module = own / f"{EVENT}.yaml"
    # The gateway has not looked, and may never do so.
    change(module, "summary: ", "summary: Second. ")
    process.is_behind = True
    await reloader.bring_along(process)
    assert (process.is_behind, process.follows) == (False, 0)

    reloader.look()
    reloader.look()
    await reloader.bring_along(process)
    assert (process.is_behind, process.follows) == (False, 1)


def test_a_fragment_reloads_what_includes_it_and_a_broken_concept_map_nothing(gateway: Gateway, own: Path) -> None:
    change(own / "header.yaml", "fragment: header", "# Changed.\nfragment: header")
    assert await_reloads(gateway, 1)[0]["outcome"] == "swapped"
    (own / "conceptmaps").mkdir()
    (own / "conceptmaps" / "wrong.json").write_text("{}", encoding="utf-8")
    kept = await_reloads(gateway, 2)[-1]
    assert (kept["outcome"], kept["file"]) == ("kept old", str(own / "conceptmaps" / "wrong.json"))
    (own / "conceptmaps" / "wrong.json").unlink()
    (own / "second.yaml").write_bytes((own / f"{EVENT}.yaml").read_bytes())
    assert "maps nems-message to event" in await_reloads(gateway, 3)[-1]["reason"]


def test_the_log_of_a_reload_says_nothing_of_a_patient(gateway: Gateway, own: Path) -> None:
    change(own / "cases" / f"nems-{EVENT}.registered.json", '"subject": "', '"subject": "PLANTED')
    await_reloads(gateway, 1)
    text = gateway.log.read_text(encoding="utf-8")
    assert "output.subject" in text
    assert "PLANTED" not in text


@pytest.mark.parametrize("name", ["MAPPING__FOLDER", "EVENT_TYPES"])
def test_a_folder_that_is_not_there_stops_the_start(tmp_path: Path, name: str) -> None:
    done = run(
        "serve", **{f"GATEWAY_{name}": str(tmp_path / "none"), "GATEWAY_STORE__URL": f"sqlite:///{tmp_path}/g.db"}
    )
    assert done.returncode == 2
    assert f"(GATEWAY_{name}): {tmp_path / 'none'}: there is no such folder" in done.stderr


def test_a_wrong_module_of_the_operator_stops_the_start_with_its_line(tmp_path: Path, own: Path) -> None:
    change(own / f"{EVENT}.yaml", "target: event", "target: evnt")
    done = run("serve", GATEWAY_MAPPING__FOLDER=str(own), GATEWAY_STORE__URL=f"sqlite:///{tmp_path}/g.db")
    assert done.returncode == 2
    assert f"{EVENT}.yaml:5:9: there is no form 'evnt'; did you mean 'event'?" in done.stderr
    assert done.stderr.count("\n") == 1

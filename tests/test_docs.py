"""The documents: generated pages are up to date, links lead somewhere, and every command in them works."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from docs.generate import REFERENCE, pages
from tests.conftest import ROOT
from tests.harness import Gateway, Listener, eventually, message
from tests.ports import free_port
from tests.reference import files

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == pages()[name], "run make docs"


def test_every_metric_is_on_its_page_with_its_labels(tmp_path: Path, listener: Listener) -> None:
    page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    rows = {
        name: set(re.findall(r"`(.+?)`", labels))
        for name, labels in re.findall(r"^\| `(.+?)` \| \w+ \| (.*?) \|", page, re.M)
    }
    with Gateway(tmp_path) as gateway:
        gateway.subscribe_webhook(listener.url)
        assert gateway.publish(message()).status_code == 202
        gateway.wait_until_idle()
        told = list(text_string_to_metric_families(gateway.http.get("/metrics").text))
    own = {
        f"{one.name}_total" if one.type == "counter" else one.name: {
            label for sample in one.samples for label in sample.labels if label != "le"
        }
        for one in told
        if one.name.startswith("gateway_") and not one.name.endswith("_created")
    }
    assert own.keys() <= rows.keys()
    # Of a metric that has had nothing to tell there are no labels.
    assert {name: labels for name, labels in own.items() if labels} == {name: rows[name] for name in own if own[name]}
    assert {"gateway_received_total", "gateway_delivery_attempt_seconds", "gateway_subscriptions"} <= own.keys()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target


def test_every_target_of_make_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(phony.split()) == set(re.findall(r"^  make (\S+)", told, re.MULTILINE))


def commands(document: str) -> list[str]:
    """The shell blocks of a document."""
    return re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "docs" / document).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def in_place_of(text: str, replaced: dict[str, str]) -> str:
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text


def run(script: str) -> str:
    shell = subprocess.run(
        ["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=60, env={**os.environ}
    )
    assert shell.returncode == 0, shell.stderr
    return shell.stdout


def test_the_tutorial_works(tmp_path: Path) -> None:
    port, mesh_port = free_port(), free_port()
    start, *steps = commands("tutorial/first-event.md")
    assert start == "make run\n"
    demo = [sys.executable, "-m", "gateway", "demo", "--folder", str(tmp_path / "demo")]
    demo += ["--port", str(port), "--mesh-port", str(mesh_port)]
    with (
        subprocess.Popen(demo, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(process.terminate)  # whatever fails here, it must not serve on
        assert process.stdout
        while "Still serving" not in process.stdout.readline():
            assert process.poll() is None
        own = {
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            "var/demo/": f"{tmp_path}/demo/",
            "var/": f"{tmp_path}/",
            ".venv/bin/python": sys.executable,
            ".venv/bin/gateway": f"{sys.executable} -m gateway",
        }
        subscribed, published, followed, refused = (run(in_place_of(step, own)) for step in steps)
    assert "201 Created" in subscribed
    assert re.search(r"location: \S+/STU3/Subscription/[0-9a-f]{32}", subscribed, re.IGNORECASE)
    assert "202 Accepted" in published
    (mailbox,) = re.findall(r"mesh A20047OT001\n +for subscriptions (.*)\n", followed)
    assert len(mailbox.split(", ")) == 2
    assert "400 Bad Request" in refused
    assert "INVALID_NHS_NUMBER" in refused


def test_running_for_real_works(tmp_path: Path) -> None:
    copy, serve = commands("how-to/run-for-real.md")
    own = {"var/": f"{tmp_path}/", ".venv/bin/gateway serve": "true"}
    run(in_place_of(copy, own))
    environment = dict(re.findall(r"(GATEWAY_\w+)=(\S+)", in_place_of(serve, own)))
    with Gateway(tmp_path, **environment) as gateway:
        assert gateway.http.get("/livez").status_code == 200


def test_finding_an_event_works(tmp_path: Path) -> None:
    listing, who = commands("how-to/find-an-event.md")
    with Gateway(tmp_path) as gateway:
        own = {".venv/bin/gateway": f"GATEWAY_STORE__URL=sqlite:///{gateway.database} {sys.executable} -m gateway"}
        assert run(in_place_of(listing, own)) == "no events yet\n"
        assert run(in_place_of(who, own)) == "there are none\n"


def test_subscribing_by_webhook_works(tmp_path: Path, listener: Listener) -> None:
    topics, ask, events, status = commands("how-to/subscribe-by-webhook.md")
    with Gateway(tmp_path) as gateway:
        own = {"http://127.0.0.1:8000": gateway.url, "http://127.0.0.1:9000/notifications": listener.url}
        assert "pds-change-of-gp-1" in run(in_place_of(topics, own))
        made = json.loads(run(in_place_of(ask, own)))
        assert made["status"] == "requested"
        place = f"{gateway.url}/R4/Subscription/{made['id']}"
        eventually(lambda: gateway.http.get(place).json()["status"] == "active")
        own["$ID"] = made["id"]
        assert '"query-event"' in run(in_place_of(events, own))
        assert '"active"' in run(in_place_of(status, own))


def test_the_how_to_of_reference_data_works(tmp_path: Path) -> None:
    (tmp_path / "epraccur.zip").write_bytes(files.epraccur())
    (tmp_path / "ONSPD_MAY_2026.zip").write_bytes(files.headed(files.ONSPD))
    (tmp_path / "suppliers.csv").write_text("A20047,YGM04\n")
    (loading,) = commands("how-to/load-reference-data.md")
    own = {
        ".venv/bin/gateway": f"{sys.executable} -m gateway",
        " epraccur": f" {tmp_path}/epraccur",
        " ONSPD": f" {tmp_path}/ONSPD",
        " suppliers.csv": f" {tmp_path}/suppliers.csv",
    }
    said = run(
        f"export GATEWAY_STORE__URL=sqlite:///{tmp_path}/gateway.db\n{sys.executable} -m gateway migrate\n"
        + in_place_of(loading, own)
    )
    assert "loaded 2 practices from epraccur.zip" in said
    assert "loaded 3 postcodes from ONSPD_MAY_2026.zip" in said
    assert "loaded 1 suppliers from suppliers.csv" in said

"""docs/how-to/bridge-an-event.md, followed to the letter: an event of one's own reaches a webhook."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import ROOT
from tests.harness import eventually
from tests.ports import free_port

PAGE = (ROOT / "docs" / "how-to" / "bridge-an-event.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def run(script: str) -> str:
    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def running(script: str, output: Path, **environment: str) -> Iterator[None]:
    """A block that runs in a terminal of its own until it is stopped."""
    with output.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-euc", script], cwd=ROOT, stdout=out, stderr=out, start_new_session=True,
            env={**os.environ, **environment},
        )  # fmt: skip
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.TransportError:
        return False
    return True


def test_the_page_bridges_an_event(tmp_path: Path) -> None:
    port, webhook = free_port(), free_port()
    own = {
        "var/bridge": str(tmp_path / "bridge"),
        "127.0.0.1:8000": f"127.0.0.1:{port}",
        "127.0.0.1:9000": f"127.0.0.1:{webhook}",
        '("127.0.0.1", 9000)': f'("127.0.0.1", {webhook})',
        ".venv/bin/python": sys.executable,
        ".venv/bin/gateway": f"{sys.executable} -W error -m gateway",
    }

    def mine(text: str) -> str:
        for old, new in own.items():
            text = text.replace(old, new)
        return text

    steps = map(mine, blocks("sh"))
    example, catalogue, new, edit, schema, check, keep, test, explain, serve, listen, subscribe, publish = steps
    module = tmp_path / "bridge" / "mappings" / "allergy-recorded-1.yaml"
    run(example)
    run(catalogue)
    assert run(new) == f"begun: {module}\n"
    assert run(check).endswith("1 module, no fault\n")
    assert "AllergyIntolerance" in module.read_text(encoding="utf-8")
    run(edit)
    run(schema)
    assert run(check) == "1 module, no fault\n"
    assert '"substance": "91936005"' in run(keep)
    assert run(test) == "1 case, 0 failed\n"
    explained = run(explain)
    assert "    from Bundle.entry[1].resource.code.coding[0].code\n" in explained
    assert "branches and codes reached\n" in explained

    log, received = tmp_path / "gateway.log", tmp_path / "received"
    with running(serve, log, GATEWAY_HTTP__PORT=str(port)), running(listen, received):
        eventually(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 20, log.read_text)
        eventually(lambda: listens(webhook), 20, received.read_text)
        assert "201 Created" in run(subscribe)
        assert "202 Accepted" in run(publish)
        eventually(lambda: "{" in received.read_text(), 20, log.read_text)
    told = next(line for line in received.read_text().splitlines() if line.startswith("{"))
    parameters = {one["name"]: one for one in json.loads(told)["entry"][0]["resource"]["parameter"]}
    context = {part["name"]: part for part in parameters["additional-context"]["part"]}
    assert context["event-type"]["valueString"] == "allergy-recorded-1"
    assert context["subject"]["valueReference"]["identifier"]["value"] == "9990001022"
    focus = parameters["notification-event"]["part"][-1]
    assert focus["valueReference"]["reference"].startswith(f"http://127.0.0.1:{port}/claim-check/")


def test_the_fault_that_the_page_shows_is_what_is_told(tmp_path: Path) -> None:
    bridge = tmp_path / "bridge"
    example, _, new, edit = (block.replace("var/bridge", str(bridge)) for block in blocks("sh")[:4])
    new = new.replace(".venv/bin/gateway", f"{sys.executable} -m gateway")
    for block in (example, new, edit.replace("{{ %substance }}", "{{ %substanse }}")):
        run(block)
    command = [sys.executable, "-m", "gateway", "mapping", "validate", "--mappings", str(bridge / "mappings")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    (shown,) = blocks("text")
    assert told.replace(str(bridge), "var/bridge") == shown

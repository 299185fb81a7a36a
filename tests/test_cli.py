"""The command line, run as a person runs it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.store.sqlite.database import MIGRATIONS
from tests.harness import Gateway, Listener, eventually, message, run
from tests.ports import free_port


def test_help_names_every_command() -> None:
    told = run("--help").stdout
    for command in ("serve", "migrate", "demo", "events", "mesh", "nems", "mapping"):
        assert command in told


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"GATEWAY_HTTP__PORT": "x"}, "GATEWAY_HTTP__PORT"),
        ({"GATEWAY_HTTP__HOST": "0.0.0.0"}, "GATEWAY_SECURITY__MODE=closed"),
        ({"GATEWAY_APPLICATIONS": "/no/such.yaml"}, "/no/such.yaml: No such file"),
        ({"GATEWAY_STORE__URL": "sqlite:////proc/no/gateway.db"}, "/proc/no/gateway.db"),
        ({"GATEWAY_COLOUR": "red"}, "GATEWAY_COLOUR: there is no such setting"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path: Path, environment: dict[str, str], says: str) -> None:
    defaults = {"GATEWAY_STORE__URL": f"sqlite:///{tmp_path}/g.db", "GATEWAY_HTTP__PORT": str(free_port())}
    done = run("serve", **(defaults | environment))
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert done.stderr.startswith("gateway: ")
    assert done.stderr.count("\n") == 1


def test_a_taken_port_stops_the_start_with_one_line(tmp_path: Path, listener: Listener) -> None:
    environment = {"GATEWAY_STORE__URL": f"sqlite:///{tmp_path}/g.db", "GATEWAY_HTTP__PORT": str(listener.port)}
    done = run("serve", **environment)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{listener.port}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_database_in_use_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        done = run("serve", **{**gateway.environment, "GATEWAY_HTTP__PORT": str(free_port())})
    assert done.returncode == 2
    assert "another gateway has it open" in done.stderr
    assert done.stderr.count("\n") == 1


def test_migrate_makes_the_database_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/g.db"
    applied = run("migrate", GATEWAY_STORE__URL=url).stdout.splitlines()
    assert applied[0] == "applied 0001 initial"
    assert len(applied) == len(list(MIGRATIONS.glob("*.sql")))
    assert run("migrate", GATEWAY_STORE__URL=url).stdout == "nothing to do\n"


def test_events_are_listed_and_shown_while_the_gateway_runs(tmp_path: Path, listener: Listener) -> None:
    with Gateway(tmp_path) as gateway:
        environment = {"GATEWAY_STORE__URL": gateway.environment["GATEWAY_STORE__URL"]}
        assert run("events", "list", **environment).stdout == "no events yet\n"
        subscription = gateway.subscribe_webhook(listener.url)
        gateway.publish(message())
        eventually(lambda: gateway.events()[0].deliveries[0].state == "delivered")
        listed = run("events", "list", **environment).stdout
        (told,) = json.loads(run("events", "list", "--json", **environment).stdout)
        assert told["id"] in listed
        shown = run("events", "show", told["id"].lower(), **environment).stdout
        whole = json.loads(run("events", "show", told["id"], "--json", **environment).stdout)
    assert re.search(rf"delivered, rest-hook {listener.url}\n +for subscriptions {subscription}\n", shown)
    assert "attempt 1: delivered 204" in shown
    (delivery,) = whole["deliveries"]
    assert (delivery["state"], delivery["subscriptions"]) == ("delivered", [subscription])
    assert [attempt["status"] for attempt in delivery["attempts"]] == [204]


def test_an_event_that_nobody_asked_for_says_so(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        gateway.publish(message())
        environment = {"GATEWAY_STORE__URL": gateway.environment["GATEWAY_STORE__URL"]}
        (told,) = json.loads(run("events", "list", "--json", **environment).stdout)
        assert "no subscription matched" in run("events", "show", told["id"], **environment).stdout


@pytest.mark.parametrize(("identity", "says"), [("x", "not an id"), ("0000000000000", "there is no such event")])
def test_an_event_that_is_not_there_is_told_in_one_line(tmp_path: Path, identity: str, says: str) -> None:
    url = f"sqlite:///{tmp_path}/g.db"
    run("migrate", GATEWAY_STORE__URL=url)
    done = run("events", "show", identity, GATEWAY_STORE__URL=url)
    assert done.returncode == 2
    assert says in done.stderr


def test_the_demo_does_the_main_job_and_shows_it(tmp_path: Path) -> None:
    arguments = ("--once", "--folder", str(tmp_path), "--port", str(free_port()), "--mesh-port", str(free_port()))
    for _ in range(2):
        done = run("demo", *arguments)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        rows = [line for line in lines if re.search(r"delivered, HTTP 20[24] +\d+ ms", line)]
        assert len(rows) == 6
        for event in ("pds-change-of-gp-1", "pds-record-change-1", "vaccinations-1"):
            assert sum(row.startswith(event) for row in rows) == 2
        assert sum("mesh" in row for row in rows) == 3


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_serves_on_and_stops_cleanly(tmp_path: Path, end: signal.Signals) -> None:
    port, mesh_port = free_port(), free_port()
    command = [sys.executable, "-m", "gateway", "demo", "--folder", str(tmp_path)]
    command += ["--port", str(port), "--mesh-port", str(mesh_port)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(process.terminate)  # whatever fails here, it must not serve on
        assert process.stdout
        printed = ""
        while "events list" not in printed and process.poll() is None:
            printed += process.stdout.readline()
        curl = printed[printed.index("  curl") : printed.index("\nand see")]
        answer = subprocess.run(curl.strip(), shell=True, capture_output=True, text=True, timeout=20)
        assert "202 Accepted" in answer.stdout, answer
        command_shown = printed[printed.index("  GATEWAY_STORE__URL") :].strip()
        listed = subprocess.run(command_shown, shell=True, capture_output=True, text=True, timeout=20).stdout
        assert listed.count("pds-change-of-gp-1") == 2
        for _ in range(10):  # a shell and make both pass it on
            process.send_signal(end)
            time.sleep(0.02)
        assert process.wait(20) == 0
    for closed in (port, mesh_port):
        eventually(lambda closed=closed: _refuses(closed))


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_demo_whose_port_is_taken_says_so_in_one_line(tmp_path: Path, listener: Listener) -> None:
    done = run(
        "demo", "--once", "--folder", str(tmp_path), "--port", str(listener.port), "--mesh-port", str(free_port())
    )
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{listener.port}" in done.stderr
    assert done.stderr.count("\n") == 1

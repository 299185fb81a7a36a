"""What an operator sees of retention."""

from __future__ import annotations

import json
from pathlib import Path

from gateway import ids
from tests.harness import Gateway, message, run


def test_an_erased_event_is_told_of_by_a_line(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        assert gateway.publish(message()).status_code == 202
        (trace,) = gateway.events()
        short = {**gateway.environment, "GATEWAY_RETENTION__DAYS": "0.000001"}
        assert run("retention", "run", "--dry-run", **short).stdout.splitlines() == [
            "pds-change-of-gp-1: 1", "1 events would be erased",
        ]  # fmt: skip
        assert run("retention", "run", **short).stdout == "1 events erased\n"
        shown = run("events", "show", ids.show(trace.event.row_id), "--json", **gateway.environment)
    told = json.loads(shown.stdout)
    assert (told["publisher_id"], told["erased"], told["delivered"], told["dead"]) == (trace.event.id, True, 0, 0)
    assert trace.event.subject
    assert trace.event.subject not in shown.stdout

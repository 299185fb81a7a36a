"""Writes the generated pages of docs/reference: `make docs`. A test holds them to what this would write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from docs import faults, results, rules
from docs.command_line import command_line
from gateway import catalogue, metrics
from gateway.faces.mns.answers import ERRORS, FAULTS
from gateway.faces.nems.spine import CODES
from gateway.faces.r4 import outcome
from gateway.mapping.modules import Modules
from gateway.resources import folder

REFERENCE = Path(__file__).with_name("reference")
NOTICE = "<!-- Written by `make docs`; change what it is made of instead. -->\n\n"


def pages() -> dict[str, str]:
    """Every generated page, by its file name."""
    return {
        "settings.md": _settings(),
        "event-types.md": _event_types(),
        "metrics.md": _metrics(),
        "errors.md": _errors(),
        "mappings.md": _mappings(),
        "cli.md": f"# Command line\n\n{NOTICE}{command_line()}",
        "mapping-results.md": _mapping_results(),
        "faults.md": _with_notice(faults.page()),
        **{name: _with_notice(page) for name, page in rules.pages().items()},
    }


def _with_notice(page: str) -> str:
    title, rest = page.split("\n\n", 1)
    return f"{title}\n\n{NOTICE}{rest}"


def _settings() -> str:
    rows, section, said = [], "", []
    for line in (folder("config") / "default.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section, said = line.strip("[]"), []
        elif line.startswith("#"):
            said.append(line.removeprefix("#").strip())
        elif " = " in line:
            name, _, default = line.partition(" = ")
            path = f"{section}.{name}" if section else name
            variable = "GATEWAY_" + path.upper().replace(".", "__")
            rows.append((f"`{path}`", f"`{variable}`", f"`{default}`", " ".join(said)))
            said = []
        else:
            said = []
    return f"# Settings\n\n{NOTICE}{_table(('setting', 'environment variable', 'default', 'meaning'), rows)}"


def _event_types() -> str:
    rows = [
        (
            f"`{one.id}`", one.name, one.state, f"`{one.nems.workflow}`" if one.nems else "",
            f"`{one.mns.type}`" if one.mns else "", f"`{one.topic}`", ", ".join(f"`{name}`" for name in one.filters),
        )
        for one in catalogue.load(folder("config") / "event-types")
    ]  # fmt: skip
    heads = ("event type", "name", "state", "MESH workflow", "MNS type", "topic", "filters")
    return f"# Event types\n\n{NOTICE}{_table(heads, rows)}"


def _metrics() -> str:
    text = "What `GET /metrics` tells beside `python_*` and `process_*`, which are of the gateway's own process. A "
    text += "histogram has `_bucket`, `_count` and `_sum` at the end of its name.\n\n"
    rows = []
    for one in vars(metrics).values():
        if hasattr(one, "describe") and not isinstance(one, type):
            labels = ", ".join(f"`{label}`" for label in getattr(one, "label_names", getattr(one, "_labelnames", ())))
            for told in one.describe():
                name = f"{told.name}_total" if told.type == "counter" else told.name
                rows.append((f"`{name}`", told.type, labels, told.documentation))
    return f"# Metrics\n\n{NOTICE}{text}{_table(('metric', 'type', 'labels', 'meaning'), sorted(rows))}"


def _errors() -> str:
    nems, mns, r4 = _nems_errors(), _mns_errors(), _r4_errors()
    return f"# Errors\n\n{NOTICE}## NEMS face\n\n{nems}\n## MNS face\n\n{mns}\n## R4 face\n\n{r4}"


def _nems_errors() -> str:
    text = "What the NEMS face says for each reason, which is the code of `details` where Spine has such a code; place "
    text += "and words stand in `diagnostics`.\n\n"
    rows = [
        (f"`{name}`", str(code.status), f"`{code.issue}`", f"`{code.name or name}`", code.display)
        for name, code in CODES.items()
    ]
    return text + _table(("reason", "HTTP status", "issue.code", "details.coding.code", "display"), rows)


def _r4_errors() -> str:
    text = "What is wrong stands in `diagnostics`, its place in `expression`. Whatever is not in the table is "
    text += f"{outcome.OTHER[0]}, `{outcome.OTHER[1]}`.\n\n"
    rows = [(f"`{name}`", str(status), f"`{code}`") for name, (status, code) in outcome.CODES.items()]
    return text + _table(("reason", "HTTP status", "issue.code"), rows)


def _mns_errors() -> str:
    text = 'What is wrong with a body is told at its key, 400: `{"validationErrors": {key: words}}`. The rest:\n\n'
    faults = [
        (f"`{name}`", str(status), f'`{{"fault": {{"faultstring": "{words}", "detail": {{"errorcode": "{code}"}}}}}}`')
        for name, (status, words, code) in FAULTS.items()
    ]
    errors = [
        (f"`{name}`", str(status), f'`{{"errors": "{words}"}}`' if words else '`{"errors": …}`')
        for name, (status, words) in ERRORS.items()
    ]
    return text + _table(("reason", "HTTP status", "body"), [*faults, *errors])


def _mappings() -> str:
    modules = sorted(Modules.load(folder("mappings")), key=lambda module: (module.source, module.target, module.name))
    rows = [
        (
            f"`{one.name}` {one.version}", f"`{one.source}`", f"`{one.target}`",
            ", ".join(f"`{event}`" for event in one.events) or "any", " ".join(one.summary.split()),
        )
        for one in modules
    ]  # fmt: skip
    return f"# Mapping modules\n\n{NOTICE}{_table(('module', 'from', 'to', 'event types', 'what it does'), rows)}"


def _mapping_results() -> str:
    text = """What every mapping makes of the cases that stand beside the modules, without a retrieved record unless a
case has one. `valid` means that the gateway's own validator finds no error in what comes out, `mapped` that the form is
not one of FHIR's; a refusal has its reason, and the case says at which place.
"""
    parts = [f"# Mapping results\n\n{NOTICE}{text}"]
    every = "An event with every attribute and every filter: what of it comes back, and whether NEMS can be told of it."
    parts.append(f"## Every event type\n\n{every}\n\n{_table(results.TYPE_HEADS, results.by_event_type())}")
    for form, rows in results.incoming().items():
        parts.append(f"## From `{form}`\n\n{_table(results.IN_HEADS, rows)}")
    for form, rows in results.outgoing().items():
        parts.append(f"## From an event to `{form}`\n\n{_table(results.OUT_HEADS, rows)}")
    return "\n".join(parts)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(heads), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    rule = "|" + "---|" * len(lines[0])
    written = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([written[0], rule, *written[1:]]) + "\n"


if __name__ == "__main__":
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")

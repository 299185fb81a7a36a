"""A first draft of a module, from an example of what it will read."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway.errors import ConfigurationError
from gateway.mapping.forms import Form, forms, kind, suggestion
from gateway.mapping.tools import messages
from gateway.mapping.tools.facts import facts
from gateway.mapping.tools.workspace import yaml_files
from gateway.resources import folder as shipped_folder

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HEADER: Final = ("header", "patient")
"""The fragments that know what every NEMS message says."""
_MOMENT: Final = "2000-01-01T00:00:00Z"
_PLACEHOLDERS: Final = {
    "boolean": "false",
    "integer": "0",
    "positiveInt": "1",
    "decimal": "0",
    "instant": _MOMENT,
    "dateTime": _MOMENT,
    "date": _MOMENT[:10],
    "time": _MOMENT[11:19],
}
_EVENT: Final = """\
  id: "{{ %id }}"
  source: "{{ %source }}"
  type: "{{ %eventCode }}"
  time: "{{ %time }}"
  subject: "{{ %nhsNumber }}"
  # Where the data is: here, the gateway's own copy of the message.
  dataref: "{{ %claimCheck }}"
  versionid: "{{ %versionId }}"
  # What subscribers may filter by, as the event type's entry in the catalogue has it.
  # filtering:
  #   name: "{{ %name }}"
"""


def create(folder: Path, name: str, example: Path, target: str, source: str = "") -> Path:
    """Write the module `name` under `folder`, and beside it the fragments that it includes; its file.

    `source` is the form of the example, guessed when "". Nothing that is in the example is written but the names of its
    elements, code systems, extensions, and its event.

    Raises:
        ConfigurationError: the name is taken or cannot be one, a form does not exist, or the example cannot be read.
        Refusal: the example is not valid.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"'{name}': a module's name is small letters, digits and dashes")
    goal = _form(target)
    form = _form(source or _guess(example))
    message = messages.read(example, form).resource
    message_event = _event(message)
    place = _place(folder) if message_event else folder
    path = place / f"{name}.yaml"
    if path.exists():
        raise ConfigurationError(f"{path}: there is a module already")
    place.mkdir(parents=True, exist_ok=True)
    text = "".join(_text(name, form, goal, message, message_event))
    if message_event:
        _bring_fragments(place)
    path.write_text(text, encoding="utf-8")
    return path


def _text(name: str, source: Form, target: Form, message: dict[str, Any], event: str) -> Iterator[str]:
    yield f"# Begun by `gateway mapping new`, from an example. What to change is said in comments.\nmapping: {name}\n"
    yield "version: 0.1.0\n# Change this: what the module is for, in one line.\nsummary: A first draft.\n"
    yield f"source: {source.name}\ntarget: {target.name}\n"
    if event:
        yield f"when: {{event: [{event}]}}\ninclude: [{', '.join(_HEADER)}]\n"
    yield "\n# What the example says. Take the # off vars and off each fact that you use below, as %name.\n# vars:\n"
    yield from (f"#   {fact}: {expression}\n" for fact, expression in facts(message, source).items())
    if event:
        yield f"""
# All that a message must have, beside what the included fragments ask for.
require:
  - that: "%eventCode = '{event}'"
    reason: INVALID_CODE_VALUE
    at: Bundle.entry[0].resource.event.code
    message: the event must be {event}
"""
    yield "\n# Change this: the target, written as data.\noutput:\n"
    yield _EVENT if event and target.name == "event" else "".join(_mandatory(source, target))
    yield "\n# What the module leaves out, and knows it: expressions.\n# ignore:\n#   - ...\n"


def _mandatory(source: Form, target: Form) -> Iterator[str]:
    if messages.tables_of(target):
        yield f"  resourceType: {target.root}\n"
    yield from _fields(source, target, target.root, "  ")


def _fields(source: Form, target: Form, type_name: str, indent: str) -> Iterator[str]:
    alike = type_name == target.root and not messages.tables_of(source) and not messages.tables_of(target)
    shared = source.fields(source.root) if alike else {}
    for name, field in target.fields(type_name).items():
        if name in shared and shared[name].type == field.type and kind(field.type) != "object":
            yield f'{indent}{name}: "{{{{ {source.root}.{name} }}}}"\n'
        elif field.required and kind(field.type) == "object":
            yield f"{indent}{name}:\n{indent}  {'- ' if field.is_list else ''}"
            deeper = f"{indent}  {'  ' if field.is_list else ''}"
            yield "".join(_fields(source, target, field.type, deeper)).lstrip()
        elif field.required:
            value = _PLACEHOLDERS.get(field.type) or _PLACEHOLDERS.get(kind(field.type), "change-me")
            yield f"{indent}{name}: {value}\n"


def _event(message: dict[str, Any]) -> str:
    """The event that a NEMS message tells of, "" where it is none."""
    try:
        header = message["entry"][0]["resource"]
        code = header["event"]["code"] if header["resourceType"] == "MessageHeader" else ""
    except (KeyError, IndexError, TypeError):
        return ""
    return code if _NAME.fullmatch(code) else ""


def _guess(example: Path) -> str:
    text = messages.contents(example).lstrip()
    if text.startswith(b"<"):
        return "nems-message"
    found = messages.read_object(text)
    if "resourceType" in found:
        return "nems-message" if found.get("type") == "message" else "mns-signal"
    return "cloudevent" if "specversion" in found else "event"


def _form(name: str) -> Form:
    if name not in forms():
        raise ConfigurationError(f"there is no form '{name}'{suggestion(name, forms())}")
    return forms()[name]


def _place(folder: Path) -> Path:
    """Where in the folder modules for NEMS messages stand: beside the fragments that they include."""
    return next((path.parent for path in yaml_files(folder) if path.stem == _HEADER[0]), folder)


def _bring_fragments(place: Path) -> None:
    for path in yaml_files(shipped_folder("mappings")):
        if path.stem in _HEADER and not (place / path.name).exists():
            shutil.copyfile(path, place / path.name)

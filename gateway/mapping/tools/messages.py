"""Messages in files: read in the form that a module takes, and written in the form that it gives."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.errors import ConfigurationError, Issue, Refusal
from gateway.fhir.json import parse_json, render_json
from gateway.fhir.tables import Tables
from gateway.fhir.validate import validate
from gateway.fhir.wire import Parsed
from gateway.fhir.xml import parse_xml
from gateway.fhir.xml_render import render_xml
from gateway.mapping import validity
from gateway.mapping.forms import Form

_DECODER: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def read(path: Path, form: Form) -> Parsed:
    """The message of a file, XML or JSON by what it begins with, validated when the form is one of FHIR's.

    Raises:
        ConfigurationError: the file cannot be read.
        Refusal: it is not a valid message of the form.
    """
    body = contents(path)
    tables = tables_of(form)
    if tables is None:
        return Parsed(read_object(body))
    parsed = (parse_xml if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else parse_json)(body, tables)
    issues = validate(parsed.resource, tables)
    if any(issue.severity == "error" for issue in issues):
        raise Refusal(issues)
    return Parsed(parsed.resource, (*parsed.warnings, *issues))


def contents(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object, numbers with a fraction as Decimal.

    Raises:
        Refusal: it is none.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, ArithmeticError, ValueError, RecursionError):
        raise Refusal.because("MESSAGE_NOT_WELL_FORMED", "this is not a JSON object") from None


def errors(message: dict[str, Any], form: Form) -> list[Issue]:
    """What makes a message invalid in its form."""
    return [issue for issue in validity.faults(message, form) if issue.severity == "error"]


def as_json(message: dict[str, Any]) -> str:
    """The message as indented JSON."""
    return msgspec.json.format(render_json(message), indent=2).decode()


def as_xml(message: dict[str, Any], form: Form) -> str:
    """The message as XML.

    Raises:
        ConfigurationError: the form is not one of FHIR's.
    """
    tables = tables_of(form)
    if tables is None:
        raise ConfigurationError(f"{form.name} is JSON only")
    return render_xml(message, tables).decode()


def tables_of(form: Form) -> Tables | None:
    """The type tables of a FHIR form, None for another."""
    return form.types if isinstance(form.types, Tables) else None

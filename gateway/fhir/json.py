"""FHIR JSON read into plain dicts, and written from them; decimals keep their digits both ways."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from gateway.errors import Refusal
from gateway.fhir.tables import Tables
from gateway.fhir.wire import INVALID, MAX_DEPTH, NOT_WELL_FORMED, Parsed, decimal_text

_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_PLAIN: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_BYTE = re.compile(r"\(byte (\d+)\)").search
_MAX_NESTING: Final = 2 * MAX_DEPTH  # each object may be in an array


def parse_json(body: bytes, tables: Tables) -> Parsed:
    """Read a resource from UTF-8 JSON; of its structure only the resource type is looked at, `validate` does the rest.

    Raises Refusal: MESSAGE_NOT_WELL_FORMED as `read_object` does; INVALID_RESOURCE for an object that is no resource.
    """
    resource = read_object(body, _DECODER)
    if not tables.is_resource(str(resource.get("resourceType"))):
        raise Refusal.because(INVALID, "resourceType is not a resource of this FHIR version", "resourceType")
    return Parsed(resource)


def read_object(body: bytes, decoder: msgspec.json.Decoder[Any] = _PLAIN) -> dict[str, Any]:
    """Read one object of any structure from UTF-8 JSON.

    Raises Refusal: MESSAGE_NOT_WELL_FORMED, with the position where there is one, for text that is not one JSON object,
    nests deeper than 200 or has a member twice.
    """
    try:
        value = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, ValueError) as error:
        raise Refusal.because(NOT_WELL_FORMED, "the JSON is not well-formed", _place(error, body)) from None
    except RecursionError:
        raise _too_deep() from None
    if type(value) is not dict:
        raise Refusal.because(NOT_WELL_FORMED, "the JSON is not an object", "byte 0")
    _refuse_depth(body, value)
    _refuse_repeats(body, value)
    return value


def render_json(resource: dict[str, Any]) -> bytes:
    """Write a resource as compact UTF-8 JSON, with each Decimal as a number of the digits it came with."""
    text = _ENCODER.encode(resource)
    # The encoder writes a decimal below a millionth with an exponent: those few messages are written again, slowly.
    return _ENCODER.encode(_written_out(resource)) if b"E-" in text else text


def _place(error: Exception, body: bytes) -> str:
    """Where the decoder stopped; the rest of what it says may quote the message."""
    position = _BYTE(str(error))
    if position:
        return f"byte {position[1]}"
    return f"byte {len(body)}" if "truncated" in str(error) else ""


def _written_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _written_out(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_written_out(item) for item in value]
    return msgspec.Raw(decimal_text(value).encode()) if isinstance(value, Decimal) else value


def _refuse_depth(body: bytes, resource: dict[str, Any]) -> None:
    # Each level takes two signs at least.
    if len(body) <= 2 * _MAX_NESTING or body.count(b"{") + body.count(b"[") <= _MAX_NESTING:
        return
    level: list[Any] = [resource]
    for _ in range(_MAX_NESTING):
        inner = [list(item.values()) if type(item) is dict else item for item in level]
        level = [item for items in inner for item in items if type(item) in (dict, list)]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> Refusal:
    return Refusal.because(NOT_WELL_FORMED, f"the JSON nests deeper than {_MAX_NESTING}")


def _refuse_repeats(body: bytes, resource: dict[str, Any]) -> None:
    """Of a member that is there twice the decoder keeps one, which readers of the same message may not agree on.

    Every quote of the text is written again, unless a member was lost. With other escapes than that of a quote,
    Python's own decoder looks at each object.
    """
    again = _ENCODER.encode(resource)
    if again == body:
        return
    escapes = body.count(b"\\")
    only_quotes = not escapes or escapes == body.count(b'\\"')
    if only_quotes and body.count(b'"') == again.count(b'"'):
        return
    json.loads(body, object_pairs_hook=_refuse_repeat)


def _refuse_repeat(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refusal.because(NOT_WELL_FORMED, "an object of the JSON has a member twice")

"""Reference data as the bytes that the store keeps, and back."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping

import msgspec

from gateway.reference.data import Area, Postcodes, Practice

_practices = msgspec.msgpack.Decoder(dict[str, tuple[str, str]])
_suppliers = msgspec.msgpack.Decoder(dict[str, str])
_postcodes = msgspec.msgpack.Decoder(tuple[list[Area], bytes, bytes])


def pack_practices(practices: Mapping[str, Practice]) -> bytes:
    """Practices by their ODS codes."""
    return msgspec.msgpack.encode({code: (one.commissioner, one.postcode) for code, one in practices.items()})


def unpack_practices(body: bytes) -> dict[str, Practice]:
    """What `pack_practices` made."""
    return {code: Practice(*one) for code, one in _practices.decode(body).items()}


def pack_suppliers(suppliers: Mapping[str, str]) -> bytes:
    """Suppliers by the ODS codes of organisations."""
    return msgspec.msgpack.encode(dict(suppliers))


def unpack_suppliers(body: bytes) -> dict[str, str]:
    """What `pack_suppliers` made."""
    return _suppliers.decode(body)


def pack_postcodes(postcodes: Postcodes) -> bytes:
    """The arrays as they stand in memory, with the low byte first."""
    numbers, places = (_low_byte_first(one).tobytes() for one in (postcodes.numbers, postcodes.places))
    return msgspec.msgpack.encode((list(postcodes.areas), numbers, places))


def unpack_postcodes(body: bytes) -> Postcodes:
    """What `pack_postcodes` made."""
    areas, *packed = _postcodes.decode(body)
    numbers, places = array("Q"), array("H")
    numbers.frombytes(packed[0])
    places.frombytes(packed[1])
    return Postcodes(_low_byte_first(numbers), _low_byte_first(places), areas)


def _low_byte_first(rows: array[int]) -> array[int]:
    if sys.byteorder == "little":
        return rows
    turned = array(rows.typecode, rows)
    turned.byteswap()
    return turned

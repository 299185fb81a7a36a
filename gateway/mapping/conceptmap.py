"""Code translation by FHIR ConceptMap resources (FHIR R4, ConceptMap)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import ModuleError, Refusal
from gateway.fhir.primitives import CHECKS

# FHIR R4, value set concept-map-equivalence: these two say that there is no translation.
_NO_TRANSLATION: Final = frozenset(("unmatched", "disjoint"))


class _Target(msgspec.Struct):
    equivalence: str
    code: str | None = None


class _Element(msgspec.Struct):
    code: str
    target: list[_Target] = []


class _Unmapped(msgspec.Struct):
    mode: str


class _Group(msgspec.Struct):
    element: list[_Element]
    source: str = ""
    target: str = ""
    unmapped: _Unmapped | None = None


class _File(msgspec.Struct, tag="ConceptMap", tag_field="resourceType"):
    name: str
    group: list[_Group]


class Translator:
    """Translates a code that stands at a path by `table`.

    Calling it raises Refusal INVALID_CODE_VALUE for a code that the table has not.
    """

    __slots__ = ("file", "name", "table")

    def __init__(self, name: str, file: str, table: Mapping[str, str]) -> None:
        self.name, self.file, self.table = name, file, table

    def __call__(self, code: str, path: str) -> str:
        found = self.table.get(code)
        if found is None:
            raise Refusal.because("INVALID_CODE_VALUE", f"ConceptMap '{self.name}' has no such code", path)
        return found


class ConceptMap:
    """One ConceptMap, as a table of codes in each direction."""

    def __init__(self, name: str, pairs: list[tuple[str, str]], file: str) -> None:
        self.name, self._pairs, self._file = name, pairs, file

    def forward(self) -> Translator:
        """What translates a code.

        Raises:
            ModuleError: a code has two translations.
        """
        return self._translator(self._pairs)

    def backward(self) -> Translator:
        """The same the other way.

        Raises:
            ModuleError: two codes have the same translation, so that there is no one way back.
        """
        return self._translator([(target, source) for source, target in self._pairs])

    def _translator(self, pairs: list[tuple[str, str]]) -> Translator:
        table: dict[str, str] = {}
        for code, translation in pairs:
            if table.setdefault(code, translation) != translation:
                raise ModuleError(f"ConceptMap '{self.name}' has two translations of '{code}'", file=self._file)
        return Translator(self.name, self._file, table)


def load(file: Path) -> ConceptMap:
    """Read a ConceptMap from a JSON file; its name is that of the resource.

    Raises:
        ModuleError: it is not a ConceptMap that codes can be translated by.
    """
    try:
        content = msgspec.json.decode(file.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError) as error:
        raise ModuleError(f"not a ConceptMap: {error}", file=str(file)) from None
    return ConceptMap(content.name, list(_pairs(content, str(file))), str(file))


def _pairs(content: _File, file: str) -> Iterator[tuple[str, str]]:
    for group in content.group:
        if group.unmapped:
            raise ModuleError("group.unmapped is not supported: a code that is not mapped is refused", file=file)
        for element in group.element:
            for target in element.target:
                if target.code and target.equivalence not in _NO_TRANSLATION:
                    _hold_codes(element.code, target.code, file)
                    yield element.code, target.code


def _hold_codes(code: str, translation: str, file: str) -> None:
    for text in (code, translation):
        if not CHECKS["code"](text):
            raise ModuleError(f"'{text}' is not a code (FHIR R4, Primitive Types)", file=file)


def load_all(folder: Path) -> dict[str, ConceptMap]:
    """Every ConceptMap in a folder, by the stem of its file; none where there is no such folder."""
    return {file.stem: load(file) for file in sorted(folder.glob("*.json"))}

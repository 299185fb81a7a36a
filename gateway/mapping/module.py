"""A mapping module, ready to use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from gateway.errors import ModuleError, Refusal
from gateway.mapping.compiler import Made
from gateway.mapping.conceptmap import ConceptMap
from gateway.mapping.context import Context
from gateway.mapping.declaration import declaration
from gateway.mapping.forms import suggestion

NO_CONTEXT: Final = Context()

Inputs = Mapping[str, Mapping[str, Any]]
"""Further sources by the names that modules read them by; one that is absent is left out."""

NO_INPUTS: Final[Inputs] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One module; `events` is empty when it is for any event type.

    `inputs` has the forms of its further sources by name, `params` the defaults of its params, `vars` the names of its
    facts, `ignore` the paths that it leaves out on purpose, and `code` is the Python that it was compiled to.
    """

    file: str
    name: str
    version: str
    summary: str
    source: str
    target: str
    events: tuple[str, ...]
    inputs: Mapping[str, str]
    params: Mapping[str, str]
    vars: tuple[str, ...]
    ignore: tuple[str, ...]
    made: Made = field(repr=False)
    code: str = field(repr=False)
    run: Callable[[Mapping[str, Any], Context, Inputs], dict[str, Any]] = field(repr=False)

    def apply(
        self, source: Mapping[str, Any], context: Context = NO_CONTEXT, inputs: Inputs = NO_INPUTS
    ) -> dict[str, Any]:
        """The target form of `source`, both in FHIR JSON form; parts of the source may be shared, so change neither.

        `inputs` may hold more than the module declares, or less.

        Raises:
            Refusal: the source cannot be mapped; whatever its shape, nothing else is raised.
        """
        try:
            return self.run(source, context, inputs)
        except Refusal as refusal:
            # What concerns no part of the source concerns all of it.
            raise Refusal(replace(issue, location=issue.location or self.root) for issue in refusal.issues) from None
        except Exception:
            # Only a source that was not validated gets here, and the text of the error may hold what it says.
            text = f"this is not a {self.source} of the right structure"
            raise Refusal.because("INVALID_RESOURCE", text, self.root) from None

    @property
    def root(self) -> str:
        """The type of the root of the source."""
        return self.made.declared.source.root

    def variables(
        self, source: Mapping[str, Any], context: Context = NO_CONTEXT, inputs: Inputs = NO_INPUTS
    ) -> dict[str, list[Any] | Refusal]:
        """All values of each var of the module and its fragments, or why there are none; for tools, not for speed."""
        found: dict[str, list[Any] | Refusal] = {}
        for name, run in _evaluators(self.made).items():
            try:
                found[name] = run(source, context, inputs)
            except Refusal as refusal:
                found[name] = refusal
        return found


@lru_cache(maxsize=64)
def _evaluators(made: Made) -> dict[str, Callable[..., list[Any]]]:
    return {name: made.expression(var.expression).function() for name, var in made.declared.parts.vars.items()}


def diagnose(path: Path, maps: Mapping[str, ConceptMap], params: Mapping[str, str] | None = None) -> list[ModuleError]:
    """Everything that is wrong with a module file, in the order of the file; nothing when it can be loaded.

    Only the first is told of what is wrong with its shape: YAML, keys, names.
    """
    try:
        return Made(declaration(path), params or {}, maps).faults()
    except ModuleError as error:
        return [error]


def unknown_events(module: Module, known: Collection[str]) -> list[ModuleError]:
    """An error for each event type that a module is for and that is none of those known: it would never be used."""
    return [
        event.place.error(f"there is no event type '{event.value}'{suggestion(str(event.value), known)}")
        for event in module.made.declared.events
        if event.value not in known
    ]


def load_module(path: Path, maps: Mapping[str, ConceptMap], params: Mapping[str, str] | None = None) -> Module:
    """Read and compile a module file; `params` overrides the defaults of params it has.

    Raises:
        ModuleError: the module is wrong.
    """
    declared = declaration(path)
    made = Made(declared, params or {}, maps)
    compiled = made.module()
    return Module(
        file=declared.file,
        name=declared.name,
        version=declared.version,
        summary=declared.summary,
        source=declared.source.name,
        target=declared.target.name,
        events=tuple(str(event.value) for event in declared.events),
        inputs={name: form.name for name, (form, _) in declared.parts.inputs.items()},
        params={name: default for name, (default, _) in declared.parts.params.items()},
        vars=tuple(declared.parts.vars),
        ignore=tuple(str(path.value) for path in declared.ignore),
        made=made,
        code=compiled.source,
        run=compiled.function(),
    )

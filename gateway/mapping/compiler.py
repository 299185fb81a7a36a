"""Compiles a declared module into one Python function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gateway.errors import Issue, ModuleError
from gateway.mapping import context, expect, runtime, terms
from gateway.mapping.checker import Checker, placed
from gateway.mapping.code import Code, Lines
from gateway.mapping.conceptmap import ConceptMap
from gateway.mapping.declaration import Declaration, Require, Var
from gateway.mapping.document import ScalarNode
from gateway.mapping.faults import Faults
from gateway.mapping.forms import suggestion
from gateway.mapping.generator import Generator
from gateway.mapping.loops import ABSENT, BUDGET, SOURCE
from gateway.mapping.template import Template
from gateway.mapping.terms import Term

_CONTEXT, _INPUTS, _FUNCTION, _PROBLEMS = "c", "i", "run", "p"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The generated function, its text, and the objects that it refers to, by the names that it has for them."""

    source: str
    objects: Mapping[str, Any]

    def function(self) -> Callable[..., Any]:
        """Make the function."""
        names = {"__builtins__": {}, ABSENT: {}, **self.objects}
        exec(compile(self.source, "<mapping>", "exec"), names)  # noqa: S102
        found: Callable[..., Any] = names[_FUNCTION]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a module is compiled from: its declaration, params that override defaults, and every ConceptMap there is."""

    declared: Declaration
    params: Mapping[str, str]
    maps: Mapping[str, ConceptMap]

    def module(self, code: Code | None = None) -> Compiled:
        """Compile the module.

        Raises:
            ModuleError: it is wrong, at the first place that is.
        """
        return _Compiler(self, Faults(), code or Code()).compiled()

    def faults(self) -> list[ModuleError]:
        """Everything that is wrong with the module, as far as one mistake does not hide another."""
        faults = Faults(keep=True)
        _Compiler(self, faults, Code()).compiled()
        return sorted(faults.found, key=lambda error: (error.file, error.line, error.column))

    def expression(self, expression: ScalarNode) -> Compiled:
        """Compile an expression that may use all that the module names; the function gives a list of what it finds.

        Raises:
            ModuleError: it is wrong.
        """
        return _Compiler(self, Faults(), Code()).evaluator(expression)


class _Compiler:
    def __init__(self, made: Made, faults: Faults, code: Code) -> None:
        self._declared, self._faults, self._code = made.declared, faults, code
        self._checker = Checker(made.declared.source, _chosen_maps(made.declared, made.maps))
        self._generator = Generator(self._code)
        self._start(self._checker.source, SOURCE)
        self._uses: dict[str, set[str]] = {}
        self._blocks: dict[str, Lines] = {}
        self._name_what_is_given(made.params)

    def _start(self, source: terms.Local, name: str) -> None:
        assert source.start
        self._generator.bound[source] = name
        self._generator.roots[source.start] = name, f"{name}x"

    def _name_what_is_given(self, params: Mapping[str, str]) -> None:
        for name, attribute in context.NAMES.items():
            given = terms.Local(type=context.TYPES.get(name, "string"), path=f"%{name}")
            self._checker.names[name] = given
            self._generator.bound[given] = f"{_CONTEXT}.{attribute}"
        for name, (default, place) in self._declared.parts.params.items():
            if name in context.NAMES:
                raise place.error(f"%{name} is given by the gateway")
            value = params.get(name, default)
            self._checker.names[name] = terms.Constant(type="string", optional=False, path=f"%{name}", value=value)
        for name, (form, place) in self._declared.parts.inputs.items():
            if name in self._checker.names:
                raise place.error(f"%{name} is given by the gateway, or a param")
            given = terms.Local(type=form.root, path=f"%{name}", start=terms.Origin(form, name))
            self._checker.names[name] = given
            self._start(given, self._code.fresh("i"))

    def compiled(self) -> Compiled:
        self._vars()
        for path in self._declared.ignore:
            with self._part():
                self._checker.expression(path)
        self._checker.used.clear()
        _, requirements = self._code.captured(self._requirements)
        needed_first = self._closure(self._checker.used)
        template = Template(self._declared.target, self._checker, self._generator, self._part)
        result, output = self._code.captured(lambda: self._output(template))
        needed = self._closure(self._checker.used)
        if not self._faults.found:
            self._refuse_unused(needed)
        self._begin()
        self._add_vars(needed_first)
        self._code.add(requirements)
        self._add_vars(needed - needed_first)
        self._code.add(output)
        return self._end(result)

    def evaluator(self, expression: ScalarNode) -> Compiled:
        self._vars()
        self._checker.used.clear()
        term = self._checker.expression(expression)
        needed = self._closure(self._checker.used)
        with placed(expression):
            result, lines = self._code.captured(lambda: self._generator.listing(term))
        self._begin()
        self._add_vars(needed)
        self._code.add(lines)
        return self._end(f"[*{result}]")

    def _output(self, template: Template) -> str:
        result = ""
        with self._part():
            result = template.root(self._declared.output)
        return result

    @contextmanager
    def _part(self) -> Iterator[None]:
        """A part that is right or wrong by itself."""
        self._checker.lost = False
        with self._faults.part(self._checker, self._declared.place):
            yield

    def _begin(self) -> None:
        self._code.line(f"{BUDGET} = {runtime.MAX_ITEMS}")
        for origin, (name, index) in self._generator.roots.items():
            if origin.name:
                self._code.line(f"{name} = {_INPUTS}.get({origin.name!r}, {ABSENT})")
            self._code.line(f"{index} = None")

    def _end(self, result: str) -> Compiled:
        self._code.line(f"return {result}")
        return Compiled(self._code.function(_FUNCTION, f"{SOURCE}, {_CONTEXT}, {_INPUTS}"), self._code.objects)

    # --- vars

    def _vars(self) -> None:
        for name, var in self._declared.parts.vars.items():
            with self._part():
                self._var(name, var)
            if name not in self._blocks:
                self._checker.broken.add(name)

    def _var(self, name: str, var: Var) -> None:
        if name in context.NAMES:
            raise var.place.error(f"%{name} is given by the gateway")
        self._checker.used.clear()
        term = self._checker.expression(var.expression)
        self._uses[name] = set(self._checker.used)
        with placed(var.expression):
            _, self._blocks[name] = self._code.captured(lambda: self._bind(name, term))

    def _bind(self, name: str, term: Term) -> str:
        write = self._generator.listing if term.many else self._generator.value
        variable = self._code.fresh("v")
        self._code.line(f"{variable} = {write(term)}")
        path = term.path or f"%{name}"
        local = terms.Local(type=term.type, many=term.many, optional=term.optional, path=path, start=term.origin)
        self._checker.names[name] = local
        self._generator.bound[local] = variable
        return variable

    def _add_vars(self, names: set[str]) -> None:
        for name, lines in self._blocks.items():
            if name in names:
                self._code.add(lines)

    def _closure(self, names: set[str]) -> set[str]:
        needed: set[str] = set()
        waiting = list(names)
        for name in waiting:
            if name not in needed:
                needed.add(name)
                waiting += self._uses.get(name, ())
        return needed

    def _refuse_unused(self, needed: set[str]) -> None:
        for name, var in self._declared.parts.vars.items():
            if not var.shared and name not in needed:
                with self._part():
                    raise var.place.error(f"%{name} is not used")
        for name, (_, place) in self._declared.parts.inputs.items():
            if name not in needed:
                with self._part():
                    raise place.error(f"%{name} is not used")

    # --- requirements

    def _requirements(self) -> str:
        if self._declared.parts.require:
            self._code.line(f"{_PROBLEMS} = ()")
            for require in self._declared.parts.require:
                with self._part():
                    self._requirement(require)
            with self._code.block(f"if {_PROBLEMS}:"):
                self._code.line(f"{self._code.refer(runtime.refuse)}({_PROBLEMS})")
        return ""

    def _requirement(self, require: Require) -> None:
        term = self._checker.expression(require.that)
        issue = self._code.refer(Issue(require.reason, require.at, require.message))
        with placed(require.that):
            expect.boolean(term, 0)
            test = self._generator.test(term)
        with self._code.forked("require", require.that.place) as taken, self._code.block(f"if not {test}:"):
            taken()
            self._code.line(f"{_PROBLEMS} = {self._code.refer(runtime.failed)}({_PROBLEMS}, {issue})")


def _chosen_maps(declared: Declaration, maps: Mapping[str, ConceptMap]) -> dict[str, ConceptMap]:
    chosen = {}
    for name, place in declared.parts.conceptmaps.items():
        if name not in maps:
            raise place.error(f"there is no ConceptMap '{name}'{suggestion(name, maps)}")
        chosen[name] = maps[name]
    return chosen

"""Compiles a declared module into one Python function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import Issue
from gateway.mapping import context, expect, runtime, terms
from gateway.mapping.checker import Checker, placed
from gateway.mapping.code import Code, Lines
from gateway.mapping.conceptmap import ConceptMap
from gateway.mapping.declaration import Declaration, Require, Var
from gateway.mapping.document import ScalarNode
from gateway.mapping.forms import suggestion
from gateway.mapping.generator import Generator
from gateway.mapping.loops import ABSENT, BUDGET, SOURCE
from gateway.mapping.syntax import ExpressionError
from gateway.mapping.template import Template
from gateway.mapping.terms import Term

_CONTEXT, _INPUTS, _FUNCTION, _PROBLEMS = "c", "i", "run", "p"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The generated function, and its text."""

    source: str
    run: Callable[..., Any]


def compile_module(declared: Declaration, params: Mapping[str, str], maps: Mapping[str, ConceptMap]) -> Compiled:
    """Compile a module; `params` overrides defaults of those that it has, and `maps` holds every ConceptMap there is.

    Raises:
        ModuleError: the module is wrong, at the first place that is.
    """
    try:
        return _Compiler(declared, params, maps).compiled()
    except ExpressionError as error:
        raise declared.place.error(error.message) from None


class _Compiler:
    def __init__(self, declared: Declaration, params: Mapping[str, str], maps: Mapping[str, ConceptMap]) -> None:
        self._declared = declared
        self._checker = Checker(declared.source, _chosen_maps(declared, maps))
        self._code = Code()
        self._generator = Generator(self._code)
        self._start(self._checker.source, SOURCE)
        self._uses: dict[str, set[str]] = {}
        self._blocks: dict[str, Lines] = {}
        self._name_what_is_given(params)

    def _start(self, source: terms.Local, name: str) -> None:
        assert source.start
        self._generator.bound[source] = name
        self._generator.roots[source.start] = name, f"{name}x"

    def _name_what_is_given(self, params: Mapping[str, str]) -> None:
        for name, attribute in context.NAMES.items():
            given = terms.Local(type="string", path=f"%{name}")
            self._checker.names[name] = given
            self._generator.bound[given] = f"{_CONTEXT}.{attribute}"
        for name, (default, place) in self._declared.parts.params.items():
            if name in context.NAMES:
                raise place.error(f"%{name} is given by the gateway")
            value = params.get(name, default)
            self._checker.names[name] = terms.Constant(type="string", optional=False, value=value)
        for name, (form, place) in self._declared.parts.inputs.items():
            if name in self._checker.names:
                raise place.error(f"%{name} is given by the gateway, or a param")
            given = terms.Local(type=form.root, path=f"%{name}", start=terms.Origin(form, name))
            self._checker.names[name] = given
            self._start(given, self._code.fresh("i"))

    def compiled(self) -> Compiled:
        for name, var in self._declared.parts.vars.items():
            self._var(name, var)
        for path in self._declared.ignore:
            self._term(path)
        self._checker.used.clear()
        _, requirements = self._code.captured(self._requirements)
        needed_first = self._closure(self._checker.used)
        template = Template(self._declared.target, self._checker, self._generator)
        result, output = self._code.captured(lambda: template.root(self._declared.output))
        needed = self._closure(self._checker.used)
        self._refuse_unused(needed)
        self._code.line(f"{BUDGET} = {runtime.MAX_ITEMS}")
        self._begin()
        self._add_vars(needed_first)
        self._code.add(requirements)
        self._add_vars(needed - needed_first)
        self._code.add(output)
        self._code.line(f"return {result}")
        return self._function()

    def _begin(self) -> None:
        for origin, (name, index) in self._generator.roots.items():
            if origin.name:
                self._code.line(f"{name} = {_INPUTS}.get({origin.name!r}, {ABSENT})")
            self._code.line(f"{index} = None")

    def _function(self) -> Compiled:
        source = self._code.function(_FUNCTION, f"{SOURCE}, {_CONTEXT}, {_INPUTS}")
        names = {"__builtins__": {}, ABSENT: {}, **self._code.objects}
        exec(compile(source, f"<mapping {self._declared.name}>", "exec"), names)  # noqa: S102
        return Compiled(source, names[_FUNCTION])

    # --- vars

    def _var(self, name: str, var: Var) -> None:
        if name in context.NAMES:
            raise var.place.error(f"%{name} is given by the gateway")
        self._checker.used.clear()
        term = self._term(var.expression)
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
                raise var.place.error(f"%{name} is not used")
        for name, (_, place) in self._declared.parts.inputs.items():
            if name not in needed:
                raise place.error(f"%{name} is not used")

    # --- requirements

    def _requirements(self) -> str:
        if self._declared.parts.require:
            self._code.line(f"{_PROBLEMS} = ()")
            for require in self._declared.parts.require:
                self._requirement(require)
            with self._code.block(f"if {_PROBLEMS}:"):
                self._code.line(f"{self._code.refer(runtime.refuse)}({_PROBLEMS})")
        return ""

    def _requirement(self, require: Require) -> None:
        term = self._term(require.that)
        issue = self._code.refer(Issue(require.reason, require.at, require.message))
        with placed(require.that):
            expect.boolean(term, 0)
            test = self._generator.test(term)
        with self._code.forked("require", require.that.place) as taken, self._code.block(f"if not {test}:"):
            taken()
            self._code.line(f"{_PROBLEMS} = {self._code.refer(runtime.failed)}({_PROBLEMS}, {issue})")

    def _term(self, node: ScalarNode) -> Term:
        return self._checker.expression(node)


def _chosen_maps(declared: Declaration, maps: Mapping[str, ConceptMap]) -> dict[str, ConceptMap]:
    chosen = {}
    for name, place in declared.parts.conceptmaps.items():
        if name not in maps:
            raise place.error(f"there is no ConceptMap '{name}'{suggestion(name, maps)}")
        chosen[name] = maps[name]
    return chosen

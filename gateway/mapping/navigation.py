"""Types, extensions and references."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gateway.mapping import expect, terms
from gateway.mapping.forms import suggestion
from gateway.mapping.syntax import Call, ExpressionError, Member, Node, Operation
from gateway.mapping.terms import Apply, Constant, Filter, Term

if TYPE_CHECKING:
    from gateway.mapping.checker import Checker


def type_operation(checker: Checker, node: Operation, base: Term) -> Term:
    """The term for `base is Type` or `base as Type`."""
    choose = _of_type if node.operator == "as" else _has_type
    return choose(checker, base, node.right, node.at)


def _type_name(node: Node) -> str:
    names = []
    here: Node | None = node
    while isinstance(here, Member):
        names.append(here.name)
        here = here.base
    if here is not None or not names:
        raise ExpressionError("the name of a type is expected", node.at)
    return ".".join(reversed(names)).removeprefix("FHIR.")


def _of_type(checker: Checker, base: Term, type_node: Node, at: int) -> Term:
    name = _type_name(type_node)
    resources = _resources(base)
    if isinstance(base, terms.Choice):
        if name not in base.members:
            raise ExpressionError(f"no {name} may stand here{suggestion(name, base.members)}", type_node.at)
        key = base.members[name]
        path = f"{base.path}.ofType({name})"
        return terms.Field(type=name, many=base.many, path=path, base=base.base, key=key, is_list=False)
    if name == base.type:
        return base
    if base.type != "Resource":
        raise ExpressionError(f"this is {base.type}, never {name}", type_node.at)
    if name not in resources:
        raise ExpressionError(f"there is no resource type {name}{suggestion(name, resources)}", type_node.at)
    return _resources_of_type(base, name)


def _resources_of_type(base: Term, name: str) -> Term:
    item = terms.item_of(base)
    arguments = (item, Constant(type="string", optional=False, value=name))
    test = Apply(type="boolean", optional=False, code="{0}.get('resourceType') == {1}", arguments=arguments)
    path = f"{base.path}.ofType({name})"
    return Filter(type=name, many=base.many, path=path, base=base, item=item, test=test, sure=True)


def _has_type(checker: Checker, base: Term, type_node: Node, at: int) -> Term:
    if isinstance(base, terms.Choice):
        found = _of_type(checker, base, type_node, at)
        return terms.Exists(type="boolean", optional=False, path=base.path, base=found)
    item = terms.item_of(base)
    there = terms.Exists(type="boolean", optional=False, base=_of_type(checker, item, type_node, at))
    return terms.Select(type="boolean", many=base.many, path=base.path, base=base, item=item, body=there)


def of_type(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.ofType(Type)`."""
    return _of_type(checker, base, node.arguments[0], node.at)


def is_type(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.is(Type)`."""
    return _has_type(checker, base, node.arguments[0], node.at)


def extension(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.extension('url')`."""
    if base.kind != "object":
        base = _element(base, node.at)
    written = checker.check(node.arguments[0], this)
    text = expect.written_text(written, "extension()", node.arguments[0].at)
    url = Constant(type="uri", optional=False, value=text)
    extensions = checker.member(base, "extension", node.at)
    item = terms.item_of(extensions)
    own_url = checker.member(item, "url", node.at)
    test = Apply(type="boolean", code="{0} == {1}", arguments=(own_url, url))
    path = f"{base.path}.extension('{url.value}')"
    return Filter(type="Extension", many=True, path=path, base=extensions, item=item, test=test, sure=True)


def _element(base: Term, at: int) -> Term:
    """The element that holds the id and extensions of a primitive value (FHIR, "JSON Representation of Primitives")."""
    if not isinstance(base, terms.Field) or not base.origin or not base.origin.form.types.resources:
        raise ExpressionError("extensions of a primitive value are read where it stands: element.extension('url')", at)
    return dataclasses.replace(base, type="Element", key=f"_{base.key}", sparse=base.is_list)


def resolve(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """`base.resolve()`."""
    if base.type != "Reference":
        expect.kind(base, "string", "resolve()", node.at)
    if not _resources(base):
        raise ExpressionError("there are no resources here to refer to", node.at)
    item = terms.item_of(base)
    path = f"{base.path}.resolve()"
    found = terms.Resolve(type="Resource", path=path, base=item)
    return terms.Select(type="Resource", many=base.many, path=path, base=base, item=item, body=found)


def _resources(base: Term) -> frozenset[str]:
    return base.origin.form.types.resources if base.origin else frozenset()

"""The functions of the language, each with what it takes and gives.

FHIRPath's own where it has one (HL7 FHIRPath, Normative Release 1, section 5; FHIR, "FHIRPath", for extension and
resolve); ours are uuid5, isUuid, isNhsNumber, isInstant, translate and translateBack.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

from gateway.mapping import runtime, terms
from gateway.mapping.forms import suggestion
from gateway.mapping.syntax import Call, ExpressionError, Member, Node, Operation
from gateway.mapping.terms import Apply, Collected, Constant, Filter, Local, Term

if TYPE_CHECKING:
    from gateway.mapping.checker import Checker

_MAX_PATTERN: Final = 500


@dataclass(frozen=True, slots=True)
class Simple:
    """A function of single values: the kinds it takes, base first, and the type it gives."""

    takes: tuple[str, ...]
    gives: str
    code: str
    helper: Callable[..., Any] | None = None
    optional_arguments: int = 0
    may_be_absent: bool = False
    many: bool = False


def _helper(helper: Callable[..., Any], *takes: str, gives: str, **more: Any) -> Simple:
    return Simple(takes, gives, "{h}(" + ", ".join(f"{{{n}}}" for n in range(len(takes))) + ")", helper, **more)


_SIMPLE: Final[dict[str, Simple]] = {
    "startsWith": Simple(("string", "string"), "boolean", "{0}.startswith({1})"),
    "endsWith": Simple(("string", "string"), "boolean", "{0}.endswith({1})"),
    "contains": Simple(("string", "string"), "boolean", "{1} in {0}"),
    "indexOf": Simple(("string", "string"), "integer", "{0}.find({1})"),
    "upper": Simple(("string",), "string", "{0}.upper()"),
    "lower": Simple(("string",), "string", "{0}.lower()"),
    "trim": Simple(("string",), "string", "{0}.strip()"),
    "length": _helper(len, "string", gives="integer"),
    "substring": _helper(
        runtime.substring, "string", "integer", "integer", gives="string", optional_arguments=1, may_be_absent=True
    ),
    "replace": _helper(runtime.replace, "string", "string", "string", gives="string"),
    "split": _helper(runtime.split, "string", "string", gives="string", many=True),
    "toString": _helper(runtime.text, "primitive", gives="string"),
    "toInteger": _helper(runtime.integer, "primitive", gives="integer", may_be_absent=True),
    "isUuid": _helper(runtime.is_uuid, "string", gives="boolean"),
    "isNhsNumber": _helper(runtime.is_nhs_number, "string", gives="boolean"),
    "isInstant": _helper(runtime.is_instant, "string", gives="boolean"),
}


def call(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """The term for a call of a function on `base`, where `this` is what `$this` means outside it."""
    if node.name in _SIMPLE:
        return _simple(checker, node, base, this)
    if node.name not in _SPECIAL:
        near = suggestion(node.name, [*_SIMPLE, *_SPECIAL])
        raise ExpressionError(f"there is no function '{node.name}'{near}", node.at)
    least, most, build = _SPECIAL[node.name]
    _need_count(node, least, most)
    if isinstance(base, terms.Choice) and node.name not in ("ofType", "as", "is", "exists", "empty"):
        raise ExpressionError(
            f"say which type is meant before {node.name}(): .ofType({next(iter(base.members))})", node.at
        )
    return build(checker, node, base, this)


# --- what several functions and operators need


def may_be_absent(term: Term) -> Term:
    """The same term, known to be absent at times."""
    return dataclasses.replace(term, optional=True)


def never_absent(term: Term) -> Term:
    """The same term, known to be there."""
    return dataclasses.replace(term, optional=False)


def collected(term: Term) -> Term:
    """The items of a term as one list."""
    return Collected(type=term.type, optional=False, path=term.path, base=term)


def need_boolean(term: Term, at: int) -> None:
    """Refuse a term that is not true or false."""
    if term.kind != "boolean":
        raise ExpressionError(f"true or false is expected, not {term.type}; for presence write .exists()", at)


def negation(term: Term) -> Term:
    """The other truth value of a term."""
    if isinstance(term, terms.Exists):
        return dataclasses.replace(term, negated=not term.negated)
    return terms.Not(type="boolean", optional=term.optional, base=term)


def type_operation(checker: Checker, node: Operation, base: Term) -> Term:
    """The term for `base is Type` or `base as Type`."""
    choose = _of_type if node.operator == "as" else _has_type
    return choose(checker, base, node.right, node.at)


def _need_count(node: Call, least: int, most: int) -> None:
    count = len(node.arguments)
    if not least <= count <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ExpressionError(f"{node.name}() takes {wanted} arguments, not {count}", node.at)


def _need_kind(term: Term, wanted: str, what: str, at: int) -> None:
    fits = term.kind in (wanted, "empty") or (wanted == "primitive" and term.kind != "object")
    if not fits:
        raise ExpressionError(f"{what} takes {wanted}, not {term.type}", at)


def _item(base: Term) -> Local:
    return Local(type=base.type, optional=False, path=base.path)


def _constant_text(checker: Checker, node: Call, this: Term) -> str:
    term = checker.check(node.arguments[0], this)
    if not isinstance(term, Constant) or not isinstance(term.value, str):
        raise ExpressionError(f"{node.name}() takes text written out, or a param", node.arguments[0].at)
    return term.value


def _simple(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    function = _SIMPLE[node.name]
    most = len(function.takes) - 1
    _need_count(node, most - function.optional_arguments, most)
    arguments = [base, *(checker.check(argument, this) for argument in node.arguments)]
    places = [node.at, *(argument.at for argument in node.arguments)]
    for term, wanted, at in zip(arguments, function.takes, places, strict=False):
        _need_kind(term, wanted, f"{node.name}()", at)
    arguments += [Constant(type="empty", optional=False, value=None)] * (most + 1 - len(arguments))
    optional = function.may_be_absent or any(term.optional for term in arguments)
    return Apply(
        type=function.gives,
        many=function.many,
        optional=optional,
        path=base.path,
        code=function.code,
        arguments=tuple(arguments),
        helper=function.helper,
    )


# --- functions on collections


def _where(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    item = _item(base)
    test = checker.check(node.arguments[0], item)
    need_boolean(test, node.arguments[0].at)
    return Filter(type=base.type, many=base.many, path=base.path, base=base, item=item, test=test)


def _select(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    item = _item(base)
    body = checker.check(node.arguments[0], item)
    return terms.Select(type=body.type, many=base.many or body.many, path=body.path, base=base, item=item, body=body)


def _all(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    item = _item(base)
    test = checker.check(node.arguments[0], item)
    need_boolean(test, node.arguments[0].at)
    return terms.Every(type="boolean", optional=False, path=base.path, base=base, item=item, test=test)


def _exists(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    if isinstance(base, terms.Choice):
        return _choice_exists(base, node)
    found = _where(checker, node, base, this) if node.arguments else base
    return terms.Exists(type="boolean", optional=False, path=base.path, base=found)


def _choice_exists(base: terms.Choice, node: Call) -> Term:
    if base.many or node.arguments:
        raise ExpressionError(f"say which type is meant before {node.name}()", node.at)
    helper = runtime.has_any(tuple(base.members.values()))
    return Apply(type="boolean", optional=False, path=base.path, code="{h}({0})", arguments=(base.base,), helper=helper)


def _empty(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    return negation(_exists(checker, node, base, this))


def _not(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    need_boolean(base, node.at)
    return negation(base)


def _count(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    return terms.Count(type="integer", optional=False, path=base.path, base=base)


def _pick(index: int) -> Build:
    def build(checker: Checker, node: Call, base: Term, this: Term) -> Term:
        return terms.Pick(type=base.type, path=base.path, base=base, index=index) if base.many else base

    return build


def _single(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    return terms.Single(type=base.type, path=base.path, base=base) if base.many else base


def _distinct(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    if base.kind in ("object", "any"):
        raise ExpressionError(f"distinct() takes primitive values, not {base.type}", node.at)
    arguments = (collected(base),)
    return Apply(
        type=base.type, many=True, path=base.path, code="{h}({0})", arguments=arguments, helper=runtime.distinct
    )


def _join(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    separator: Term = Constant(type="string", optional=False, value="")
    if node.arguments:
        separator = checker.check(node.arguments[0], this)
    for term, at in ((base, node.at), (separator, node.arguments[0].at if node.arguments else node.at)):
        _need_kind(term, "string", "join()", at)
    arguments = (collected(base), separator)
    return Apply(type="string", path=base.path, code="{h}({0}, {1})", arguments=arguments, helper=runtime.join)


def _iif(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    test, then, *rest = (checker.check(argument, this) for argument in node.arguments)
    need_boolean(test, node.arguments[0].at)
    otherwise = rest[0] if rest else Constant(type="empty", value=None)
    kinds = {then.kind, otherwise.kind} - {"empty"}
    if len(kinds) > 1 or (kinds == {"object"} and otherwise.type not in (then.type, "empty")):
        raise ExpressionError(f"iif() gives {then.type} or {otherwise.type}: they must be alike", node.at)
    return terms.Conditional(
        type=then.type if then.kind != "empty" else otherwise.type,
        many=then.many or otherwise.many,
        optional=then.optional or otherwise.optional,
        path=then.path or otherwise.path,
        test=test,
        then=then,
        otherwise=otherwise,
    )


# --- types, extensions and references


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
    types = checker.form.types
    if isinstance(base, terms.Choice):
        if name not in base.members:
            raise ExpressionError(f"no {name} may stand here{suggestion(name, base.members)}", type_node.at)
        key = base.members[name]
        return terms.Field(type=name, many=base.many, path=base.path, base=base.base, key=key, is_list=False)
    if name == base.type:
        return base
    if base.type != "Resource":
        raise ExpressionError(f"this is {base.type}, never {name}", type_node.at)
    if not types.is_resource(name):
        resources = getattr(types, "resources", ())
        raise ExpressionError(f"there is no resource type {name}{suggestion(name, resources)}", type_node.at)
    return _resources_of_type(base, name)


def _resources_of_type(base: Term, name: str) -> Term:
    item = _item(base)
    arguments = (item, Constant(type="string", optional=False, value=name))
    test = Apply(type="boolean", optional=False, code="{0}.get('resourceType') == {1}", arguments=arguments)
    path = f"{base.path}.ofType({name})"
    return Filter(type=name, many=base.many, path=path, base=base, item=item, test=test, sure=True)


def _has_type(checker: Checker, base: Term, type_node: Node, at: int) -> Term:
    if isinstance(base, terms.Choice):
        found = _of_type(checker, base, type_node, at)
        return terms.Exists(type="boolean", optional=False, path=base.path, base=found)
    item = _item(base)
    there = terms.Exists(type="boolean", optional=False, base=_of_type(checker, item, type_node, at))
    return terms.Select(type="boolean", many=base.many, path=base.path, base=base, item=item, body=there)


def _of_type_call(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    return _of_type(checker, base, node.arguments[0], node.at)


def _is_call(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    return _has_type(checker, base, node.arguments[0], node.at)


def _extension(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    if base.kind != "object":
        raise ExpressionError("extensions of a primitive value cannot be read", node.at)
    url = Constant(type="uri", optional=False, value=_constant_text(checker, node, this))
    extensions = checker.member(base, "extension", node.at)
    item = _item(extensions)
    own_url = checker.member(item, "url", node.at)
    test = Apply(type="boolean", code="{0} == {1}", arguments=(own_url, url))
    path = f"{base.path}.extension('{url.value}')"
    return Filter(type="Extension", many=True, path=path, base=extensions, item=item, test=test, sure=True)


def _resolve(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    if not checker.form.types.is_resource("Bundle"):
        raise ExpressionError(f"{checker.form.name} holds no resources to refer to", node.at)
    reference = checker.member(base, "reference", node.at) if base.type == "Reference" else base
    _need_kind(reference, "string", "resolve()", node.at)
    item = _item(reference)
    path = f"{base.path}.resolve()"
    found = terms.Resolve(type="Resource", path=path, base=item)
    return terms.Select(type="Resource", many=base.many, path=path, base=reference, item=item, body=found)


# --- codes, patterns and UUIDs, whose argument is known when the module is loaded


def _translate(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    _need_kind(base, "string", f"{node.name}()", node.at)
    name = _constant_text(checker, node, this)
    concept_map = checker.maps.get(name)
    if concept_map is None:
        near = suggestion(name, checker.maps)
        raise ExpressionError(f"'{name}' is not among the conceptmaps of this module{near}", node.arguments[0].at)
    helper = concept_map.forward() if node.name == "translate" else concept_map.backward()
    path = Constant(type="string", optional=False, value=base.path)
    arguments = (base, path)
    return Apply(
        type="code", optional=base.optional, path=base.path, code="{h}({0}, {1})", arguments=arguments, helper=helper
    )


def _matches(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    _need_kind(base, "string", "matches()", node.at)
    pattern = _constant_text(checker, node, this)
    if len(pattern) > _MAX_PATTERN:
        raise ExpressionError(f"the pattern is longer than {_MAX_PATTERN} characters", node.arguments[0].at)
    # The regular expressions of Rust take time in proportion to the text; they have no look-around or back-references.
    schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    try:
        helper = SchemaValidator(schema).isinstance_python
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("error: ")
        raise ExpressionError(f"not a pattern that can be used: {reason}", node.arguments[0].at) from None
    return Apply(
        type="boolean", optional=base.optional, path=base.path, code="{h}({0})", arguments=(base,), helper=helper
    )


def _uuid5(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    _need_kind(base, "string", "uuid5()", node.at)
    helper = runtime.uuid5(_constant_text(checker, node, this))
    return Apply(type="uuid", optional=base.optional, path=base.path, code="{h}({0})", arguments=(base,), helper=helper)


Build = Callable[["Checker", Call, Term, Term], Term]

_SPECIAL: Final[dict[str, tuple[int, int, Build]]] = {
    "where": (1, 1, _where),
    "select": (1, 1, _select),
    "all": (1, 1, _all),
    "exists": (0, 1, _exists),
    "empty": (0, 0, _empty),
    "not": (0, 0, _not),
    "count": (0, 0, _count),
    "first": (0, 0, _pick(0)),
    "last": (0, 0, _pick(-1)),
    "single": (0, 0, _single),
    "distinct": (0, 0, _distinct),
    "join": (0, 1, _join),
    "iif": (2, 3, _iif),
    "ofType": (1, 1, _of_type_call),
    "as": (1, 1, _of_type_call),
    "is": (1, 1, _is_call),
    "extension": (1, 1, _extension),
    "resolve": (0, 0, _resolve),
    "translate": (1, 1, _translate),
    "translateBack": (1, 1, _translate),
    "matches": (1, 1, _matches),
    "uuid5": (1, 1, _uuid5),
}

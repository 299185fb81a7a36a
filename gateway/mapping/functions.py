"""The functions of the language, each with what it takes and gives.

FHIRPath's own where it has one (HL7 FHIRPath, Normative Release 1, section 5; FHIR, "FHIRPath", for extension and
resolve); ours are uuid5, isUuid, isNhsNumber, isInstant, translate and translateBack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

from gateway.mapping import collecting, expect, moments, navigation, runtime, sublists
from gateway.mapping.collecting import Build
from gateway.mapping.forms import TEXT, suggestion
from gateway.mapping.syntax import Call, ExpressionError
from gateway.mapping.terms import Apply, Constant, Term
from gateway.nhs_number import is_nhs_number

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
    "upper": Simple(("string",), TEXT, "{0}.upper()"),
    "lower": Simple(("string",), TEXT, "{0}.lower()"),
    "trim": Simple(("string",), TEXT, "{0}.strip()"),
    "length": _helper(len, "string", gives="integer"),
    "substring": _helper(
        runtime.substring, "string", "integer", "integer", gives=TEXT, optional_arguments=1, may_be_absent=True
    ),
    "replace": _helper(runtime.replace, "string", "string", "string", gives=TEXT),
    "split": _helper(runtime.split, "string", "string", gives=TEXT, many=True),
    "toString": _helper(runtime.text, "primitive", gives=TEXT),
    "toInteger": _helper(runtime.integer, "primitive", gives="integer", may_be_absent=True),
    "toDecimal": _helper(runtime.decimal, "primitive", gives="decimal", may_be_absent=True),
    "toBoolean": _helper(runtime.boolean, "primitive", gives="boolean", may_be_absent=True),
    "toDate": _helper(moments.to_date, "string", gives="date", may_be_absent=True),
    "toDateTime": _helper(moments.to_date_time, "string", gives="dateTime", may_be_absent=True),
    "isUuid": _helper(runtime.is_uuid, "string", gives="boolean"),
    "isNhsNumber": _helper(is_nhs_number, "string", gives="boolean"),
    "isInstant": _helper(runtime.is_instant, "string", gives="boolean"),
}


def call(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    """The term for a call of a function on `base`, where `this` is what `$this` means outside it."""
    if node.name in _SIMPLE:
        expect.a_type(base, node.at)
        return _simple(checker, node, base, this)
    if node.name not in _SPECIAL:
        near = suggestion(node.name, NAMES)
        raise ExpressionError(f"there is no function '{node.name}'{near}", node.at)
    least, most, build = _SPECIAL[node.name]
    expect.count(node, least, most)
    if node.name not in _TAKES_CHOICE:
        expect.a_type(base, node.at)
    return build(checker, node, base, this)


def _simple(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    function = _SIMPLE[node.name]
    most = len(function.takes) - 1
    expect.count(node, most - function.optional_arguments, most)
    arguments = [base, *(checker.check(argument, this) for argument in node.arguments)]
    places = [node.at, *(argument.at for argument in node.arguments)]
    for term, wanted, at in zip(arguments, function.takes, places, strict=False):
        expect.kind(term, wanted, f"{node.name}()", at)
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


def _written(checker: Checker, node: Call, this: Term) -> str:
    term = checker.check(node.arguments[0], this)
    return expect.written_text(term, f"{node.name}()", node.arguments[0].at)


def _translate(checker: Checker, node: Call, base: Term, this: Term) -> Term:
    expect.kind(base, "string", f"{node.name}()", node.at)
    name = _written(checker, node, this)
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
    expect.kind(base, "string", "matches()", node.at)
    pattern = _written(checker, node, this)
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
    expect.kind(base, "string", "uuid5()", node.at)
    helper = runtime.uuid5(_written(checker, node, this))
    return Apply(type="id", optional=base.optional, path=base.path, code="{h}({0})", arguments=(base,), helper=helper)


_TAKES_CHOICE: Final = frozenset(("ofType", "as", "is", "exists", "empty"))
_SPECIAL: Final[dict[str, tuple[int, int, Build]]] = {
    "where": (1, 1, collecting.where),
    "select": (1, 1, collecting.select),
    "all": (1, 1, collecting.every),
    "exists": (0, 1, collecting.exists),
    "empty": (0, 0, collecting.empty),
    "not": (0, 0, collecting.negate),
    "count": (0, 0, collecting.count),
    "first": (0, 0, collecting.pick(0)),
    "last": (0, 0, collecting.pick(-1)),
    "single": (0, 0, collecting.single),
    "distinct": (0, 0, sublists.distinct),
    "isDistinct": (0, 0, sublists.is_distinct),
    "skip": (1, 1, sublists.skip),
    "take": (1, 1, sublists.take),
    "tail": (0, 0, sublists.tail),
    "combine": (1, 1, sublists.combine),
    "union": (1, 1, sublists.union),
    "intersect": (1, 1, sublists.intersect),
    "exclude": (1, 1, sublists.exclude),
    "allTrue": (0, 0, sublists.truths(all)),
    "anyTrue": (0, 0, sublists.truths(any)),
    "allFalse": (0, 0, sublists.truths(runtime.all_false)),
    "anyFalse": (0, 0, sublists.truths(runtime.any_false)),
    "join": (0, 1, collecting.join),
    "iif": (2, 3, collecting.iif),
    "ofType": (1, 1, navigation.of_type),
    "as": (1, 1, navigation.of_type),
    "is": (1, 1, navigation.is_type),
    "extension": (1, 1, navigation.extension),
    "resolve": (0, 0, navigation.resolve),
    "translate": (1, 1, _translate),
    "translateBack": (1, 1, _translate),
    "matches": (1, 1, _matches),
    "uuid5": (1, 1, _uuid5),
}

NAMES: Final = frozenset((*_SIMPLE, *_SPECIAL))
"""The name of every function."""

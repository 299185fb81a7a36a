"""What every function and operator gives, by compiling it and running it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import Refusal
from gateway.mapping import runtime
from gateway.mapping.context import Context
from tests.mapping.conftest import HEAD, OUTPUT, Evaluate, Load

SOURCE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "message",
    "total": 3,
    "entry": [
        {
            "fullUrl": "urn:uuid:p1",
            "resource": {
                "resourceType": "Patient",
                "id": "p1",
                "active": True,
                "birthDate": "2001-02-03",
                "_birthDate": {"extension": [{"url": "http://time", "valueDateTime": "2001-02-03T04:05:06+01:00"}]},
                "name": [
                    {"use": "official", "family": "O'Neil", "given": ["Ann", "Bo", "Ann"]},
                    {
                        "use": "nickname",
                        "given": [None, "Nan"],
                        "_given": [{"id": "x", "extension": [{"url": "http://why", "valueCode": "masked"}]}, None],
                    },
                ],
                "multipleBirthInteger": 2,
                "extension": [
                    {"url": "http://a", "valueString": "one"},
                    {"url": "http://b", "extension": [{"url": "inner", "valueBoolean": False}]},
                    {"url": "http://c", "valueDecimal": Decimal("1.50")},
                ],
                "generalPractitioner": [{"reference": "urn:uuid:o1"}, {"reference": "Organization/o2"}],
                "managingOrganization": {"reference": "urn:uuid:nowhere"},
            },
        },
        {
            "fullUrl": "urn:uuid:o1",
            "resource": {"resourceType": "Organization", "id": "o1", "name": "First", "active": False},
        },
        {
            "fullUrl": "http://x/Organization/o2",
            "resource": {"resourceType": "Organization", "id": "o2", "name": "2nd"},
        },
        {"resource": {"resourceType": "Communication", "id": "c1", "status": "completed"}},
        {"fullUrl": "urn:uuid:empty"},
    ],
}
PATIENT = "Bundle.entry[0].resource.ofType(Patient)"
ORGS = "Bundle.entry.resource.ofType(Organization)"

PATHS = [
    ("Bundle.type", "message"),
    ("type", "message"),
    ("$this.type", "message"),
    ("Bundle.total", 3),
    ("Bundle.id", None),
    ("Bundle.signature.blob", None),
    (f"{PATIENT}.id", "p1"),
    (f"{PATIENT}.active", True),
    ("Bundle.entry[1].resource.ofType(Patient).id", None),
    ("Bundle.entry[9].resource.id", None),
    ("Bundle.entry[4].resource.id", None),
    ("Bundle.entry.resource.id.join(',')", "p1,o1,o2,c1"),
    (f"({PATIENT}).birthDate", "2001-02-03"),
    (f"{PATIENT}.name.family", "O'Neil"),
    (f"{PATIENT}.name[0].given[1]", "Bo"),
    (f"{PATIENT}.name.given.join('-')", "Ann-Bo-Ann-Nan"),
    (f"{PATIENT}.multipleBirth.ofType(integer)", 2),
    (f"{PATIENT}.multipleBirth as integer", 2),
    (f"{PATIENT}.multipleBirth.as(boolean)", None),
    (f"{PATIENT}.multipleBirth.ofType(boolean).exists()", False),
    (f"{PATIENT}.multipleBirth.exists()", True),
    (f"{PATIENT}.deceased.exists()", False),
    (f"{PATIENT}.deceased.empty()", True),
    (f"{PATIENT}.multipleBirth is integer", True),
    (f"{PATIENT}.extension('http://a').value.ofType(string)", "one"),
    (f"{PATIENT}.extension('http://b').extension('inner').value.ofType(boolean)", False),
    (f"{PATIENT}.extension('http://c').value.ofType(decimal)", Decimal("1.50")),
    (f"{PATIENT}.extension('http://none').value.ofType(string)", None),
    (f"{PATIENT}.generalPractitioner.resolve().ofType(Organization).name.join('|')", "First|2nd"),
    (f"{PATIENT}.generalPractitioner[1].resolve().ofType(Organization).name", "2nd"),
    (f"{PATIENT}.managingOrganization.resolve().exists()", False),
    (f"{PATIENT}.generalPractitioner.reference.resolve().count()", 2),
    (f"{PATIENT}.contact.organization.resolve().id", None),
]
COLLECTIONS = [
    ("Bundle.entry.count()", 5),
    (f"{PATIENT}.name.given.count()", 4),
    (f"{PATIENT}.active.count()", 1),
    ("Bundle.id.count()", 0),
    (f"{PATIENT}.name.where(use = 'nickname').given", "Nan"),
    (f"{PATIENT}.where(active).id", "p1"),
    (f"{PATIENT}.where(active.not()).id", None),
    (f"{PATIENT}.name.where(given.exists()).count()", 2),
    (f"{PATIENT}.name.where(family.exists()).use", "official"),
    (f"{PATIENT}.name.select(given.first()).join(',')", "Ann,Nan"),
    (f"{PATIENT}.name.select(use & ':' & family).join(',')", "official:O'Neil,nickname:"),
    (f"{PATIENT}.select(birthDate)", "2001-02-03"),
    (f"{PATIENT}.name.given.first()", "Ann"),
    (f"{PATIENT}.name.given.last()", "Nan"),
    (f"{PATIENT}.name.last().use", "nickname"),
    (f"{PATIENT}.name.first().use", "official"),
    (f"{PATIENT}.address.first().city", None),
    (f"{ORGS}.first().name", "First"),
    (f"{ORGS}.where(active.exists()).single().name", "First"),
    (f"{PATIENT}.birthDate.first()", "2001-02-03"),
    (f"{PATIENT}.name.exists()", True),
    (f"{PATIENT}.name.exists(use = 'old')", False),
    (f"{PATIENT}.name.exists(use = 'official')", True),
    (f"{PATIENT}.address.empty()", True),
    (f"{ORGS}.exists(name = '2nd')", True),
    (f"{PATIENT}.name.all(use.exists())", True),
    (f"{PATIENT}.name.all(family.exists())", False),
    (f"{PATIENT}.address.all(city.exists())", True),
    (f"{PATIENT}.name.given.distinct().join(',')", "Ann,Bo,Nan"),
    (f"({PATIENT}.name.use | 'x' | 'x').join(',')", "official,nickname,x"),
    ("('a' | 'b' | 'a').count()", 2),
    ("'b' in ('a' | 'b')", True),
    ("('a' | 'b') contains 'c'", False),
    (f"{PATIENT}.name.given contains 'Nan'", True),
    ("Bundle.id in ('a' | 'b')", None),
    (f"{PATIENT}.address.line.join(',')", None),
    (f"{PATIENT}.name[0].given.join()", "AnnBoAnn"),
    ("('b,a'.split(',')).first()", "b"),
    ("'abc'.split('').join('.')", "a.b.c"),
    (f"{PATIENT}.name.given.select($this.upper()).join('')", "ANNBOANNNAN"),
    (f"{PATIENT}.name.given.where($this.startsWith('B'))", "Bo"),
    ("'abc'.select($this.length())", 3),
    ("'abc'.where($this = 'abc').exists()", True),
    ("'abc'.exists()", True),
    ("Bundle.entry.resource.where($this is Organization).count()", 2),
    (f"{PATIENT} is Patient", True),
    (f"{PATIENT}.is(Patient)", True),
    ("Bundle.entry[1].resource is Patient", False),
    ("Bundle.entry[9].resource is Patient", None),
]
TEXT = [
    ("'abc'.startsWith('a')", True),
    ("'abc'.startsWith('')", True),
    ("'abc'.endsWith('bc')", True),
    ("'abc'.contains('x')", False),
    ("'abc'.indexOf('c')", 2),
    ("'abc'.indexOf('x')", -1),
    ("'abc'.length()", 3),
    ("'abc'.substring(1)", "bc"),
    ("'abc'.substring(1, 1)", "b"),
    ("'abc'.substring(3)", None),
    ("'abc'.substring(-1)", None),
    ("'abc'.substring(0, -1).length()", 0),
    ("'aBc'.upper()", "ABC"),
    ("'aBc'.lower()", "abc"),
    ("' a b '.trim()", "a b"),
    ("'a\\u200Bb'.replace('\\u200B', '')", "ab"),
    ("'abc'.replace('', 'x')", "xaxbxcx"),
    ("'abc'.matches('b')", True),
    ("'abc'.matches('^b$')", False),
    ("Bundle.id.matches('b')", None),
    ("1.toString() & true.toString() & 1.50.toString()", "1true1.50"),
    ("'12'.toInteger() + 1", 13),
    ("'1.2'.toInteger()", None),
    ("'99999999999'.toInteger()", None),
    ("'a' + 'b'", "ab"),
    ("'a' & Bundle.id & 'b'", "ab"),
    ("'a' + Bundle.id", None),
    ("Bundle.id.startsWith('a')", None),
    ("'9990000018'.isNhsNumber()", True),
    ("'9990000019'.isNhsNumber()", False),
    ("'999000001'.isNhsNumber()", False),
    ("'٩٩٩٠٠٠٠٠١٨'.isNhsNumber()", False),
    ("'3cfdf880-13e9-4f6b-8299-53e96ef5ec02'.isUuid()", True),
    ("'3cfdf880-13e9-4f6b-8299-53e96ef5ec0g'.isUuid()", False),
    ("'3cfdf88013e94f6b829953e96ef5ec02'.isUuid()", False),
    ("'x'.uuid5('https://example.org/ns').isUuid()", True),
    ("'x'.uuid5('https://a') = 'x'.uuid5('https://a')", True),
    ("'x'.uuid5('https://a') = 'x'.uuid5('https://b')", False),
]
LOGIC = [
    ("1 < 2", True),
    ("2 <= 1", False),
    ("1.5 > 1", True),
    ("'a' >= 'b'", False),
    ("1 = 1.0", True),
    ("1 != 2", True),
    ("Bundle.total = 3", True),
    ("Bundle.total + 1 * 2", 5),
    ("Bundle.total - 1.5", Decimal("1.5")),
    ("2147483647 + 1", None),
    ("-3 - -3", 0),
    ("iif(1 = 1, 'y', 'n')", "y"),
    ("iif(Bundle.id = 'x', 'y', 'n')", "n"),
    ("iif(false, 'y')", None),
    ("iif(false, 'y', {})", None),
    (f"iif(true, {PATIENT}.name.given, 'x').count()", 4),
    ("{} = 1", None),
]
# HL7 FHIRPath, "Boolean logic": true, false, and absent.
T, F, N = "true", "false", "Bundle.language.startsWith('x')"
PAIRS = [(T, T), (T, F), (F, T), (F, F), (T, N), (F, N), (N, T), (N, F), (N, N)]
TABLES: dict[str, list[bool | None]] = {
    "and": [True, False, False, False, None, False, None, False, None],
    "or": [True, True, True, False, True, None, True, None, None],
    "xor": [False, True, True, False, None, None, None, None, None],
    "implies": [True, False, True, True, None, True, True, None, None],
}
TRUTH: list[tuple[str, bool | None]] = [
    (f"{left} {operator} {right}", result)
    for operator, results in TABLES.items()
    for (left, right), result in zip(PAIRS, results, strict=True)
] + [(f"{T}.not()", False), (f"{F}.not()", True), (f"{N}.not()", None)]
GIVEN = f"{PATIENT}.name.given"
SUBLISTS = [
    (f"{GIVEN}.skip(2).join(',')", "Ann,Nan"),
    (f"{GIVEN}.skip(-1).count()", 4),
    (f"{GIVEN}.skip(9).exists()", False),
    (f"{GIVEN}.skip(Bundle.id.toInteger()).count()", 0),
    (f"{GIVEN}.take(2).join(',')", "Ann,Bo"),
    (f"{GIVEN}.take(0).empty()", True),
    (f"{GIVEN}.tail().join(',')", "Bo,Ann,Nan"),
    (f"{PATIENT}.name.tail().use", "nickname"),
    (f"{PATIENT}.name.take(1).where(use = 'official').family", "O'Neil"),
    (f"{PATIENT}.birthDate.tail().exists()", False),
    (f"{GIVEN}.combine('x').combine('Bo').join(',')", "Ann,Bo,Ann,Nan,x,Bo"),
    (f"{PATIENT}.name.combine({PATIENT}.name).use.join(',')", "official,nickname,official,nickname"),
    (f"{GIVEN}.union('x').join(',')", "Ann,Bo,Nan,x"),
    (f"{GIVEN}.intersect('Nan' | 'Ann').join(',')", "Ann,Nan"),
    (f"{GIVEN}.exclude('Bo').join(',')", "Ann,Ann,Nan"),
    (f"{GIVEN}.isDistinct()", False),
    (f"{GIVEN}.distinct().isDistinct()", True),
    (f"{ORGS}.active.allFalse()", True),
    (f"{ORGS}.active.anyFalse()", True),
    (f"{PATIENT}.name.select(use = 'official').anyTrue()", True),
    (f"{PATIENT}.name.select(use = 'official').allTrue()", False),
    (f"{PATIENT}.address.select(use = 'x').allTrue()", True),
    (f"{GIVEN}[Bundle.total]", "Nan"),
    (f"{GIVEN}[Bundle.total + 1]", None),
    (f"{GIVEN}[Bundle.total - 4]", None),
    (f"{GIVEN}[Bundle.id.length()]", None),
    (f"{PATIENT}.name[{PATIENT}.name.count() - 1].use", "nickname"),
]
ARITHMETIC = [
    ("7 / 2", Decimal("3.5")),
    ("1 / 0", None),
    ("7 div 2", 3),
    ("-7 div 2", -3),
    ("7.5 div 2", 3),
    ("7 div 0", None),
    ("7 mod 2", 1),
    ("-7 mod 2", -1),
    ("7 mod -2", 1),
    ("7.5 mod 2", Decimal("1.5")),
    ("7 mod 0", None),
    ("-Bundle.total", -3),
    ("-Bundle.id.length()", None),
    ("2 - -Bundle.total", 5),
    ("'1.50'.toDecimal()", Decimal("1.50")),
    ("'x'.toDecimal()", None),
    ("3.toDecimal()", Decimal(3)),
    ("'Yes'.toBoolean()", True),
    ("0.toBoolean()", False),
    ("'maybe'.toBoolean()", None),
    ("'Ab C' ~ 'aB\\tc'", True),
    ("'a' ~ 'b'", False),
    ("'a' !~ 'b'", True),
    ("Bundle.id ~ 'a'", False),
    ("Bundle.id ~ Bundle.language", True),
    ("Bundle.id !~ {}", False),
]
BIRTH = f"{PATIENT}.birthDate"
MOMENTS = [
    (f"{BIRTH}.extension('http://time').value.ofType(dateTime)", "2001-02-03T04:05:06+01:00"),
    (f"{BIRTH}.extension('http://none').exists()", False),
    (f"{PATIENT}.gender.extension('http://time').exists()", False),
    (f"{GIVEN}.extension('http://why').value.ofType(code)", "masked"),
    (f"{PATIENT}.name[1].given.extension('http://why').count()", 1),
    (f"{PATIENT}.deceased.ofType(dateTime).extension('http://x').exists()", False),
    (f"{BIRTH} = @2001-02-03", True),
    (f"{BIRTH} != @2001-02-03", False),
    (f"{BIRTH} = '2001-02-03'", True),
    (f"{BIRTH} < @2001-02-04", True),
    (f"{BIRTH} <= @2001-02-03", True),
    (f"{BIRTH} > @2001-02", None),
    (f"{BIRTH} > @2001-01", True),
    (f"{BIRTH} >= @2002", False),
    (f"{BIRTH} = @2001", None),
    ("@2020-01-01T10:00:00Z = @2020-01-01T11:00:00+01:00", True),
    ("@2020-01-01T00:30:00+01:00 < @2020-01-01T00:00:00Z", True),
    ("@2020-01-01T10:00:00Z = @2020-01-01T10:00:00.000Z", True),
    ("@2020-01-01T10:00:00Z < @2020-01-01T10:00:00.001Z", True),
    ("@2020-01-01T10:00Z < @2020-01-01T10:00:01Z", None),
    ("@2020-01-01T10:00Z < @2020-01-01T10:01:01Z", True),
    ("@2020-01-01T10:00:00 < @2020-01-02T10:00:00Z", None),
    ("@2020-01-01 < @2020-01-02T10:00:00Z", None),
    ("@2020-01-01 < @2020-01-02T10:00:00Z.toDate()", True),
    ("@T10:00 < @T10:30", True),
    ("'0001-01-01T00:00:00+14:00'.toDateTime() < @2020-01-01T00:00:00Z", None),
    ("'2020-02-30'.toDate()", None),
    ("'2020-02-03T04:05:06Z'.toDate()", "2020-02-03"),
    ("'2020-02'.toDate()", "2020-02"),
    ("'10:00'.toDate()", None),
    ("'2020-02-03T04:05:06Z'.toDateTime()", "2020-02-03T04:05:06Z"),
    ("'2020'.toDateTime()", "2020"),
    ("'20200203'.toDateTime()", None),
    ("'2020-02-03'.toDate() < 'x'.toDate()", None),
]
EVERYTHING = [*PATHS, *COLLECTIONS, *TEXT, *LOGIC, *TRUTH, *SUBLISTS, *ARITHMETIC, *MOMENTS]


@pytest.mark.parametrize(("expression", "expected"), EVERYTHING)
def test_an_expression_gives_its_value(evaluate: Evaluate, expression: str, expected: object) -> None:
    found = evaluate(expression, SOURCE)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("expression", "expected"), [case for case in EVERYTHING if isinstance(case[1], bool | None)])
def test_a_condition_holds_only_when_it_is_true(evaluate: Evaluate, expression: str, expected: object) -> None:
    if expected is not None or expression in {text for text, _ in TRUTH}:
        found = evaluate(f"iif({expression}, 'yes', 'no')", SOURCE)
        assert found == ("yes" if expected is True else "no")


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        (f"{PATIENT}.name.use", "Bundle.entry[0].resource.ofType(Patient).name.use"),
        (f"{ORGS}.name.startsWith('F')", "Bundle.entry.resource.ofType(Organization).name"),
        (f"{ORGS}.single().name", "Bundle.entry.resource.ofType(Organization)"),
        (f"{PATIENT}.name.given = 'Ann'", "Bundle.entry[0].resource.ofType(Patient).name.given"),
    ],
)
def test_different_values_where_one_is_wanted_are_refused(evaluate: Evaluate, expression: str, path: str) -> None:
    with pytest.raises(Refusal) as caught:
        evaluate(expression, SOURCE)
    assert [(issue.reason, issue.location) for issue in caught.value.issues] == [("MULTIPLE_VALUES", path)]


def test_equal_values_are_one_value(evaluate: Evaluate) -> None:
    twins = {"entry": [{"resource": {"resourceType": "Patient", "birthDate": "2001-01-01"}}] * 2}
    assert evaluate("Bundle.entry.resource.ofType(Patient).birthDate", twins) == "2001-01-01"


def test_two_resources_under_one_url_are_refused(evaluate: Evaluate) -> None:
    entries = [{"fullUrl": "urn:uuid:a", "resource": {"resourceType": "Patient", "id": name}} for name in "xy"]
    header = {"resource": {"resourceType": "MessageHeader", "responsible": {"reference": "urn:uuid:a"}}}
    with pytest.raises(Refusal, match=r"MULTIPLE_VALUES at Bundle\.entry\.fullUrl"):
        evaluate(
            "Bundle.entry[2].resource.ofType(MessageHeader).responsible.resolve().id", {"entry": [*entries, header]}
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-11-01T15:00:00+00:00", True),
        ("2019-11-01T15:00:00Z", True),
        ("2019-11-01T15:00:00.123456789-11:30", True),
        ("2024-02-29T00:00:00+14:00", True),
        ("2023-02-29T00:00:00Z", False),
        ("2019-11-01T15:00:00", False),
        ("2019-11-01T15:00Z", False),
        ("2019-11-01", False),
        ("2019-11-01T24:00:00Z", False),
        ("2019-11-01T15:00:00+58:00", False),
        ("2019-11-01T15:00:00+0000", False),
        ("20191101T150000Z", False),
        ("2019-11-01T15:00:00Z\n", False),
        ("", False),
    ],
)
def test_an_instant_is_full_and_has_a_zone(text: str, expected: bool) -> None:
    assert runtime.is_instant(text) is expected


def test_what_the_caller_gives_is_named(evaluate: Evaluate) -> None:
    context = Context("c", "u", "n", "m", "k")
    names = "%claimCheck & %publicUrl & %notification & %mnsType & %nemsCode"
    assert evaluate(names, {}, context) == "cunmk"
    assert evaluate("%mnsType.exists()", {}) is False


def test_an_open_attribute_is_one_value_or_several(evaluate: Evaluate) -> None:
    head = HEAD.replace("nems-message", "event")
    event = {"filtering": {"age": 17, "codes": ["a", "b"], "flag": False}}
    assert evaluate("Event.filtering.age", event, head=head) == 17
    assert evaluate("Event.filtering.flag", event, head=head) is False
    assert evaluate("filtering.codes.count()", event, head=head) == 2
    assert evaluate("'b' in filtering.codes", event, head=head) is True
    assert evaluate("filtering.nothing.exists()", event, head=head) is False
    with pytest.raises(Refusal, match="MULTIPLE_VALUES"):
        evaluate("filtering.codes", event, head=head)


def test_loops_have_a_budget(load: Load) -> None:
    text = f"""{HEAD}
vars:
  all: Bundle.entry
  pairs: "%all.where(%all.exists(fullUrl = 'none').not()).count()"
{OUTPUT}  filtering: {{pairs: "{{{{ %pairs }}}}"}}
"""
    module = load(text)
    assert module.apply({"entry": [{}] * 400})["filtering"] == {"pairs": 400}
    with pytest.raises(Refusal, match="INVALID_RESOURCE"):
        module.apply({"entry": [{}] * 500})


def test_text_does_not_grow_without_bound(evaluate: Evaluate) -> None:
    grown = f"'{'a' * 100}'" + f".replace('a', '{'a' * 100}')" * 4
    with pytest.raises(Refusal, match="INVALID_RESOURCE"):
        evaluate(grown, {})

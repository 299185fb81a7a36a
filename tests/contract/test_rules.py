"""Every rule of a contract is held by a test, or says why it is not; no test claims a rule that there is not."""

from __future__ import annotations

import pytest

from docs.rules import Contract, Holder, contracts, holders

CONTRACTS = contracts()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_every_rule_has_a_test_or_a_reason(contract: Contract) -> None:
    held = holders()
    assert [rule.id for rule in contract if rule.id not in held and not rule.why_not] == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_no_rule_has_both(contract: Contract) -> None:
    held = holders()
    assert [rule.id for rule in contract if rule.id in held and rule.why_not] == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_an_id_is_of_its_contract_and_of_one_rule(contract: Contract) -> None:
    ids = [rule.id for rule in contract]
    assert [one for one in ids if not one.startswith(f"{contract.name}-")] == []
    assert sorted(set(ids)) == sorted(ids)


def test_every_marker_names_a_rule() -> None:
    known = {rule.id for contract in CONTRACTS for rule in contract}
    strangers: dict[str, list[Holder]] = {rule: tests for rule, tests in holders().items() if rule not in known}
    assert strangers == {}

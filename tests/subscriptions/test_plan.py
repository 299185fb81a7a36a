from __future__ import annotations

from itertools import count

import pytest

from gateway.catalogue import EventType, Nems
from gateway.events import Delivery
from gateway.subscriptions.plan import partner_id, plan
from gateway.subscriptions.subscription import Subscription
from tests.samples import event, subscription

EVENT = event()
EVENT_TYPE = EventType(
    id="pds-change-of-gp-1",
    name="PDS Change of GP",
    nems=Nems(code="pds-change-of-gp-1", workflow="CHANGEOFGP_1"),
    topic="http://example.org/topic",
)


def deliveries(*matched: Subscription) -> list[Delivery]:
    return plan(EVENT, EVENT_TYPE, [one.entry for one in matched], count(1).__next__)


def test_nobody_matched_nothing_is_delivered() -> None:
    assert deliveries() == []


def test_a_mailbox_gets_one_copy_however_many_subscriptions_match() -> None:
    one, two, elsewhere = subscription(), subscription(subject="9990001006"), subscription(endpoint="B")
    first, second = deliveries(one, two, elsewhere)
    assert (first.endpoint, first.subscriptions, first.workflow) == (one.endpoint, (one.id, two.id), "CHANGEOFGP_1")
    assert (second.endpoint, second.subscriptions) == ("B", (elsewhere.id,))
    assert first.form == second.form == "nems-message"


def test_every_webhook_subscription_gets_its_own() -> None:
    hooks = [
        subscription(channel="rest-hook", endpoint="http://x/", form=form) for form in ("mns-signal", "cloudevent")
    ]
    made = deliveries(*hooks)
    assert [(one.subscriptions, one.form, one.workflow) for one in made] == [
        ((hook.id,), hook.form, "") for hook in hooks
    ]


def test_each_delivery_has_an_id_of_its_own() -> None:
    made = deliveries(subscription(), subscription(endpoint="B"), subscription(channel="rest-hook", form="cloudevent"))
    assert len({one.id for one in made}) == 3


def test_the_partner_id_lists_the_subscriptions_that_carry_a_tag() -> None:
    tagged = [subscription(id=name * 32, tag=tag) for name, tag in (("a", "x|y"), ("b", ""), ("c", "z"))]
    assert partner_id([one.entry for one in tagged]) == f"{'a' * 32}|x|y~~~{'c' * 32}|z"
    assert partner_id([subscription().entry]) == ""


@pytest.mark.rule("nems-partner-id-length")
def test_the_partner_id_holds_whole_entries_up_to_what_mesh_takes() -> None:
    tagged = [subscription(tag="t" * 100) for _ in range(5)]
    entries = partner_id([one.entry for one in tagged]).split("~~~")
    assert entries == [f"{one.id}|{one.tag}" for one in tagged[:3]]

"""Collecting loses nothing and repeats only what it must, whatever goes wrong on the way."""

from __future__ import annotations

import socket
import time
from collections import Counter
from dataclasses import replace

import pytest
from mesh_client import MeshClient

from mesh.collect import CollectReport, StopCollecting, collect
from mesh.mailbox import Mailbox
from mesh.message import ReceivedMessage
from mesh.sandbox.run import LocalMailbox, LocalMesh
from tests.mesh.conftest import Outgoing


class Kept(list[ReceivedMessage]):
    """Keeps messages in a list; fails for the bodies given."""

    def __init__(self, *failing: bytes) -> None:
        super().__init__()
        self.failing = failing
        self.asked: Counter[bytes] = Counter()

    def __call__(self, message: ReceivedMessage) -> None:
        self.asked[message.body] += 1
        if message.body in self.failing:
            raise LookupError("canary")
        self.append(message)


def send(sender: Mailbox, outgoing: Outgoing, *bodies: bytes) -> list[str]:
    return [sender.send(outgoing(body=body)).message_id for body in bodies]


def test_an_empty_inbox_is_worked_through(recipient: Mailbox) -> None:
    assert collect(recipient, Kept()) == CollectReport()


def test_every_message_is_kept_and_then_acknowledged(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    sent = send(sender, outgoing, b"one", b"two", b"three")
    kept = Kept()
    assert collect(recipient, kept) == CollectReport(listed=3, kept=3, acknowledged=3)
    assert sorted(message.message_id for message in kept) == sorted(sent)
    assert sorted(message.body for message in kept) == [b"one", b"three", b"two"]
    assert recipient.list_messages() == []


def test_a_message_is_still_in_the_inbox_while_it_is_being_kept(
    sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    sent = send(sender, outgoing, b"one")
    seen_waiting: list[list[str]] = []
    collect(recipient, lambda _: seen_waiting.append(recipient.list_messages()))
    assert seen_waiting == [sent]


def test_a_message_that_cannot_be_kept_stays_and_stops_no_other(
    sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    sent = send(sender, outgoing, b"one", b"bad", b"three")
    report = collect(recipient, Kept(b"bad"))
    assert report == CollectReport(listed=3, kept=2, acknowledged=2, failed={sent[1]: "LookupError"})
    assert recipient.list_messages() == [sent[1]]
    assert "canary" not in repr(report)


def test_full_pages_are_drained(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    send(sender, outgoing, *(b"%d" % number for number in range(25)))
    assert collect(recipient, Kept(), page=10) == CollectReport(listed=25, kept=25, acknowledged=25)


def test_a_message_listed_twice_in_a_cycle_is_taken_once(
    sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    sent = send(sender, outgoing, *(b"%d" % number for number in range(25)))
    kept = Kept(b"3")
    report = collect(recipient, kept, page=10)
    assert report == CollectReport(listed=25, kept=24, acknowledged=24, failed={sent[3]: "LookupError"})
    assert set(kept.asked.values()) == {1}


def test_an_inbox_whose_page_was_not_full_is_listed_once(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    send(sender, outgoing, b"one")
    report = collect(recipient, lambda _: mesh.fault("status", method="GET"))  # would fail a second list
    assert report == CollectReport(listed=1, kept=1, acknowledged=1)


def test_a_full_page_of_which_nothing_left_is_not_listed_again(
    sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    bodies = [b"%d" % number for number in range(10)]
    send(sender, outgoing, *bodies)
    kept = Kept(*bodies)
    assert collect(recipient, kept, page=10).failed.keys() == set(recipient.list_messages())
    assert set(kept.asked.values()) == {1}


def test_a_crash_between_keeping_and_acknowledging_brings_the_message_again(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    [message_id] = send(sender, outgoing, b"one")
    kept = Kept()
    mesh.fault("drop", method="PUT")
    first = collect(recipient, kept)
    assert first == CollectReport(listed=1, kept=1, acknowledged=0, failed={message_id: "ConnectionError"})
    assert collect(recipient, kept) == CollectReport(listed=1, kept=1, acknowledged=1)
    assert [message.message_id for message in kept] == [message_id, message_id]


def test_an_acknowledgement_whose_answer_is_lost_was_done(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    send(sender, outgoing, b"one")
    mesh.fault("drop", method="PUT", accept=True)
    assert collect(recipient, Kept()).acknowledged == 0
    assert collect(recipient, Kept()) == CollectReport()


@pytest.mark.parametrize("status", [404, 410])
def test_a_kept_message_that_is_gone_counts_as_acknowledged(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing, status: int
) -> None:
    send(sender, outgoing, b"one")
    mesh.fault("status", method="PUT", status=status)
    assert collect(recipient, Kept()) == CollectReport(listed=1, kept=1, acknowledged=1)


def test_a_download_that_breaks_off_is_not_kept_and_comes_again(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    sent = send(sender, outgoing, b"one" * 1000, b"two" * 1000)
    kept = Kept()
    mesh.fault("truncate", method="GET", path_contains="/inbox/")
    first = collect(recipient, kept)
    assert (first.listed, first.kept, first.acknowledged, list(first.failed)) == (2, 1, 1, sent[:1])
    assert collect(recipient, kept) == CollectReport(listed=1, kept=1, acknowledged=1)
    assert sorted(message.body for message in kept) == [b"one" * 1000, b"two" * 1000]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_one_message_mesh_cannot_give_stops_no_other(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing, status: int
) -> None:
    sent = send(sender, outgoing, b"one", b"two")
    mesh.fault("status", method="GET", path_contains="/inbox/", status=status)
    report = collect(recipient, Kept())
    assert report == CollectReport(listed=2, kept=1, acknowledged=1, failed={sent[0]: f"HTTPError {status}"})


def test_a_message_with_a_missing_chunk_stays_and_stops_no_other(
    raw_sender: MeshClient, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    first = raw_sender.send_chunk("TRUST01", b"1", 1, 3, workflow_id="WF_1")
    message_id = first.json()["message_id"]
    raw_sender.send_chunk("TRUST01", b"3", 3, 3, message_id=message_id)
    send(sender, outgoing, b"whole")
    report = collect(recipient, Kept())
    assert report == CollectReport(listed=2, kept=1, acknowledged=1, failed={message_id: "HTTPError 404"})


def test_a_message_still_being_uploaded_is_not_listed(raw_sender: MeshClient, recipient: Mailbox) -> None:
    raw_sender.send_chunk("TRUST01", b"1", 1, 2, workflow_id="WF_1")
    assert collect(recipient, Kept()) == CollectReport()


def test_a_report_is_kept_with_what_it_says_and_acknowledged(
    mesh: LocalMesh, sender: Mailbox, outgoing: Outgoing
) -> None:
    message = outgoing()
    message_id = sender.send(message).message_id
    mesh.report("SENDER01", linked_message_id=message_id, local_id=message.local_id, workflow_id=message.workflow_id)
    kept = Kept()
    assert collect(sender, kept) == CollectReport(listed=1, kept=1, acknowledged=1)
    [report] = kept
    assert (report.message_type, report.body, report.recipient) == ("REPORT", b"", "SENDER01")
    assert (report.linked_message_id, report.local_id) == (message_id, message.local_id)
    assert (report.workflow_id, report.status_code, report.status_event) == (message.workflow_id, "14", "SEND")
    assert report.status_description.startswith("Message not collected")
    assert report.headers["mex-statussuccess"] == "ERROR"


def test_a_wrong_password_ends_the_cycle(mesh: LocalMesh) -> None:
    with Mailbox(replace(mesh.settings_for("TRUST01"), password="wrong")) as mailbox:
        assert collect(mailbox, Kept()) == CollectReport(ended_early="auth")


def test_a_refused_connection_ends_the_cycle(mesh: LocalMesh) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with Mailbox(replace(mesh.settings_for("TRUST01"), url=url)) as mailbox:
            assert collect(mailbox, Kept()) == CollectReport(ended_early="not_sent")


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "throttled"), (500, "unknown"), (200, "unknown")], ids=["429", "500", "200 no JSON"]
)
def test_a_list_that_fails_ends_the_cycle(mesh: LocalMesh, recipient: Mailbox, status: int, reason: str) -> None:
    mesh.fault("status", method="GET", status=status)
    assert collect(recipient, Kept()) == CollectReport(ended_early=reason)


@pytest.mark.parametrize(("method", "kept"), [("GET", 0), ("PUT", 1)])
@pytest.mark.parametrize(("status", "reason"), [(403, "auth"), (429, "throttled")])
def test_a_refusal_in_the_middle_ends_the_cycle(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing,
    method: str, kept: int, status: int, reason: str,
) -> None:  # fmt: skip
    sent = send(sender, outgoing, b"one", b"two")
    mesh.fault("status", method=method, path_contains="/inbox/", status=status)
    report = collect(recipient, Kept())
    failed = {sent[0]: f"HTTPError {status}"}
    assert report == CollectReport(listed=1, kept=kept, acknowledged=0, failed=failed, ended_early=reason)
    assert recipient.list_messages() == sent


def test_a_connection_refused_in_the_middle_ends_the_cycle(outgoing: Outgoing) -> None:
    with LocalMesh([LocalMailbox("TRUST01")]) as mesh, Mailbox(mesh.settings_for("TRUST01")) as mailbox:
        sent = send(mailbox, outgoing, b"one", b"two")
        report = collect(mailbox, lambda _: mesh.kill())
    assert (report.listed, report.kept, report.acknowledged) == (1, 1, 0)
    assert (list(report.failed), report.ended_early) == (sent[:1], "not_sent")


def test_keep_can_end_the_cycle(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    sent = send(sender, outgoing, b"one", b"two")

    def keep(_: ReceivedMessage) -> None:
        raise StopCollecting

    assert collect(recipient, keep) == CollectReport(listed=1, ended_early="stopped")
    assert recipient.list_messages() == sent


def test_no_message_is_started_after_the_limit(sender: Mailbox, recipient: Mailbox, outgoing: Outgoing) -> None:
    send(sender, outgoing, b"one", b"two")
    report = collect(recipient, lambda _: time.sleep(0.2), limit_seconds=0.2)
    assert report == CollectReport(listed=1, kept=1, acknowledged=1, ended_early="limit")


def test_a_message_that_is_too_large_is_told_of_and_stays(mesh: LocalMesh, sender: Mailbox, outgoing: Outgoing) -> None:
    large, small = send(sender, outgoing, b"x" * 2001, b"x" * 2000)
    kept, told = Kept(), Kept()
    with Mailbox(replace(mesh.settings_for("TRUST01"), max_body_bytes=2000)) as recipient:
        report = collect(recipient, kept, too_large=told)
        assert report == CollectReport(listed=2, kept=1, acknowledged=1, failed={large: "MessageTooLarge"})
        assert recipient.list_messages() == [large]
    assert ([one.message_id for one in kept], [one.message_id for one in told]) == ([small], [large])
    assert (told[0].sender, told[0].workflow_id, told[0].body) == ("SENDER01", "WF_1", b"")


def test_what_is_to_be_skipped_is_not_read(
    mesh: LocalMesh, sender: Mailbox, recipient: Mailbox, outgoing: Outgoing
) -> None:
    first, second = send(sender, outgoing, b"one", b"two")
    kept = Kept()
    assert collect(recipient, kept, skip={first}) == CollectReport(listed=1, kept=1, acknowledged=1, skipped=1)
    assert [one.message_id for one in kept] == [second]
    assert recipient.list_messages() == [first]

"""What makes helpers, in a process without threads, as the gateway is when it begins."""

from __future__ import annotations

import json
import subprocess

from tests.conftest import ROOT
from tests.starter import PYTHON

BEGIN = """
import os, signal, socket, sys, time
from gateway import logs
from gateway.helper.maker import made

logs.configure("INFO")

def run(end):
    while asked := end.recv(100):
        if asked == b"stand still":
            os.kill(os.getpid(), signal.SIGSTOP)
        end.send(b"%d: %b" % (os.getpid(), asked))
    os.write(1, b"ends\\n")

def ask(maker):
    ours, theirs = socket.socketpair()
    with theirs:
        maker.make(theirs)
    return ours

def runs(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
"""


def said(script: str) -> list[str]:
    """What the script prints, line by line."""
    done = subprocess.run([*PYTHON, "-c", BEGIN + script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_helpers_are_made_when_they_are_asked_for_and_end_with_their_sockets() -> None:
    lines = said("""
with made(run) as maker:
    ends = [ask(maker) for _ in range(3)]
    for end in ends:
        end.send(b"well?")
    answers = [end.recv(100).decode() for end in ends]
    pids = {int(answer.split(":")[0]) for answer in answers}
    assert len(pids) == 3 and os.getpid() not in pids, answers
    ends.pop().close()
    ends.append(ask(maker))
    ends[-1].send(b"well?")
    pids.add(int(ends[-1].recv(100).split(b":")[0]))
    for end in ends:
        end.close()
assert not any(map(runs, pids)), "after the block all have ended"
print("over")
""")
    assert lines == ["ends"] * 4 + ["over"]


def test_a_helper_that_cannot_be_made_leaves_a_socket_with_nobody_behind_it() -> None:
    lines = said("""
fork, calls = os.fork, []

def seldom():
    calls.append(1)
    if len(calls) == 2:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

os.fork = seldom
with made(run) as maker:
    with ask(maker) as end:
        assert end.recv(100) == b""
    with ask(maker) as end:
        end.send(b"well?")
        assert end.recv(100).endswith(b": well?")
""")
    (told,) = (line for line in lines if line != "ends")
    assert "cannot make a process: Resource temporarily unavailable" in told


def test_one_that_stands_still_is_ended_at_the_end() -> None:
    lines = said("""
with made(run) as maker:
    with ask(maker) as end:
        end.send(b"well?")
        pid = int(end.recv(100).split(b":")[0])
        end.send(b"stand still")
        while open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.01)
    began = time.monotonic()
print(round(time.monotonic() - began), runs(pid))
""")
    assert lines in (["5 False"], ["6 False"])


def test_what_goes_wrong_in_it_is_told_without_its_text_and_ends_it() -> None:
    (line,) = said("""
def wrong(end):
    raise ValueError("9990001006")

with made(wrong) as maker:
    with ask(maker) as end:
        assert end.recv(100) == b""
""")
    told = json.loads(line)
    assert (told["level"], told["error"]) == ("error", "the process that makes them: ValueError")
    assert "9990001006" not in line


def test_signals_that_end_the_gateway_do_not_end_what_it_has_made() -> None:
    assert said("""
with made(run) as maker:
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(maker._pid, number)
    with ask(maker) as end:
        end.send(b"well?")
        pid = int(end.recv(100).split(b":")[0])
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        end.send(b"well?")
        assert end.recv(100).endswith(b": well?")
""") == ["ends"]

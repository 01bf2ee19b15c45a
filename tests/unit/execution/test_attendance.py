"""A cluster without workers is said."""

from __future__ import annotations

import time

from hepflow.execution.attendance import watched


def messages(caplog):
    return [one.getMessage() for one in caplog.records]


def looked(counts, caplog):
    """What is told while the number of workers is one after the other of these."""
    left = list(counts)

    def count():
        if isinstance(left[0], Exception):
            raise left.pop(0)
        return left.pop(0) if len(left) > 1 else left[0]

    with watched(count, "tcp://here:1", every=0.005):
        until = time.monotonic() + 10.0
        while len(left) > 1 and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(0.02)
    return messages(caplog)


def test_no_worker_is_told_once_each_time(caplog):
    told = looked([2, 0, 0, 0, 1, 0, 2], caplog)
    assert len(told) == 2
    assert told[0].startswith("the cluster at tcp://here:1 has no worker: waiting for one.")


def test_workers_that_are_there_are_not_told(caplog):
    assert looked([2, 1, 2], caplog) == []


def test_a_scheduler_that_does_not_answer_tells_nothing(caplog):
    assert looked([OSError("closed"), 2], caplog) == []

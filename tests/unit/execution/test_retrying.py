"""What fails for a reason that may pass is tried again, later each time."""

from __future__ import annotations

import contextlib
import errno
import logging

import pytest

from hepflow.errors import ConfigurationError, UnreadableFile
from hepflow.execution import configured_executor, make_executor
from hepflow.execution.retrying import RetryingExecutor
from hepflow.remote import is_transient


@pytest.fixture
def pauses(monkeypatch):
    found = []
    monkeypatch.setattr("hepflow.execution.retrying.time.sleep", found.append)
    return found


def executor_with(retries, wait=1.0):
    return configured_executor({"backend": "inprocess", "max_retries": retries, "retry_wait": wait})


class Flaky:
    """Fails so many times for each item."""

    def __init__(self, times, error=TimeoutError):
        self.left, self.error, self.order = dict(times), error, []

    def __call__(self, item):
        self.order.append(item)
        if self.left.get(item, 0):
            self.left[item] -= 1
            raise self.error(f"item {item}")
        return 10 * item


def test_the_others_come_first_and_pauses_double(pauses, caplog):
    work = Flaky({1: 2, 3: 1})
    with executor_with(3, 0.5) as executor, caplog.at_level(logging.WARNING):
        outcomes = list(executor.map(work, range(5), label="reading"))
    assert [one.index for one in outcomes] == [0, 2, 4, 3, 1]
    assert [one.value for one in outcomes] == [0, 20, 40, 30, 10]
    assert work.order == [0, 1, 2, 3, 4, 1, 3, 1]
    assert pauses == [0.5, 1.0]
    first, second = (one.getMessage() for one in caplog.records)
    assert first.startswith("reading: 2 failed in a way that may pass (TimeoutError: item 1)")
    assert first.endswith("tried again in 0.5 s (1 of 3)")
    assert "reading: 1 failed" in second


def test_after_the_last_try_it_is_a_failure(pauses):
    work = Flaky({1: 9})
    outcomes = list(executor_with(2).map(work, range(2), label="x"))
    assert [one.ok for one in outcomes] == [True, False]
    assert outcomes[1].error.transient
    assert (outcomes[1].index, outcomes[1].item) == (1, 1)
    assert work.order == [0, 1, 1, 1]
    assert pauses == [1.0, 2.0]


def test_a_pause_has_an_end(pauses):
    list(executor_with(9, 10.0).map(Flaky({0: 9}), [0], label="x"))
    assert max(pauses) == 60.0


@pytest.mark.parametrize("retries", [0, 2])
def test_what_would_repeat_itself_is_not_tried_again(pauses, retries):
    work = Flaky({0: 1}, ValueError)
    assert not next(executor_with(retries).map(work, [0], label="x")).ok
    assert work.order == [0]
    assert pauses == []


def test_a_probe_is_tried_once(pauses):
    work = Flaky({0: 1})
    assert not next(executor_with(2).map(work, [0], label="x", probe=True)).ok
    assert work.order == [0]


def test_no_worker_is_still_an_error():
    with pytest.raises(ConfigurationError):
        configured_executor({"workers": 0})
    with RetryingExecutor(make_executor("inprocess"), 1, 0.0) as executor:
        assert executor.workers == 1
        assert [one.value for one in executor.map(abs, [-2], label="x", ahead=True)] == [2]


def os_error(number):
    return OSError(number, "text")


def raised_from(error, *, hidden=False):
    """An error of ours as it comes from reading: with what it was raised from."""
    with pytest.raises(UnreadableFile) as told, reading(hidden):
        raise error
    return told.value


@contextlib.contextmanager
def reading(hidden):
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableFile("x.root: cannot be read.") from (None if hidden else error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (os_error(errno.EIO), True),
        (os_error(errno.ESTALE), True),
        (os_error(errno.ENOENT), False),
        (os_error(errno.EACCES), False),
        (os_error(errno.ENOSPC), False),
        (ConnectionResetError("x"), True),
        (TimeoutError(), True),
        (OSError("[ERROR] Operation expired"), True),
        (OSError("File did not open: [3011] No such file"), False),
        (OSError("500, message='Internal', status=503, url=..."), True),
        (OSError("status=404"), False),
        (ValueError("Connection refused"), False),  # of a user's function: no server is meant
        (KeyError("x"), False),
    ],
)
def test_what_may_pass(error, expected):
    assert is_transient(error) is expected
    assert is_transient(raised_from(error)) is expected
    assert is_transient(raised_from(error, hidden=True)) is expected


def test_errors_that_hold_each_other_end():
    one, two = ValueError("a"), ValueError("b")
    one.__cause__, two.__cause__ = two, one
    assert not is_transient(one)

"""What becomes of items that failed: an error, or a loss that the run goes on without."""

from __future__ import annotations

import pytest

from hepflow.errors import (
    ChecksumError,
    ExecutionError,
    InputError,
    MissingBranch,
    StorageError,
    UnreadableFile,
)
from hepflow.execution import Failure, Outcome
from hepflow.execution.failures import left_out, reason, settle
from hepflow.records import Loss


def outcome(index, error):
    return Outcome(index, f"item {index}", error=Failure.of(error))


FAILED = [outcome(3, UnreadableFile("b.root: broken")), outcome(1, ValueError("negative\n  MET"))]


@pytest.mark.parametrize("policy", ["fail", "rescale", "drop_dataset"])
def test_nothing_failed(policy):
    assert settle([], "skimming", of=3, policy=policy) == ()


def test_by_default_failures_are_raised():
    with pytest.raises(ExecutionError, match=r"skimming: 2 of 5 failed[\s\S]*3 of 5 finished"):
        settle(FAILED, "skimming", of=5, policy="fail")


@pytest.mark.parametrize(
    ("policy", "says"),
    [("rescale", "goes on without them"), ("drop_dataset", "datasets are left out")],
)
def test_the_others_warn_once_and_hand_them_back_in_order(caplog, policy, says):
    lost = settle(FAILED, "skimming", of=5, policy=policy)
    assert [one.index for one in lost] == [1, 3]
    (record,) = caplog.records
    for text in ("skimming: 2 of 5 failed", "b.root: broken", "negative MET", says, policy):
        assert text in " ".join(record.getMessage().split())


def test_where_everything_failed_there_is_nothing_to_go_on_with():
    with pytest.raises(UnreadableFile, match="1 of 1 failed"):
        settle(FAILED[:1], "skimming", of=1, policy="rescale")


@pytest.mark.parametrize("error", [StorageError("disk full"), ChecksumError("damaged")])
def test_what_could_not_be_stored_is_no_loss_of_input(error):
    with pytest.raises((StorageError, ExecutionError), match=str(error)):
        settle([*FAILED, outcome(4, error)], "skimming", of=9, policy="rescale")


def test_a_reason_is_one_line():
    assert reason(FAILED[1]) == "ValueError: negative MET"
    error = MissingBranch("no branch 'x'")
    error.add_note("in channel SR")
    assert reason(outcome(0, error)) == "no branch 'x' in channel SR"
    assert reason(Outcome(0, "fine", value=1)) == ""


def lost(*names):
    return [Loss(name, "a.root", 0, 1, "broken") for name in names]


def test_which_datasets_go_no_further():
    left = {"a": 2, "b": 1, "data": 0}
    assert left_out([], left, "rescale", data=["data"]) == frozenset()
    assert left_out(lost("a"), left, "rescale", data=["data"]) == frozenset()
    assert left_out(lost("a", "data"), left, "rescale", data=["data"]) == {"data"}
    assert left_out(lost("a"), left, "drop_dataset", data=["data"]) == {"a"}


def test_what_must_be_there_is_an_error():
    with pytest.raises(InputError, match=r"nothing of c could be processed.*drop_dataset"):
        left_out(lost("a", "c"), {"a": 2}, "rescale", data=[])
    with pytest.raises(InputError, match=r"'drop_dataset', and nothing is left: a, b"):
        left_out(lost("a", "b"), {"a": 2, "b": 1}, "drop_dataset", data=[])

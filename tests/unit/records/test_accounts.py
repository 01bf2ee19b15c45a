"""Accounts of datasets in closed form."""

from __future__ import annotations

import json
import math

import pytest

from hepflow.records import Account, Ledger, Loss, PartCounts
from hepflow.records.accounts import merged

KEY = "ttbar__nominal"


def part(file, start, stop, weight=1.0, **more):
    """Make a part whose events have one weight each."""
    n = stop - start
    return PartCounts(KEY, file, start, stop, n, n * weight, math.copysign(n, weight), **more)


def loss(file, start, stop, size, reason="truncated", stage="skim"):
    return Loss(KEY, file, start, stop, reason, stage, size)


def unopened(file, reason="truncated"):
    return Loss(KEY, file, 0, 0, reason, "metadata")


def account(*parts, losses=(), sizes=None, sums=None, files=0) -> Account:
    ledger = Ledger(
        parts={one.item_key: one for one in parts},
        file_events={KEY: sizes or {}},
        file_sums={KEY: sums or {}},
        files_expected={KEY: files} if files else {},
    ).with_losses(losses)
    (found,) = ledger.accounts()
    assert found.files_expected == found.files_processed + found.files_skipped + found.files_failed
    events = found.events_processed + found.events_skipped + found.events_failed
    assert found.events_expected == events
    return found


def test_a_complete_dataset():
    found = account(part("f", 0, 10, 2.0), part("f", 10, 15, -2.0), sizes={"f": 15}, files=1)
    assert found.complete
    assert found.fraction == 1.0
    assert (found.files_expected, found.files_processed) == (1, 1)
    assert (found.ranges_processed, found.ranges_failed) == (2, 0)
    assert (found.events_expected, found.events_processed) == (15, 15)
    # all of it was processed, so that the sum over the files need not be known
    assert (found.weights_expected, found.weights_processed) == (10.0, 10.0)
    assert (found.weights_skipped, found.weights_failed) == (0.0, 0.0)
    assert (found.reasons, found.lost) == ((), {})


def test_an_entry_range_that_was_lost():
    found = account(
        part("f", 0, 4), part("f", 6, 10, 3.0), part("g", 0, 5), losses=[loss("f", 4, 6, 10)],
        sizes={"f": 10, "g": 5}, sums={"f": 18.0, "g": 5.0}, files=2,
    )  # fmt: skip
    assert not found.complete
    assert found.fraction == 13 / 15
    assert (found.files_processed, found.files_skipped, found.files_failed) == (1, 0, 1)
    assert (found.events_processed, found.events_skipped, found.events_failed) == (13, 0, 2)
    assert found.weights_processed == 4 + 12 + 5
    assert found.weights_failed == 18.0 - 16.0
    assert found.weights_expected == 23.0
    assert found.lost == {"f": ((4, 6),)}
    assert found.lost_estimate == 2.0
    assert found.expected_estimate == 15.0


def test_files_that_were_not_asked_for():
    found = account(part("f", 0, 10), sizes={"f": 10}, files=4)
    assert (found.files_expected, found.files_processed, found.files_skipped) == (4, 1, 3)
    assert (found.files_failed, found.skipped_unopened) == (0, 3)
    assert (found.events_expected, found.events_skipped) == (10, 0)  # of the file that was opened
    assert found.expected_estimate == 40.0
    assert found.lost_estimate == 0.0
    assert found.fraction == 0.25
    assert found.weights_processed == 10.0
    assert found.weights_failed == 0.0
    assert found.weights_skipped is None
    assert found.weights_expected is None


def test_files_that_could_not_be_opened():
    found = account(
        part("f", 0, 10), part("g", 0, 30), losses=[unopened("h"), unopened("i")],
        sizes={"f": 10, "g": 30}, sums={"f": 10.0, "g": 30.0}, files=4,
    )  # fmt: skip
    assert (found.files_processed, found.files_failed, found.failed_unopened) == (2, 2, 2)
    assert (found.events_expected, found.events_failed) == (40, 0)
    assert (found.lost_estimate, found.expected_estimate) == (40.0, 80.0)
    assert found.fraction == 0.5
    assert (found.weights_failed, found.weights_skipped) == (None, 0.0)
    assert found.weights_expected is None
    assert found.lost == {"h": (), "i": ()}


def test_nothing_could_be_opened():
    found = account(losses=[unopened("f"), unopened("g")], files=2)
    assert (found.events_expected, found.lost_estimate, found.expected_estimate) == (0, None, None)
    assert found.fraction == 0.0
    assert not found.complete


def test_what_is_left_out_with_its_dataset_is_skipped():
    found = account(
        losses=[loss("f", 4, 6, 10)], sizes={"f": 10, "g": 5}, sums={"f": 20.0, "g": 5.0}, files=2
    )
    assert (found.files_processed, found.files_skipped, found.files_failed) == (0, 1, 1)
    assert (found.events_processed, found.events_skipped, found.events_failed) == (0, 13, 2)
    assert found.weights_failed == 4.0  # by number: which weights they have is not known
    assert found.weights_skipped == 21.0
    assert found.fraction == 0.0


def test_a_dataset_without_events_is_complete_once_its_files_were_looked_at():
    found = account(part("f", 0, 0), sizes={"f": 0}, files=1)
    assert found.complete
    assert not account(part("f", 0, 0), losses=[unopened("g")], sizes={"f": 0}, files=2).complete


def test_lost_ranges_are_merged_and_give_way_to_parts():
    losses = [loss("f", 20, 30, 100), loss("f", 10, 25, 100), loss("f", 50, 60, 100)]
    found = account(losses=losses, sizes={"f": 100})
    assert found.lost == {"f": ((10, 30), (50, 60))}
    assert found.events_failed == 30
    again = account(part("f", 15, 22), part("f", 55, 80), losses=losses, sizes={"f": 100})
    assert again.lost == {"f": ((10, 15), (22, 30), (50, 55))}
    assert (again.events_processed, again.events_failed, again.events_skipped) == (32, 18, 50)


def test_one_part_may_reach_into_several_losses():
    losses = [loss("f", 0, 10, 40), loss("f", 20, 30, 40)]
    found = account(part("f", 5, 25), losses=losses, sizes={"f": 40})
    assert found.lost == {"f": ((0, 5), (25, 30))}


def test_a_range_that_worked_at_another_time_is_not_lost():
    found = account(part("f", 0, 10), losses=[loss("f", 0, 10, 10)], sizes={"f": 10})
    assert found.complete
    assert found.reasons == ()


def test_reasons_that_differ_in_file_and_numbers_are_one():
    losses = [
        loss("a.root", 4, 6, 9, "a.root: negative MET in event 5"),
        loss("b.root", 0, 1, 9, "b.root: negative MET in event 0"),
        unopened("c.root", "c.root: truncated"),
    ]
    found = account(losses=losses[::-1], files=3)
    assert [(one.text, one.stage, one.losses) for one in found.reasons] == [
        ("a.root: negative MET in event 5", "skim", 2), ("c.root: truncated", "metadata", 1)
    ]  # fmt: skip


def test_repeated_events_of_data_are_counted():
    found = account(part("f", 0, 10, repeated=3), part("f", 10, 20, repeated=1), sizes={"f": 20})
    assert found.repeated == 4
    assert found.complete  # they were read, and are in another part


def test_as_plain_containers():
    found = account(part("f", 0, 4), losses=[loss("f", 4, 6, 6), unopened("g")], files=2)
    plain = json.loads(json.dumps(found.to_json()))
    assert plain["lost"] == {"f": [[4, 6]], "g": []}
    assert plain["reasons"] == [
        {"text": "truncated", "stage": "skim", "losses": 1},
        {"text": "truncated", "stage": "metadata", "losses": 1},
    ]
    assert plain["weights_failed"] is None
    assert (plain["fraction"], plain["lost_estimate"]) == (pytest.approx(1 / 3), 8.0)


def test_merging_ranges():
    assert merged([]) == ()
    assert merged([(0, 3), (1, 2), (3, 4), (6, 9)]) == ((0, 4), (6, 9))

"""The ledger counts every entry range once and says what is missing."""

from __future__ import annotations

import json
import time

import pytest

from hepflow.records import Ledger, Loss, PartCounts
from hepflow.records.ledger import files_of


def part(dataset, start, sum_weights=9.0, file="f.root"):
    return PartCounts(dataset, file, start, start + 10, 10, sum_weights, 8.0)


def test_totals_are_over_the_parts_of_one_dataset():
    ledger = Ledger.of_parts([part("a", 0, 1.5), part("a", 10, 2.0), part("b", 0, 7.0)])
    totals = ledger.totals("a")
    assert (totals.nevts, totals.sum_weights, totals.sum_signs) == (20, 3.5, 16.0)
    assert totals.sum_for("generator") == 3.5
    assert totals.sum_for("sign") == 16.0
    assert ledger.datasets() == ("a", "b")
    assert ledger.totals("none").nevts == 0


def test_the_same_entry_range_counts_once():
    assert Ledger.of_parts([part("a", 0), part("a", 0)]).totals("a").nevts == 10
    one = Ledger.of_parts([part("a", 0)])
    assert (one + one).totals("a").nevts == 10


def test_ranges_of_different_files_are_different_parts():
    parts = [part("a", 0, file="f.root"), part("a", 0, file="g.root")]
    assert Ledger.of_parts(parts).totals("a").nevts == 20


def test_parts_are_sorted_by_file_and_entry_range():
    parts = [part("a", 10), part("b", 0), part("a", 0, file="g.root"), part("a", 0)]
    found = Ledger.of_parts(parts).parts_of("a")
    assert [(one.file, one.entrystart) for one in found] == [
        ("f.root", 0), ("f.root", 10), ("g.root", 0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "files", "fraction"),
    [
        ({}, {}, 1.0),
        ({}, {"a": 4}, 0.25),
        ({"f.root": 10}, {}, 1.0),
        ({"f.root": 40}, {}, 0.25),
        ({"f.root": 30, "g.root": 10}, {"a": 2}, 0.25),
        ({"f.root": 20}, {"a": 4}, 0.125),
        ({"f.root": 10}, {"a": 4}, 0.25),
    ],
)
def test_the_fraction_that_was_processed(expected, files, fraction):
    ledger = Ledger(
        parts=Ledger.of_parts([part("a", 0)]).parts,
        file_events={"a": expected} if expected else {},
        files_expected=files,
    )
    assert ledger.fraction("a") == fraction
    assert ledger.incomplete(["a"]) == ({} if fraction == 1.0 else {"a": fraction})


def test_losses_are_kept_once():
    loss = Loss("a", "f.root", 0, 10, "truncated")
    one = Ledger(losses=(loss,))
    assert (one + one).losses == (loss,)


def test_json_and_back():
    ledger = Ledger(
        parts=Ledger.of_parts([part("b", 0), part("a", 10, 0.1 + 0.2)]).parts,
        losses=(Loss("a", "g.root", 0, 5, "truncated"),),
        file_events={"a": {"f.root": 60, "g.root": 40}},
        runs_sums={"a": {"f.root": 58.5}},
        files_expected={"a": 3},
        file_sums={"a": {"f.root": 58.25}},
    )
    assert Ledger.from_json(json.loads(json.dumps(ledger.to_json()))) == ledger


def test_losses_tell_about_their_files():
    known = Ledger(
        parts={one.item_key: one for one in [PartCounts("d", "a.root", 0, 50, 50, 50.0, 50.0)]},
        file_events={"d": {"a.root": 100}},
        files_expected={"d": 3},
    )
    losses = [
        Loss("d", "a.root", 50, 100, "broken", "skim", 100),
        Loss("d", "b.root", 0, 20, "broken", "skim", 20),
        Loss("d", "c.root", 0, 0, "truncated", "metadata"),
    ]
    found = known.with_losses(losses)
    assert found.losses == tuple(losses)
    assert found.file_events == {"d": {"a.root": 100, "b.root": 20}}
    assert found.with_losses(losses) == found
    # a file of unknown size holds as many events as the others on average
    assert found.lost_events("d") == 50 + 20 + 60
    assert found.lost_events("e") == 0.0
    assert found.fraction("d") == pytest.approx(50 / 120 * 2 / 3)
    assert found.incomplete(["d", "e"]) == {"d": found.fraction("d")}
    assert found.dropped() == ()
    assert Ledger.from_json(found.to_json()) == found


def test_a_dataset_without_parts_that_lost_something_is_dropped():
    found = Ledger().with_losses([Loss("d", "c.root", 0, 0, "truncated", "metadata")])
    assert found.dropped() == ("d",)
    assert found.fraction("d") == 0.0
    assert found.fraction("e") == 1.0
    assert found.lost_events("d") == 0.0


def test_files_are_known_from_the_metadata():
    fileset = {"d": {"files": {}, "metadata": {"n_files": 3}}, "e": {"files": {}}}
    file = {"path": "a.root", "nevts": 4, "sum_weights": 2.5, "dataset": "d"}
    summary = {"p": {"nominal": {"files": [file]}, "up": {"files": []}}}
    found = files_of(fileset, summary)
    assert found == Ledger(
        file_events={"d": {"a.root": 4}}, file_sums={"d": {"a.root": 2.5}}, files_expected={"d": 3}
    )
    assert found.dropped() == found.datasets() == ()
    assert found.about("d") == found
    assert found.about("e") == Ledger()


def test_many_datasets_take_no_longer_than_one():
    """Grouped in one pass: with a pass for each dataset this would take minutes."""
    parts = [part(f"d{i % 2000}", 10 * i) for i in range(40_000)]
    ledger = Ledger.of_parts(parts)
    start = time.process_time()
    accounts = ledger.accounts()
    for name in ledger.datasets():
        ledger.totals(name)
        ledger.parts_of(name)
        ledger.fraction(name)
    assert len(accounts) == 2000
    assert time.process_time() - start < 5.0

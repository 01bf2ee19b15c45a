"""Laws of ledgers: what is counted adds up, in any order, and nothing gets lost twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.records import Ledger, Loss, PartCounts

SIZE = 12  # events of a file
DATASETS = ("d1", "d2")
REASONS = ("truncated", "event 3 is odd", "event 7 is odd")
# what becomes of a file: never looked at, cannot be opened, or cut into ranges
CUTS = st.lists(st.integers(1, SIZE - 1), max_size=4, unique=True).map(sorted)
FATES = st.sampled_from(("processed", "skipped", "lost"))
FILES = st.one_of(
    st.just("never"),
    st.just("unopened"),
    CUTS.flatmap(
        lambda cuts: st.tuples(
            st.just(cuts), st.lists(FATES, min_size=len(cuts) + 1, max_size=len(cuts) + 1)
        )
    ),
)


@st.composite
def ledgers(draw, datasets=DATASETS, prefix=""):
    """Draw a ledger, and what became of the events of each dataset, counted one by one."""
    total, counts = Ledger(), {}
    for dataset in datasets:
        files = draw(st.lists(FILES, min_size=1, max_size=4))
        parts, losses, sizes, mine = [], [], {}, Counter()
        for i, fate in enumerate(files):
            name = f"{prefix}{i}.root"
            if fate == "never":
                mine["never"] += 1
            elif fate == "unopened":
                mine["unopened"] += 1
                losses.append(Loss(dataset, name, 0, 0, "truncated", "metadata"))
            else:
                sizes[name] = SIZE
                edges = [0, *fate[0], SIZE]
                for low, high, what in zip(edges, edges[1:], fate[1], strict=False):
                    mine[what] += high - low
                    n = high - low
                    if what == "processed":
                        parts.append(PartCounts(dataset, name, low, high, n, n * 0.5, n, low % 2))
                    elif what == "lost":
                        reason = draw(st.sampled_from(REASONS))
                        losses.append(Loss(dataset, name, low, high, reason, "skim", SIZE))
        mine["files"] = len(files)
        counts[dataset] = mine
        sums = {dataset: dict.fromkeys(sizes, SIZE * 0.5)}
        facts = Ledger(
            file_events={dataset: sizes}, file_sums=sums, files_expected={dataset: len(files)}
        )
        total = total + Ledger.of_parts(parts) + facts.with_losses(losses)
    return total, counts


@given(ledgers())
def test_expected_is_processed_and_skipped_and_failed(drawn):
    ledger, counts = drawn
    assert [one.dataset for one in ledger.accounts()] == list(DATASETS)
    for one in ledger.accounts():
        mine = counts[one.dataset]
        assert one.files_expected == mine["files"]
        assert one.files_expected == one.files_processed + one.files_skipped + one.files_failed
        assert one.events_processed == mine["processed"]
        assert one.events_skipped == mine["skipped"]
        assert one.events_failed == mine["lost"]
        assert one.events_expected == mine["processed"] + mine["skipped"] + mine["lost"]
        assert (one.skipped_unopened, one.failed_unopened) == (mine["never"], mine["unopened"])
        assert one.weights_processed == 0.5 * mine["processed"]
        if one.weights_failed is not None:
            assert one.weights_failed == pytest.approx(0.5 * mine["lost"])
        assert (one.weights_failed is None) == (mine["unopened"] > 0)
        assert (one.weights_skipped is None) == (mine["never"] > 0)
        if one.weights_expected is not None:
            parts = (one.weights_processed, one.weights_skipped, one.weights_failed)
            assert one.weights_expected == pytest.approx(sum(parts))
        assert sum(b - a for ranges in one.lost.values() for a, b in ranges) == one.events_failed
        assert sum(reason.losses for reason in one.reasons) == one.ranges_failed
        assert 0.0 <= one.fraction <= 1.0
        done = mine["processed"] == SIZE * mine["files"]
        assert one.complete == done


@given(ledgers(), st.randoms(use_true_random=False))
def test_accounts_do_not_depend_on_the_order(drawn, random):
    ledger, _ = drawn
    parts, losses = list(ledger.parts.items()), list(ledger.losses)
    random.shuffle(parts)
    random.shuffle(losses)
    sizes = {
        name: dict(random.sample(list(files.items()), len(files)))
        for name, files in ledger.file_events.items()
    }
    other = replace(ledger, parts=dict(parts), losses=tuple(losses), file_events=sizes)
    assert other.accounts() == ledger.accounts()


@given(ledgers(("d1",)), ledgers(("d2",)))
def test_ledgers_of_different_datasets_have_the_accounts_of_both(one, two):
    left, right = one[0], two[0]
    assert (left + right).accounts() == (*left.accounts(), *right.accounts())
    assert (right + left).accounts() == (left + right).accounts()
    assert Ledger.merged([left, right]).accounts() == (left + right).accounts()
    assert (left + left).accounts() == left.accounts()


@given(ledgers(("d1",), "a"), ledgers(("d1",), "b"))
def test_accounts_of_different_files_of_a_dataset_add(one, two):
    """Except for files that nobody looked at, which have no name."""
    left, right = (replace(found[0], files_expected={}) for found in (one, two))
    total = (left + right).account("d1")
    first, second = left.account("d1"), right.account("d1")
    for name in (
        "files_expected", "files_processed", "files_skipped", "files_failed", "failed_unopened",
        "ranges_processed", "ranges_failed", "events_expected", "events_processed",
        "events_skipped", "events_failed", "weights_processed", "repeated",
    ):  # fmt: skip
        assert getattr(total, name) == getattr(first, name) + getattr(second, name)
    for name in ("weights_expected", "weights_skipped", "weights_failed"):
        parts = getattr(first, name), getattr(second, name)
        assert getattr(total, name) == (None if None in parts else pytest.approx(sum(parts)))
    assert total.lost == {**first.lost, **second.lost}


@given(ledgers())
def test_what_was_lost_can_be_processed_later(drawn):
    """A ledger in which all that was lost in entry ranges has been processed has lost none."""
    ledger, counts = drawn
    mended = ledger + Ledger.of_parts(
        PartCounts(one.dataset, one.file, one.entrystart, one.entrystop,
                   one.entrystop - one.entrystart, 0.5 * (one.entrystop - one.entrystart), 0.0)
        for one in ledger.losses if one.stage == "skim"
    )  # fmt: skip
    for one in mended.accounts():
        mine = counts[one.dataset]
        assert one.events_failed == 0
        assert one.events_processed == mine["processed"] + mine["lost"]
        assert one.files_failed == one.ranges_failed == mine["unopened"]

"""More than the admitted fraction of a dataset is not lost without a word."""

from __future__ import annotations

import pytest

from hepflow.errors import IncompleteInput
from hepflow.records import Loss, check_missing

SIZES = {"a": {"f.root": 100, "g.root": 100}, "b": {"h.root": 10}}
RANGE = Loss("a", "g.root", 90, 100, "negative MET", "skim", 100)  # 5 % of a
FILE = Loss("a", "i.root", 0, 0, "i.root: truncated", "metadata")  # a third of a


def test_the_limit_itself_is_admitted():
    check_missing([RANGE], SIZES, 0.05)
    check_missing([], {}, 0.0)
    with pytest.raises(IncompleteInput, match=r"a: 5 % is lost: 10 of 200 events"):
        check_missing([RANGE], SIZES, 0.0499)
    with pytest.raises(IncompleteInput):
        check_missing([RANGE], SIZES, 0.0)


def test_the_message_says_what_where_why_and_what_to_do():
    with pytest.raises(IncompleteInput) as caught:
        check_missing([FILE, RANGE], SIZES, 0.1)
    assert str(caught.value) == (
        "more is lost than execution.missing_limit admits (10 % of the events of a dataset).\n"
        "  a: 36.7 % is lost: 1 of 3 files cannot be read, 10 of 200 events of the others\n"
        "    i.root: truncated [metadata]\n"
        "    g.root, 90 to 100: negative MET [skim]\n"
        "Mend this input and run again: what finished is kept. If what is left is enough, set "
        "execution.missing_limit to 0.367 or more; with execution.on_missing 'drop_dataset' such "
        "datasets are left out as a whole."
    )
    check_missing([FILE, RANGE], SIZES, 0.367)


def test_a_file_of_unknown_size_counts_as_the_others():
    check_missing([FILE], SIZES, 0.334)
    with pytest.raises(IncompleteInput, match=r"33\.3 %"):
        check_missing([FILE], SIZES, 0.333)


def test_all_is_lost_where_nothing_can_be_opened():
    check_missing([FILE], {}, 1.0)
    with pytest.raises(IncompleteInput, match=r"100 % is lost: 1 of 1 files"):
        check_missing([FILE], {}, 0.99)


def test_losses_know_the_size_of_their_own_file():
    check_missing([RANGE], {}, 0.1)
    with pytest.raises(IncompleteInput, match=r"10 % is lost: 10 of 100 events"):
        check_missing([RANGE], {}, 0.09)


def test_files_count_where_there_are_no_events():
    empty = {"a": {"f.root": 0, "g.root": 0, "h.root": 0}}
    check_missing([FILE], empty, 0.25)
    with pytest.raises(IncompleteInput, match=r"25 % is lost"):
        check_missing([FILE], empty, 0.24)


def test_each_dataset_is_judged_by_itself_and_many_losses_are_shortened():
    many = [Loss("a", "f.root", i, i + 1, f"bad event {i}", "skim", 100) for i in range(50)]
    other = Loss("b", "h.root", 0, 1, "odd", "histograms", 10)
    with pytest.raises(IncompleteInput) as caught:
        check_missing([*many, other], SIZES, 0.1)
    text = str(caught.value)
    assert "b: " not in text
    assert "a: 25 % is lost: 50 of 200 events" in text
    assert text.count("bad event") == 3
    assert "and 47 more" in text
    with pytest.raises(IncompleteInput, match=r"b: 10 % is lost: 1 of 10 events"):
        check_missing([*many, other], SIZES, 0.05)


def test_percentages_can_be_told_from_the_limit():
    just_above = Loss("a", "f.root", 0, 50_001, "odd", "skim", 1_000_000)
    with pytest.raises(IncompleteInput, match=r"admits \(5 %.*\n.* 5\.0001 % is lost"):
        check_missing([just_above], {"a": {"f.root": 1_000_000}}, 0.05)

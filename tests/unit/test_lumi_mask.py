"""Certified runs: what is not listed is rejected, and ranges include both ends."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hepflow.errors import ChecksumError, InputError
from hepflow.lumi_mask import certified, load_certified
from hepflow.storage import sha256_file
from tests.builders import shared

LISTED = {"100": [[5, 10], [20, 20]], "200": [[1, 3]], "300": []}


@pytest.fixture
def ranges(tmp_path):
    path = tmp_path / "golden.json"
    path.write_text(json.dumps(LISTED))
    return load_certified(str(path), "1")


@pytest.mark.parametrize(
    ("run", "block", "expected"),
    [
        (99, 7, False),  # before the first certified run
        (150, 2, False),  # between two
        (201, 2, False),  # after the last
        (300, 1, False),  # listed without a block
        (100, 4, False),
        (100, 5, True),
        (100, 10, True),
        (100, 11, False),
        (100, 19, False),
        (100, 20, True),
        (100, 21, False),
        (200, 0, False),
        (200, 1, True),
        (200, 3, True),
        (200, 4, False),
    ],
)
def test_run_and_block_must_both_be_listed(ranges, run, block, expected):
    assert certified(np.array([run]), np.array([block]), ranges).tolist() == [expected]


def test_many_events_are_judged_one_by_one(ranges):
    runs = np.array([200, 99, 100, 100, 150, 200], np.uint32)
    blocks = np.array([2, 7, 10, 11, 2, 9], np.uint32)
    expected = [True, False, True, False, False, False]
    assert certified(runs, blocks, ranges).tolist() == expected
    assert certified(runs[:0], blocks[:0], ranges).tolist() == []


def test_overlapping_and_unsorted_ranges_are_a_union(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"1": [[20, 25], [1, 10], [2, 3]]}))
    ranges = load_certified(str(path), "1")
    blocks = np.arange(0, 30)
    expected = [(1 <= b <= 10) or (20 <= b <= 25) for b in blocks]
    assert certified(np.full(30, 1), blocks, ranges).tolist() == expected


@pytest.mark.parametrize(
    "content", ["", "[]", '{"1": [[1, 2, 3], [4, 5, 6]]}', '{"1": [1, 2]}', '{"a": [[1, 2]]}', "{"]
)
def test_another_form_is_an_error_that_shows_the_right_one(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(
        InputError, match=r"x\.json: not a list of certified runs .*\[\[1, 1279\]\]"
    ):
        load_certified(str(path), "1")


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.json"):
        load_certified(str(tmp_path / "gone.json"), "1")


GOLDEN = "corrections/golden/Cert_{}_13TeV_Legacy20{}_Collisions{}_JSON.txt"


@pytest.mark.parametrize(("span", "year"), [("271036-284044", 16), ("314472-325175", 18)])
def test_the_real_lists_as_coffea_reads_them(span, year):
    from coffea.lumi_tools import LumiMask

    path = shared(GOLDEN.format(span, year, year))
    ranges = load_certified(str(path), "real")
    rng = np.random.default_rng(1)
    known = np.array(sorted(ranges))
    runs = rng.integers(known[0] - 50, known[-1] + 50, 20_000).astype(np.uint32)
    runs[::2] = rng.choice(known, 10_000)
    blocks = rng.integers(0, 2000, 20_000).astype(np.uint32)
    mask = certified(runs, blocks, ranges)
    assert np.array_equal(mask, LumiMask(str(path))(runs, blocks))
    assert 0.05 < mask.mean() < 0.95


def test_a_run_that_the_real_list_leaves_out():
    ranges = load_certified(str(shared(GOLDEN.format("271036-284044", 16, 16))), "real")
    assert len(ranges) == 393
    assert not certified(np.full(2000, 273159), np.arange(2000), ranges).any()
    assert certified(np.array([273158]), np.array([1]), ranges).all()


def test_a_list_that_changes_while_a_run_goes_on_is_refused(tmp_path):
    path = tmp_path / "certified.json"
    path.write_text('{"1": [[1, 2]]}')
    digest = sha256_file(path)
    assert list(load_certified(str(path), digest)) == [1]
    load_certified.cache_clear()
    path.write_text('{"2": [[1, 2]]}')
    with pytest.raises(ChecksumError, match=r"certified\.json: it changed while the run went on"):
        load_certified(str(path), digest)

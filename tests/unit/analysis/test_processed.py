"""Parts that are processed one by one: each event of a file counts once."""

from __future__ import annotations

import copy
import logging
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.analysis import Analysis
from hepflow.analysis.processed import ProcessedParts
from hepflow.records import Ledger, PartCounts, RawHistograms
from hepflow.records.parts import check_apart
from tests.builders import make_skims, manager_of, tiny_config, toy_inputs


def counted(key):
    dataset, file, start, stop = key
    return PartCounts(dataset, file, start, stop, stop - start, 1.0, 1.0)


def raw_of(key):
    return RawHistograms(ledger=Ledger.of_parts([counted(key)]))


RANGES = st.tuples(
    st.sampled_from("ab"), st.sampled_from("fg"), st.integers(0, 12), st.integers(0, 5)
).map(lambda one: (*one[:3], one[2] + one[3]))


@given(st.lists(RANGES, max_size=12))
def test_a_part_takes_the_place_of_those_that_have_entries_of_it(keys):
    """As in a plain loop: of what was put, those stay that nothing later has entries of."""
    parts, plain = ProcessedParts(), []
    for key in keys:
        parts.put(key, raw_of(key))
        plain = [
            one
            for one in plain
            if one != key and (one[:2] != key[:2] or max(one[2], key[2]) >= min(one[3], key[3]))
        ] + [key]
    assert len(parts) == len(plain)
    assert sorted(parts.total({}).ledger.parts) == sorted(plain)


@given(st.lists(RANGES, max_size=8, unique=True))
def test_ranges_are_apart_where_no_entry_is_in_two(keys):
    entries = [(*key[:2], i) for key in keys for i in range(key[2], key[3])]
    left, right = (Ledger.of_parts(map(counted, some)) for some in (keys[::2], keys[1::2]))
    alone = [(*key[:2], i) for key in right.parts for i in range(key[2], key[3])]
    if len(set(entries)) == len(entries):
        check_apart(keys)
        assert (RawHistograms(ledger=left) + RawHistograms(ledger=right)).ledger.parts.keys() == {
            *keys
        }
        assert Ledger.merged([left, right]).parts.keys() == {*keys}
    else:
        with pytest.raises(ValueError, match="overlap: events of both would count twice"):
            Ledger.merged([left, right])
        first = [(*key[:2], i) for key in left.parts for i in range(key[2], key[3])]
        if set(first) & set(alone):
            with pytest.raises(ValueError, match="overlap"):
                _ = RawHistograms(ledger=left) + RawHistograms(ledger=right)


def test_a_million_ranges_are_looked_at_once():
    parts = {("d", f"{i % 1000}.root", i, i + 1): None for i in range(200_000)}
    started = time.process_time()
    check_apart(parts)
    assert time.process_time() - started < 5.0  # one by one with each other: hours


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"))


def skims(config, chunk_size):
    config = copy.deepcopy(config)
    config["preprocess"]["skimming"]["chunk_size"] = chunk_size
    return make_skims(config)


def filled(analysis):
    found = analysis.histogram_set
    return {key: block.sumw for key, block in found.blocks.items()}


def test_a_skim_with_other_chunks_takes_the_place_of_the_first(config, caplog):
    once = Analysis(config, {}, manager_of(config))
    for skim in skims(config, 60).values():
        for events, metadata in skim:
            once.process(events, metadata)
    analysis = Analysis(config, {}, manager_of(config))
    with caplog.at_level(logging.WARNING):
        for chunk_size in (100, 60):
            for skim in skims(config, chunk_size).values():
                for events, metadata in skim:
                    analysis.process(events, metadata)
                    analysis.process(events, metadata)
    assert analysis.histogram_set.ledger.totals("data").nevts == 120
    for key, sumw in filled(once).items():
        assert np.array_equal(filled(analysis)[key], sumw)
    told = [one for one in caplog.messages if "take the place of" in one]
    assert len(told) == 1
    assert "are out until they are processed again" in told[0]
    assert "mc__nominal: entries 0 to" in told[0]

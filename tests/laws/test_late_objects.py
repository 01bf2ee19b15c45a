"""Objects that are read behind the baseline, of few events, change no bit of any histogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.analysis import Analysis
from hepflow.analysis.event_loop import EventLoop
from hepflow.analysis.late import late_objects
from hepflow.events import packed
from hepflow.skimming.late import Late
from tests.builders import itself, make_skims, manager_of, scale_up, tiny_config, toy_inputs
from tests.laws.test_shared_steps import (
    CHANGES,
    CUTS,
    MASKS,
    SOURCES,
    by_columns,
    configuration,
    part,
    sections,
    some_met,
)

__all__ = ["part"]


@dataclass
class FromMemory:
    """Late objects of events that are in memory."""

    events: Any
    names: frozenset[str]
    asked: int = 0

    @property
    def template(self):
        return packed(self.events[:0])

    def read(self, mask):
        self.asked += 1
        assert len(mask) == len(self.events)
        return packed(self.events[sorted(self.names)][mask])


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, one in found.items():
        assert one.variations == expected[key].variations
        assert np.array_equal(one.sumw, expected[key].sumw), key
        assert np.array_equal(one.sumw2, expected[key].sumw2), key


def objects_read_late(folder, events, drawn):
    analysis = Analysis(configuration(folder, drawn), {}, manager_of(configuration(folder, drawn)))
    dataset = next(iter(analysis.spec.datasets.values()))
    return late_objects(analysis.spec, dataset, events[:0])


@settings(deadline=None, max_examples=40)
@given(st.one_of(sections(), by_columns()), st.sampled_from([None, "met"]))
def test_reading_later_changes_no_bit(part, drawn, keep):
    folder, events, metadata = part
    config = configuration(folder, drawn)
    if keep:
        config.datasets.datasets[0].keep = {"function": some_met, "use": [("MET", "pt")]}
    analysis = Analysis(config, {}, manager_of(config)).on_worker()
    choose = analysis.late_objects_of(metadata)
    late = FromMemory(events, choose(events[:0]))
    rest = events[[name for name in events.fields if name not in late.names]]
    prepared = analysis.prepare_parts(rest, [metadata], [len(events)], late if late.names else None)
    found = analysis.fill_prepared(prepared, [metadata])[0]
    expected = analysis.process_chunk(events, metadata)
    same(found.blocks, expected.blocks)
    for key, one in found.cutflows.items():
        assert one.names == expected.cutflows[key].names
        assert np.array_equal(one.sumw, expected.cutflows[key].sumw)
    assert late.asked == bool(late.names)


BASE: dict[str, Any] = {
    "corrections": [],
    "systematics": [],
    "good_object_masks": {"analysis": []},
    "baseline_selection": {"cuts": [CUTS["met"]]},
}
RANDOM = {
    "name": "shifted", "type": "object", "target": ("Jet", "pt"), "op": "mult",
    "use": [("Jet", "pt"), ("Jet", "random_normal")], "up_function": lambda pt, _: scale_up(pt),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"Muon", "Jet", "Pileup"}),
        ({"baseline_selection": {"cuts": [CUTS["muon"]]}}, {"MET", "Jet", "Pileup"}),
        ({"corrections": [CHANGES["jer"]]}, {"Muon", "Pileup"}),
        ({"corrections": [CHANGES["jets by muons"]]}, {"Pileup"}),
        ({"corrections": [CHANGES["jes with MET"]]}, {"Muon", "Pileup"}),
        ({"systematics": [SOURCES["jets"]]}, {"Muon", "Jet", "Pileup"}),
        ({"systematics": [RANDOM]}, {"Muon", "Pileup"}),
        ({"good_object_masks": {"analysis": [MASKS["jets"]]}}, {"Muon", "Jet", "Pileup"}),
        (
            {
                "good_object_masks": {"analysis": [MASKS["jets"], MASKS["muons by jets"]]},
                "baseline_selection": {"cuts": [CUTS["muon"]]},
            },
            {"MET", "Pileup"},
        ),
        (
            {
                "baseline_selection": {
                    "cuts": [CUTS["met"]],
                    "n_minus_1": [
                        {
                            "cut": "met",
                            "binning": "0,100,2",
                            "function": itself,
                            "use": [("MET", "pt")],
                        }
                    ],
                }
            },
            set(),
        ),
        ({"baseline_selection": None}, set()),
    ],
)
def test_what_may_be_read_later(part, changes, expected):
    folder, events, _ = part
    assert objects_read_late(folder, events, {**BASE, **changes}) == expected


class EarlyItself(Analysis):
    """Sees the events before the baseline."""

    def select_baseline(self, events, dataset):
        return super().select_baseline(events, dataset)


def test_an_own_step_before_the_baseline_sees_all(part):
    folder, _, metadata = part
    config = configuration(folder, BASE)
    assert EarlyItself(config, {}, manager_of(config)).late_objects_of(metadata) is None


@pytest.mark.parametrize("shift", [False, True])
def test_filling_from_files_reads_later(tmp_path, shift):
    sources = [SOURCES["jets"]] if shift else []
    mc, data = toy_inputs(tmp_path / "in")
    datasets = [{**mc, "files": [str(min((tmp_path / "in").glob("mc_*.root")))]}, data]
    config = tiny_config(tmp_path, datasets, systematics=sources)
    config["baseline_selection"] = {"function": some_met, "use": [("MET", "pt")]}
    config["preprocess"]["branches"]["Muon"].remove("jetIdx")
    config["execution"]["one_pass"] = True
    analysis = Analysis(config, make_skims(config), manager_of(config))
    with mock.patch.object(Late, "read", autospec=True, side_effect=Late.read) as reading:
        found = analysis.fill_histograms()
    assert reading.call_count == len(config["datasets"]["datasets"])
    config["execution"]["one_pass"] = False
    config["general"]["read_from_cache"] = False
    stored = Analysis(config, make_skims(config), manager_of(config))
    with mock.patch.object(EventLoop, "late_objects_of", return_value=None):
        expected = stored.fill_histograms()
    same(found.blocks, expected.blocks)

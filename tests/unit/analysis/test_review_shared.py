"""What the order of shared, early and waiting steps must not change."""

from __future__ import annotations

from unittest import mock

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis, stack
from hepflow.events import build_events
from hepflow.schema import Config
from tests.builders import (
    all_pts,
    has_muon,
    itself,
    jet_scale,
    manager_of,
    observable,
    tiny_config,
    toy_columns,
    two_jets,
)

N = 300
BRANCHES = {
    "event": ("run", "luminosityBlock", "event", "HLT_Mu50", "genWeight"),
    "MET": ("pt", "phi"),
    "Muon": ("pt", "eta", "phi", "mass", "jetIdx"),
    "Jet": ("pt", "eta", "phi", "mass"),
    "Pileup": ("nTrueInt",),
}


class EachByItself(Analysis):
    """Takes all steps for each variation: one of them is its own."""

    def mask_objects(self, events):
        return super().mask_objects(events)


def wave_up(pt):
    return 1.0 + 0.3 * np.sin(pt)


def wave_down(pt):
    return 1.0 - 0.3 * np.sin(pt)


def hard(pt):
    return pt > 32.0


def central(eta):
    return abs(eta) < 1.4


def with_jet(index):
    return index >= 0


def with_first_jet(index):
    return index == 0


def muons_by_all(events):
    return (events.Muon.pt > 25.0) & (ak.num(events.Jet, axis=1) > 2)


def muons_by_whole(muons):
    return muons.jetIdx >= 0


def of_hardest(pt):
    return pt / ak.fill_none(ak.max(pt, axis=1), 1.0)


def by_share(share):
    return 1.0 + 0.1 * share


def by_share_down(share):
    return 1.0 - 0.1 * share


def tilted(pt, of_each):
    return 1.0 + 0.03 * of_each + 0.0 * pt


def tilted_back(pt, of_each):
    return 1.0 - 0.03 * of_each + 0.0 * pt


def by_pileup(interactions):
    return 1.0 + 0.01 * interactions


def by_missing(pt):
    return 1.0 + 0.002 * pt


def sums_inside(parts):
    return ak.sum(2.0 * parts, axis=-1)


JES = jet_scale(
    uncertainty_sources=[{"name": "jes", "up_function": wave_up, "down_function": wave_down}]
)
JETS = {"object": "Jet", "function": hard, "use": [("Jet", "pt")]}
CENTRAL = {"object": "Jet", "function": central, "use": [("Jet", "eta")]}
TRIGGER = {"name": "trigger", "function": itself, "use": [("event", "HLT_Mu50")]}
TWO_JETS = {"name": "jets", "function": two_jets, "use": ["Jet"]}


def muons(function, *use):
    return {"object": "Muon", "function": function, "use": list(use)}


MATCHED = muons(with_jet, ("Muon", "jetIdx"))


def sections(masks, cut=TRIGGER, **others):
    pts = [0.0, 30.0, 60.0, 120.0, 400.0]
    shown = {
        "name": "SR",
        "observables": [
            observable("muon_pts", pts, all_pts, [("Muon", "pt")]),
            observable("jet_pts", pts, all_pts, [("Jet", "pt")]),
        ],
        "fit_observable": "muon_pts",
    }
    return {
        "corrections": [JES],
        "good_object_masks": {"analysis": masks},
        "baseline_selection": {"cuts": [cut]},
        "channels": [shown],
        "ghost_observables": [],
        **others,
    }


def toy_events(branches=BRANCHES):
    columns = {name: ak.Array(one) for name, one in toy_columns(N, seed=3).items()}
    return build_events(columns, branches, N)


def histograms(kind, folder, drawn, events):
    dataset = {"name": "mc", "files": [str(folder / "a.root")], "cross_section": 1.0}
    config = Config(**tiny_config(folder, [dataset], **drawn))
    metadata = {
        "dataset": "mc__nominal", "file": "a.root", "entrystart": 0, "entrystop": len(events),
        "part_nevts": len(events), "part_sum_weights": 1.0, "part_sum_signs": 1.0,
    }  # fmt: skip
    analysis = kind(config, {}, manager_of(config))
    return analysis.on_worker().process_chunk(events, metadata)


def filled(kind, folder, drawn, events):
    return histograms(kind, folder, drawn, events).blocks


def assert_same(folder, drawn, events):
    found, expected = (filled(one, folder, drawn, events) for one in (Analysis, EachByItself))
    assert found.keys() == expected.keys()
    for key, block in found.items():
        assert block.variations == expected[key].variations
        assert np.array_equal(block.sumw, expected[key].sumw), key
        assert np.array_equal(block.sumw2, expected[key].sumw2), key
    assert any(block.sumw.any() for block in found.values())


@pytest.mark.parametrize(
    "masks",
    [
        [JETS, MATCHED],
        [muons(with_first_jet, ("Muon", "jetIdx"))],
        [JETS, muons(muons_by_whole, ("Muon", None))],
    ],
    ids=["behind the mask of the jets", "the first jet", "as a whole"],
)
def test_indices_follow_jets_before_a_mask_reads_them(tmp_path, masks):
    assert_same(tmp_path, sections(masks), toy_events())


@pytest.mark.parametrize("corrections", [[], [JES]], ids=["nominal", "varied"])
@pytest.mark.parametrize(
    "mask",
    [MATCHED, muons(muons_by_whole, ("Muon", None)), muons(muons_by_all, ("event", None))],
    ids=["index", "whole muons", "whole events"],
)
def test_a_mask_in_front_sees_what_a_later_one_drops(tmp_path, mask, corrections):
    drawn = sections([mask, JETS], TWO_JETS, corrections=corrections)
    assert_same(tmp_path, drawn, toy_events())


def test_a_transform_that_looks_at_other_objects(tmp_path):
    source = {
        "name": "share", "type": "object", "target": ("Jet", "pt"), "use": [("Jet", "pt")],
        "transform": of_hardest, "up_function": by_share, "down_function": by_share_down,
    }  # fmt: skip
    drawn = sections([CENTRAL, JETS], corrections=[], systematics=[source])
    assert_same(tmp_path, drawn, toy_events({**BRANCHES, "Muon": BRANCHES["Muon"][:-1]}))


def test_lists_beside_the_objects(tmp_path):
    events = toy_events({**BRANCHES, "Muon": BRANCHES["Muon"][:-1]})
    events = ak.with_field(events, events.Jet.eta * 2.0, "of_each")
    correction = {
        **JES,
        "use": [("Jet", "pt"), ("event", "of_each")],
        "nominal_function": tilted,
        "uncertainty_sources": [
            {"name": "tilt", "up_function": tilted_back, "down_function": tilted}
        ],
    }
    assert_same(tmp_path, sections([CENTRAL, JETS], corrections=[correction]), events)


def test_lists_inside_of_objects(tmp_path):
    events = toy_events()
    counts = ak.num(events.Jet.pt, axis=1)
    inside = np.arange(ak.sum(counts)) % 3
    flat = np.arange(inside.sum(), dtype=np.float32)
    parts = ak.unflatten(ak.unflatten(flat, inside), counts)
    events = ak.with_field(events, ak.with_field(events.Jet, parts, "parts"), "Jet")
    drawn = sections([CENTRAL, JETS])
    shown = observable("sums", [0.0, 100.0, 400.0, 900.0], sums_inside, [("Jet", "parts")])
    drawn["channels"] = [{"name": "SR", "observables": [shown], "fit_observable": "sums"}]
    assert_same(tmp_path, drawn, events)


def test_events_that_a_mask_has_chosen(tmp_path):
    events = toy_events()
    chosen = np.arange(N) % 3 > 0
    drawn = sections([JETS], {"name": "muon", "function": has_muon, "use": ["Muon"]})
    expected = filled(EachByItself, tmp_path, drawn, ak.to_packed(events[chosen]))
    found = filled(EachByItself, tmp_path, drawn, events[chosen])
    for key, block in expected.items():
        assert np.array_equal(found[key].sumw, block.sumw)


def test_blocks_of_one_event_have_indices_too(tmp_path):
    with mock.patch.object(stack, "STACK_EVENTS", 1):
        assert_same(tmp_path, sections([JETS, MATCHED], TWO_JETS), toy_events())


def test_factors_are_known_by_their_correction(tmp_path):
    """Yields are summed without some of the corrections: their positions are others."""
    factor = {"type": "event", "use_correctionlib": False}
    drawn = sections(
        [CENTRAL],
        corrections=[
            {**factor, "name": "kept", "use": [("Pileup", "nTrueInt")],
             "nominal_function": by_pileup, "keep_yield": True},
            {**factor, "name": "other", "use": [("MET", "pt")], "nominal_function": by_missing},
            JES,
        ],
    )  # fmt: skip
    events = toy_events()
    found, expected = (
        histograms(kind, tmp_path, drawn, events).yields["mc__nominal"]
        for kind in (Analysis, EachByItself)
    )
    assert found.variations == expected.variations
    assert np.array_equal(found.without, expected.without)
    assert np.array_equal(found.weighted, expected.weighted)
    assert_same(tmp_path, drawn, events)

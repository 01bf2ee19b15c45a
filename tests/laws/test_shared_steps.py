"""What variations share with nominal is done once, and changes no bit of any histogram."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.analysis import Analysis, stack
from hepflow.events import build_events
from hepflow.schema import Config
from tests.builders import (
    all_pts,
    has_muon,
    itself,
    leading_pt,
    manager_of,
    observable,
    scalar_sum,
    scale_down,
    scale_one,
    scale_up,
    tiny_config,
    toy_columns,
    two_jets,
)

BRANCHES = {
    "event": ("run", "luminosityBlock", "event", "HLT_Mu50", "genWeight"),
    "MET": ("pt", "phi"),
    "Muon": ("pt", "eta", "phi", "mass"),
    "Jet": ("pt", "eta", "phi", "mass"),
    "Pileup": ("nTrueInt",),
}
N = 400


class EachByItself(Analysis):
    """Takes all steps for each variation: one of them is its own."""

    def mask_objects(self, events):
        return super().mask_objects(events)


def near_beam(pt, eta):
    return 1.0 + 0.02 * abs(eta) + 0.0 * pt


def with_muons(pt, muons):
    return 1.0 + 0.01 * ak.num(muons, axis=1) + 0.0 * pt


def of_number(pt):
    return 1.0 + 0.01 * ak.num(pt, axis=1) + 0.0 * pt


def more(pt):
    return 2.0 + 0.05 * pt


def less(pt):
    return -2.0 - 0.03 * pt


def along(pt, n):
    return 0.1 * n, -0.3 * pt


def against(pt, n):
    return -0.1 * n, 0.2 * pt


def by_pileup(n):
    return 1.0 + 0.004 * (n - 30.0)


def by_jets(pt):
    return 1.0 + 0.001 * pt


def by_jets_up(pt):
    return 1.0 + 0.002 * pt


def by_muons(pt):
    return 1.0 - 0.0005 * pt


def by_count(n):
    return 1.0 + 0.1 * n


def number_of(jets):
    return ak.num(jets, axis=1) * 1.0


def of_jets(jets, pt):
    return 10.0 * ak.num(jets, axis=1) + 0.0 * pt


def hard(pt):
    return pt > 32.0


def central(eta):
    return (abs(eta) < 1.8) & (eta != 0)


def not_first(eta):
    return ak.local_index(eta, axis=1) > 0


def hard_jets_apart(pt, muons):
    return (pt > 28.0) & (ak.num(muons, axis=1) < 3)


def muons_with_jets(pt, jets):
    return (pt > 25.0) & (ak.num(jets, axis=1) > 0)


def some_met(met):
    return met > 30.0


def away(phi):
    return abs(phi) < 2.8


def three(pt):
    return ak.num(pt) >= 3


def forward(eta):
    return ak.any(abs(eta) > 1.2, axis=1)


def hard_or_many(eta, pt):
    return ak.any(eta > 0.9, axis=1) | (ak.num(pt) > 4)


def changed(name, **fields):
    return {
        "name": name, "type": "object", "use_correctionlib": False, "target": ("Jet", "pt"),
        "use": [("Jet", "pt")], "nominal_function": scale_one, **fields,
    }  # fmt: skip


def weight(name, use, **fields):
    return {"name": name, "type": "event", "use_correctionlib": False, "use": use, **fields}


OVERWRITTEN = [
    {"names": ["nTrueInt"], "collections": "Pileup", "function": of_jets,
     "use": ["Jet", ("Pileup", "nTrueInt")]}
]  # fmt: skip
SIDES = {"up_function": scale_up, "down_function": scale_down}
JES = changed("jes", uncertainty_sources=[{"name": "scale", **SIDES}])
CHANGES = {
    "jes": JES,
    "jes with MET": {**JES, "propagate_to_met": "MET"},
    "jer": changed("jer", use=[("Jet", "pt"), ("Jet", "eta")], nominal_function=near_beam),
    "jets by muons": changed(
        "by", use=[("Jet", "pt"), ("Muon", "pt")], nominal_function=with_muons
    ),
    "muons by pile-up": changed(
        "bypu", target=("Muon", "pt"), use=[("Pileup", "nTrueInt")], nominal_function=by_pileup
    ),
    "met by pile-up": changed(
        "metpu", target=("MET", "pt"), use=[("Pileup", "nTrueInt")], nominal_function=by_pileup
    ),
    "muons": changed("muons", target=("Muon", "pt"), use=[("Muon", "pt")]),
    "muons with a source": changed(
        "muonscale", target=("Muon", "pt"), use=[("Muon", "pt")],
        uncertainty_sources=[{"name": "muon_scale", **SIDES}],
    ),
}  # fmt: skip
FACTORS = {
    "pile-up": weight("pileup", [("Pileup", "nTrueInt")], nominal_function=by_pileup),
    "jets": weight("jets", [("Jet", "pt")], nominal_function=by_jets, reduce="prod"),
    "count": weight("count", [("sums", "count")], nominal_function=by_count),
    "muons": weight("muons_id", [("Muon", "pt")], nominal_function=by_muons, reduce="prod"),
}
SOURCES = {
    "jets": {"name": "add", "type": "object", "target": ("Jet", "pt"), "op": "add",
             "use": [("Jet", "pt")], "up_function": more, "down_function": less},
    "met": {"name": "unclustered", "type": "object", "target": ("MET", "pt"), "op": "mult",
            "use": [("MET", "pt")], **SIDES},
    "vector": {"name": "soft", "type": "object", "target": ("MET", "pt"), "op": "add_vector",
               "use": [("MET", "pt"), ("Pileup", "nTrueInt")], "up_function": along,
               "down_function": against},
    "pile-up": {"name": "pu", "type": "event", "use": [("Pileup", "nTrueInt")],
                "up_function": by_pileup},
}  # fmt: skip
MASKS = {
    "muons": {"object": "Muon", "function": hard, "use": [("Muon", "pt")]},
    "jets": {"object": "Jet", "function": hard, "use": [("Jet", "pt")]},
    "central jets": {"object": "Jet", "function": central, "use": [("Jet", "eta")]},
    "all jets but the first": {"object": "Jet", "function": not_first, "use": [("Jet", "eta")]},
    "jets by muons": {"object": "Jet", "function": hard_jets_apart,
                      "use": [("Jet", "pt"), ("Muon", "pt")]},
    "muons by jets": {"object": "Muon", "function": muons_with_jets,
                      "use": [("Muon", "pt"), ("Jet", "pt")]},
}  # fmt: skip
CUTS = {
    "trigger": {"name": "trigger", "function": itself, "use": [("event", "HLT_Mu50")]},
    "met": {"name": "met", "function": some_met, "use": [("MET", "pt")]},
    "away": {"name": "away", "function": away, "use": [("MET", "phi")]},
    "muon": {"name": "muon", "function": has_muon, "use": ["Muon"]},
    "jets": {"name": "two", "function": two_jets, "use": ["Jet"]},
}


RISING = {  # they fail in each variation where they fail with all objects
    "three": {"name": "three", "function": three, "use": [("Jet", "pt")]},
    "forward": {"name": "forward", "function": forward, "use": [("Jet", "eta")]},
    "either": {"name": "either", "function": hard_or_many, "use": [("Jet", "eta"), ("Jet", "pt")]},
    "muons": {"name": "muons", "function": forward, "use": [("Muon", "eta")]},
}
EVENT_CUTS = {name: CUTS[name] for name in ("trigger", "met", "away")}


def some(pool, least=0):
    return st.lists(st.sampled_from(sorted(pool)), unique=True, min_size=least).map(
        lambda names: [pool[name] for name in names]
    )


def unlike(entries):
    return list({one["name"]: one for one in entries}.values())


@st.composite
def sections(draw):
    """Sections in which anything may come before anything."""
    changes, factors = unlike(draw(some(CHANGES))), draw(some(FACTORS))
    if any(one["name"] == "jes" for one in changes) and draw(st.booleans()):
        linked = [{"name": "link", "up_function": by_jets_up, "varies_with": "scale"}]
        factors = [
            {**one, "uncertainty_sources": linked} if one["name"] == "jets" else one
            for one in factors
        ]
    cuts = draw(some(CUTS, 1))
    wanted = draw(st.one_of(some(CUTS, 1), some({**CUTS, **RISING}, 2)))
    return {
        "corrections": changes + factors,
        "systematics": draw(some(SOURCES)),
        "good_object_masks": {"analysis": draw(some(MASKS))},
        "baseline_selection": {"cuts": cuts},
        "channels": [
            {
                "name": "SR",
                "selection": {"cuts": wanted},
                "observables": [
                    observable("muon_pt", "0,200,10", leading_pt, ["Muon"]),
                    observable("jet_pts", [0.0, 30.0, 60.0, 120.0], all_pts, [("Jet", "pt")]),
                    observable("ht", "0,500,5", itself, [("sums", "ht")]),
                ],
                "fit_observable": "muon_pt",
            }
        ],
        "ghost_observables": [
            {"names": ["ht"], "collections": "sums", "function": scalar_sum,
             "use": ["Jet", ("MET", "pt")]},
            {"names": ["count"], "collections": "sums", "function": number_of, "use": ["Jet"]},
            *draw(st.sampled_from([[], OVERWRITTEN])),
        ],
    }  # fmt: skip


def filled(kind, config, events, metadata):
    """Blocks that an analysis class fills."""
    analysis = kind(config, {}, manager_of(config))
    return analysis.on_worker().process_chunk(events, metadata).blocks


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """Folder, events and metadata of one part."""
    events = build_events(
        {name: ak.Array(one) for name, one in toy_columns(N, seed=3).items()}, BRANCHES, N
    )
    metadata = {
        "dataset": "mc__nominal", "file": "a.root", "entrystart": 0, "entrystop": N,
        "part_nevts": N, "part_sum_weights": 1.0, "part_sum_signs": 1.0,
    }  # fmt: skip
    return tmp_path_factory.mktemp("shared"), events, metadata


def configuration(folder, drawn):
    dataset = {"name": "mc", "files": [str(folder / "a.root")], "cross_section": 1.0}
    return Config(**tiny_config(folder, [dataset], **drawn))


@st.composite
def by_columns(draw):
    """Sections in which no step takes an object as a whole: other columns need not be there."""
    found = draw(sections())
    two = {"name": "two", "function": two_jets, "use": [("Jet", "pt")]}
    seen = observable("jet_pts", [0.0, 30.0, 60.0, 120.0], all_pts, [("Jet", "pt")])
    selection = {"cuts": draw(st.one_of(st.sampled_from([[two], [CUTS["met"]]]), some(RISING, 1)))}
    return {
        **found,
        "corrections": [one for one in found["corrections"] if one["name"] != "count"],
        "baseline_selection": {"cuts": draw(some(EVENT_CUTS, 1))},
        "channels": [
            {"name": "SR", "selection": selection, "observables": [seen],
             "fit_observable": "jet_pts"}
        ],
        "ghost_observables": [],
    }  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(st.one_of(sections(), by_columns()), st.sampled_from([1, 700, 100_000]))
def test_sharing_changes_no_bit(part, drawn, block):
    folder, events, metadata = part
    config = configuration(folder, drawn)
    with mock.patch.object(stack, "STACK_EVENTS", block):
        found = filled(Analysis, config, events, metadata)
    expected = filled(EachByItself, config, events, metadata)
    assert found.keys() == expected.keys()
    for key, block_found in found.items():
        assert block_found.variations == expected[key].variations
        assert np.array_equal(block_found.sumw, expected[key].sumw), key
        assert np.array_equal(block_found.sumw2, expected[key].sumw2), key


def test_what_is_shared_is_called_once(part):
    folder, events, metadata = part
    lengths = {"muons": [], "jets": [], "trigger": [], "two": []}

    def counting(name, function):
        def counted(*columns):
            lengths[name].append(len(columns[0]))
            return function(*columns)

        return counted

    drawn = {
        "corrections": [JES],
        "good_object_masks": {
            "analysis": [
                {**MASKS["muons"], "function": counting("muons", hard)},
                {**MASKS["jets"], "function": counting("jets", hard)},
            ]
        },
        "baseline_selection": {
            "cuts": [
                {**CUTS["trigger"], "function": counting("trigger", itself)},
                {**CUTS["jets"], "function": counting("two", two_jets)},
            ]
        },
    }
    found = filled(Analysis, configuration(folder, drawn), events, metadata)
    triggered = int(ak.sum(events.HLT_Mu50))
    assert lengths["muons"] == lengths["trigger"] == [N]
    assert lengths["jets"] == lengths["two"] == [N, 2 * triggered]
    assert set(next(iter(found.values())).variations) == {"nominal", "scale_up", "scale_down"}


def test_a_mask_that_no_variation_changes_comes_first(part):
    folder, events, metadata = part
    seen = []

    def counting(pt):
        seen.append(int(ak.count(pt)))
        return pt > 32.0

    drawn = {
        "corrections": [JES],
        "good_object_masks": {
            "analysis": [
                MASKS["central jets"],
                {**MASKS["jets"], "function": counting},
            ]
        },
        "baseline_selection": {"cuts": [CUTS["trigger"]]},
    }
    filled(Analysis, configuration(folder, drawn), events, metadata)
    triggered = events[events.HLT_Mu50]
    left = int(ak.sum(central(triggered.Jet.eta)))
    assert 0 < left < ak.count(triggered.Jet.eta)
    assert seen == [left, 2 * left]  # nominal, behind the trigger; up and down


def test_events_that_no_variation_brings_in_go_through_none(part):
    folder, events, metadata = part
    lengths = []

    def counting(pt):
        lengths.append(len(pt))
        return pt > 32.0

    drawn = {
        "corrections": [JES],
        "good_object_masks": {
            "analysis": [MASKS["central jets"], {**MASKS["jets"], "function": counting}]
        },
        "baseline_selection": {"cuts": [CUTS["trigger"]]},
        "channels": [
            {
                "name": "SR",
                "selection": {"cuts": [RISING["three"], RISING["forward"]]},
                "observables": [
                    observable("jet_pts", [0.0, 30.0, 60.0, 120.0], all_pts, [("Jet", "pt")])
                ],
                "fit_observable": "jet_pts",
            }
        ],
        "ghost_observables": [],
    }
    config = configuration(folder, drawn)
    found = filled(Analysis, config, events, metadata)
    triggered = events[events.HLT_Mu50]
    eta = triggered.Jet.eta[central(triggered.Jet.eta)]
    possible = int(ak.sum(three(eta) & forward(eta)))
    assert 0 < possible < len(triggered)
    assert lengths == [len(triggered), 2 * possible]
    for key, block in filled(EachByItself, config, events, metadata).items():
        assert np.array_equal(found[key].sumw, block.sumw)


def test_objects_are_sorted_by_a_pt_that_nothing_else_reads(part):
    folder, events, metadata = part
    drawn = {
        "corrections": [{**CHANGES["muons with a source"], "nominal_function": of_number}],
        "good_object_masks": {"analysis": [{**MASKS["central jets"], "object": "Muon",
                                            "use": [("Muon", "eta")]}]},
        "baseline_selection": {"cuts": [CUTS["trigger"]]},
        "channels": [
            {
                "name": "SR",
                "selection": {"cuts": [RISING["muons"]]},
                "observables": [observable("eta", "-3,3,10", all_pts, [("Muon", "eta")])],
                "fit_observable": "eta",
            }
        ],
        "ghost_observables": [],
    }  # fmt: skip
    config = configuration(folder, drawn)
    found = filled(Analysis, config, events, metadata)
    for key, block in filled(EachByItself, config, events, metadata).items():
        assert np.array_equal(found[key].sumw, block.sumw)


def test_a_variation_alone_and_among_others_is_the_same(part):
    folder, events, metadata = part
    both = configuration(folder, {"corrections": [JES], "systematics": [SOURCES["jets"]]})
    alone = configuration(folder, {"corrections": [JES]})
    one, other = (filled(Analysis, config, events, metadata) for config in (both, alone))
    for key, block in other.items():
        for name in block.variations:
            assert np.array_equal(block.template(name).sumw, one[key].template(name).sumw)


def test_no_events_at_all(part):
    folder, events, metadata = part
    config = configuration(folder, {"corrections": [JES]})
    none = {**metadata, "entrystop": 0, "part_nevts": 0}
    analysis = Analysis(config, {}, manager_of(config))
    found = analysis.on_worker().process_chunk(events[:0], none)
    assert all(not block.sumw.any() for block in found.blocks.values())
    assert replace(found).blocks.keys() == filled(Analysis, config, events, metadata).keys()


@settings(deadline=None, max_examples=10)
@given(sections())
def test_a_source_without_an_effect_gives_its_nominal(part, drawn):
    folder, events, metadata = part
    idle = {"up_function": scale_one, "down_function": scale_one}
    drawn["systematics"] = [
        *drawn["systematics"],
        {"name": "idle", "type": "object", "target": ("Jet", "pt"), "use": [("Jet", "pt")], **idle},
        {"name": "still", "type": "event", "use": [("Pileup", "nTrueInt")], **idle},
    ]
    found = filled(Analysis, configuration(folder, drawn), events, metadata)
    for block in found.values():
        for name in ("idle_up", "idle_down", "still_up", "still_down"):
            assert np.array_equal(block.template(name).sumw, block.template("nominal").sumw)
            assert np.array_equal(block.template(name).sumw2, block.template("nominal").sumw2)


@settings(deadline=None, max_examples=10)
@given(sections(), st.sampled_from([-2.0, 0.5, 4.0]))
def test_scaling_all_weights_scales_all_bins(part, drawn, factor):
    folder, events, metadata = part
    config = configuration(folder, drawn)
    scaled = ak.with_field(events, events.genWeight * np.float32(factor), "genWeight")
    before = filled(Analysis, config, events, metadata)
    after = filled(Analysis, config, scaled, metadata)
    for key, block in before.items():
        assert np.array_equal(after[key].sumw, factor * block.sumw)
        assert np.array_equal(after[key].sumw2, factor**2 * block.sumw2)

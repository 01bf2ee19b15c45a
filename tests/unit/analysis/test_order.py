"""Which masks come early, which wait, and which columns are read later: by cases."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.analysis import Analysis
from hepflow.analysis.early import early_masks
from hepflow.analysis.later import read_later, without_unread
from hepflow.analysis.unsorted import sorted_behind
from hepflow.analysis.waiting import waiting_masks
from hepflow.events import Lists, build_events
from hepflow.object_order import keep_objects, keep_sorted, reorder
from hepflow.schema import Config
from tests.builders import itself, manager_of, observable, tiny_config, two_jets

LISTS = ak.Array([[1.0, 2.0], [3.0]])
ONE = ak.Array([1.0, 2.0])
EVENTS = build_events(
    {
        **{f"Jet_{name}": LISTS for name in ("pt", "eta", "phi", "mass")},
        **{f"Muon_{name}": LISTS for name in ("pt", "eta", "phi", "mass")},
        "MET_pt": ONE, "MET_phi": ONE, "run": ONE,
    },
    {
        "Jet": ("pt", "eta", "phi", "mass"), "Muon": ("pt", "eta", "phi", "mass"),
        "MET": ("pt", "phi"), "event": ("run",),
    },
    2,
)  # fmt: skip


def central(*columns):
    return abs(columns[0]) < 2.4


def leading(*columns):
    return ak.local_index(columns[0], axis=1) < 2


def up(*columns):
    return 1.0 + 0.01 * columns[0]


def of_all(*columns):
    return 1.0 + 0.01 * ak.sum(columns[0], axis=1)


def mask(function, *use, of="Jet"):
    return {"object": of, "function": function, "use": list(use)}


def source(**fields):
    return {
        "name": "scale", "type": "object", "target": ("Jet", "pt"), "use": [("Jet", "pt")],
        "up_function": up, **fields,
    }  # fmt: skip


def spec_of(folder, masks, *sources, corrections=(), cuts=(), **more):
    dataset = {"name": "mc", "files": [str(folder / "a.root")], "cross_section": 1.0}
    sections = {
        "good_object_masks": {"analysis": masks},
        "systematics": list(sources),
        "corrections": list(corrections),
        "ghost_observables": [],
        "baseline_selection": {"cuts": list(cuts), **more} if cuts else None,
        "channels": [
            {
                "name": "SR",
                "observables": [observable("pt", "0,1,2", itself, [("MET", "pt")])],
                "fit_observable": "pt",
            }
        ],
    }
    config = Config(**tiny_config(folder, [dataset], **sections))
    return Analysis(config, {}, manager_of(config)).spec


ETA, PT, MUONS = ("Jet", "eta"), ("Jet", "pt"), ("Muon", "pt")
IN_FRONT = {
    "eta": ([mask(central, ETA)], [source()], {0}),
    "behind another one": ([mask(central, PT), mask(central, ETA)], [source()], {1}),
    "by a column of the event": ([mask(central, ETA)], [source(use=[PT, ("event", "run")])], {0}),
    "what changes": ([mask(central, PT)], [source()], set()),
    "mass, which follows pt": ([mask(central, ("Jet", "mass"))], [source()], set()),
    "by place": ([mask(leading, ETA)], [source()], set()),
    "behind one by place": ([mask(leading, PT), mask(central, ETA)], [source()], set()),
    "with another object": ([mask(central, ETA, MUONS)], [source()], set()),
    "as a whole": ([mask(central, ("Jet", None))], [source()], set()),
    "change by all jets": ([mask(central, ETA)], [source(up_function=of_all)], set()),
    "change by other lists": ([mask(central, ETA)], [source(use=[PT, MUONS])], set()),
    "change of MET, too": ([mask(central, ETA)], [source(propagate_to_met="MET")], set()),
    "random": ([mask(central, ETA)], [source(use=[PT, ("Jet", "random_normal")])], set()),
    "another change looks at them": (
        [mask(central, ETA)],
        [source(), source(name="met", target=("MET", "pt"), use=[("Jet", "eta")])],
        set(),
    ),
    "another change takes the event": (
        [mask(central, ETA)], [source(), source(name="met", target=("MET", "pt"), use=["event"])],
        set(),
    ),
    "muons by jets in front": (
        [mask(central, MUONS, PT, of="Muon"), mask(central, ETA)], [source()], set()
    ),
    "muons by jets behind": (
        [mask(central, ETA), mask(central, MUONS, PT, of="Muon")], [source()], {0}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_FRONT)
def test_masks_in_front_of_the_variations(tmp_path, name):
    masks, sources, expected = IN_FRONT[name]
    spec = spec_of(tmp_path, masks, *sources)
    found = early_masks(spec, spec.datasets["mc__nominal"], EVENTS, range(len(masks)))
    assert found == expected


MET_SOURCE = source(name="met", target=("MET", "pt"), use=[("MET", "pt")])
JET_MASK, MUON_MASK = mask(central, PT), mask(central, MUONS, of="Muon")
SORTED_BEHIND = {
    "one change": ([JET_MASK], [source()], {"Jet": 0}),
    "behind a mask of others": ([MUON_MASK, JET_MASK], [source()], {"Jet": 1}),
    "by place": ([mask(leading, PT)], [source()], {}),
    "by place, behind": ([JET_MASK, mask(leading, PT)], [source()], {"Jet": 0}),
    "muons by jets in front": ([mask(central, MUONS, PT, of="Muon"), JET_MASK], [source()], {}),
    "no mask of theirs": ([MUON_MASK], [source()], {}),
    "not of pt": ([JET_MASK], [source(target=ETA)], {}),
    "not in all variations": ([JET_MASK], [source(), MET_SOURCE], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", SORTED_BEHIND)
def test_objects_that_are_sorted_behind_their_mask(tmp_path, name):
    masks, sources, expected = SORTED_BEHIND[name]
    spec = spec_of(tmp_path, masks, *sources)
    dataset = spec.datasets["mc__nominal"]
    shifts = [one for one in spec.variations(dataset) if one.kind == "object"]
    assert sorted_behind(spec, dataset, EVENTS, range(len(masks)), shifts) == expected


def test_only_masks_that_are_applied_again(tmp_path):
    spec = spec_of(tmp_path, [mask(central, ETA)], source())
    assert not early_masks(spec, spec.datasets["mc__nominal"], EVENTS, [])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {0}),
        ({"nominal_function": of_all}, set()),
        ({"transform_out": up}, set()),
        ({"raw_factor": "eta"}, set()),
    ],
)
def test_corrections_of_each_object(tmp_path, fields, expected):
    one = {
        "name": "jes", "type": "object", "target": ("Jet", "pt"), "use": [PT],
        "use_correctionlib": False, "nominal_function": up,
        "uncertainty_sources": [{"name": "scale", "up_function": up}], **fields,
    }  # fmt: skip
    spec = spec_of(tmp_path, [mask(central, ETA)], corrections=[one])
    assert early_masks(spec, spec.datasets["mc__nominal"], EVENTS, [0]) == expected


def cut(*use):
    return {"name": "cut", "function": two_jets, "use": list(use)}


WAIT = {
    "of another object": ([mask(central, PT)], [cut(MUONS)], {0}),
    "of what the cut reads": ([mask(central, PT)], [cut(PT)], set()),
    "of what such a mask reads": (
        [mask(central, PT), mask(central, MUONS, PT, of="Muon")], [cut(MUONS)], set()
    ),
    "reads what another mask leaves": (
        [mask(central, MUONS, of="Muon"), mask(central, PT, MUONS)], [cut(MUONS)], {1}
    ),
    "reads what another mask takes later": (
        [mask(central, PT, MUONS), mask(central, MUONS, of="Muon")], [cut(MUONS)], set()
    ),
    "a cut on the event": ([mask(central, PT)], [cut(("event", None))], set()),
    "no cut": ([mask(central, PT)], [], set()),
}  # fmt: skip


@pytest.mark.parametrize("name", WAIT)
def test_masks_that_wait(tmp_path, name):
    masks, cuts, expected = WAIT[name]
    assert waiting_masks(spec_of(tmp_path, masks, cuts=cuts), EVENTS) == expected


def test_a_mask_that_others_point_to_does_not_wait(tmp_path):
    muons = ak.with_field(EVENTS.Muon, ak.values_astype(LISTS, int), "jetIdx")
    pointing = ak.with_field(EVENTS, muons, "Muon")
    spec = spec_of(tmp_path, [mask(central, PT)], source(), cuts=[cut(("MET", "pt"))])
    assert not waiting_masks(spec, pointing)
    assert not early_masks(
        spec_of(tmp_path, [mask(central, ETA)], source()),
        spec.datasets["mc__nominal"], pointing, [0],
    )  # fmt: skip


def test_a_histogram_without_a_cut_needs_all_masks(tmp_path):
    without = {"cut": "cut", "binning": "0,1,2", "function": itself, "use": [("MET", "pt")]}
    cuts, masks = [cut(MUONS)], [mask(central, PT)]
    assert not waiting_masks(spec_of(tmp_path, masks, cuts=cuts, n_minus_1=[without]), EVENTS)


def test_columns_that_are_read(tmp_path):
    masks = [mask(central, ETA), mask(central, MUONS, of="Muon")]
    spec = spec_of(tmp_path, masks, source(), cuts=[cut(("MET", "pt"))])
    later = read_later(spec, spec.datasets["mc__nominal"], [0])
    assert {name: set(fields) for name, fields in later.items()} == {
        "Jet": {"eta", "file_index"},
        "MET": {"pt", "file_index"},
    }
    found = without_unread(spec, spec.datasets["mc__nominal"], EVENTS, later)
    assert set(found.Jet.fields) == {"pt", "eta", "phi", "mass"}
    assert found.Muon.fields == EVENTS.Muon.fields
    still = without_unread(spec, spec.datasets["mc__nominal"], EVENTS, {"Muon": {"eta"}})
    assert still.Muon.fields == ["eta"]
    assert still.MET.fields == ["pt", "phi"]


@pytest.mark.parametrize("whole", [("Jet", None), ("event", None)])
def test_who_takes_an_object_gets_all_of_it(tmp_path, whole):
    spec = spec_of(tmp_path, [mask(central, ETA)], source(), cuts=[cut(whole)])
    assert "Jet" not in read_later(spec, spec.datasets["mc__nominal"], [0])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 3.0, 9.0]), st.booleans())
def test_sorted_behind_a_mask_is_masked_behind_sorting(seed, least, with_nan):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(3.0, 30)
    size = int(counts.sum())
    pt = rng.integers(0, 10, size).astype(np.float32)  # many are equal
    if with_nan:
        pt[rng.random(size) < 0.1] = np.nan
    jets = ak.zip({"pt": ak.unflatten(pt, counts), "file": ak.unflatten(np.arange(size), counts)})
    events = ak.zip({"Jet": jets}, depth_limit=1)
    behind = keep_sorted(events, "Jet", Lists.of(jets), ~(pt < least))
    first = reorder(events, "Jet", Lists.of(jets))
    flat = ~(ak.to_numpy(ak.flatten(first.Jet.pt)) < least)
    expected = keep_objects(first, "Jet", Lists.of(first.Jet), flat)
    assert ak.num(behind.Jet).tolist() == ak.num(expected.Jet).tolist()
    assert behind.Jet.file.tolist() == expected.Jet.file.tolist()
    assert ak.array_equal(behind.Jet.pt, expected.Jet.pt, equal_nan=True)

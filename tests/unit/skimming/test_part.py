"""One part: the selected events with the wanted branches, and counts over all that was read."""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.errors import MaskError, MissingBranch, UnreadableFile, UserFunctionError
from hepflow.events import OpenFile
from hepflow.records import WorkItem
from hepflow.skimming import SkimSpec
from hepflow.skimming.select import select_events
from tests.builders import keep_triggered, make_dataset, shared, toy_columns, write_nano

MC = make_dataset("mc__nominal")
DATA = make_dataset("data", is_data=True, weight_branch=None, cross_section=None)
COLUMNS = toy_columns(200)


def spec(**changes):
    values = {
        "datasets": {MC.key: MC, "data": DATA},
        "function": keep_triggered,
        "use": (("event", "HLT_Mu50"), ("MET", "pt")),
        "static_kwargs": {},
        "branches": {"Muon": ("pt", "eta"), "event": ("run",)},
        "mc_branches": {"Pileup": ("nTrueInt",)},
        "max_retries": 0,
    }
    return SkimSpec(**{**values, **changes})


@pytest.fixture
def path(tmp_path):
    return write_nano(tmp_path / "a.root", COLUMNS)


def item(path, start=0, stop=200, dataset=MC.key):
    return WorkItem(dataset, str(path), "Events", start, stop, "")


def expected_mask(start=0, stop=200, threshold=10.0):
    return (COLUMNS["HLT_Mu50"] & (COLUMNS["MET_pt"] > threshold))[start:stop]


def test_the_events_are_those_that_plain_numpy_selects(path):
    events, counts = select_events(spec(), MC, item(path, 20, 120))
    mask = expected_mask(20, 120)
    assert ak.array_equal(events.Muon.pt, COLUMNS["Muon_pt"][20:120][mask], dtype_exact=False)
    assert np.array_equal(events.run, COLUMNS["run"][20:120][mask])
    assert (counts.nevts, counts.entrystart, counts.entrystop) == (100, 20, 120)


def test_counts_are_over_all_events_selected_or_not(path):
    _, counts = select_events(spec(), MC, item(path))
    weights = COLUMNS["genWeight"].astype(np.float64)
    assert counts.sum_weights == pytest.approx(weights.sum(), rel=1e-14)
    assert counts.sum_signs == np.sign(weights).sum()
    _, data = select_events(spec(), DATA, item(path, dataset="data"))
    assert (data.nevts, data.sum_weights, data.sum_signs) == (200, 200.0, 200.0)


def test_the_columns_are_the_configured_ones_and_the_weight(path):
    events, _ = select_events(spec(), MC, item(path))
    assert set(events.fields) == {"Muon", "run", "Pileup", "genWeight"}
    assert events.Muon.fields == ["pt", "eta"]
    data, _ = select_events(spec(), DATA, item(path, dataset="data"))
    assert set(data.fields) == {"Muon", "run"}


def test_a_part_without_survivors_has_the_columns_and_the_counts(path):
    nothing = spec(static_kwargs={"threshold": 1e9})
    empty, counts = select_events(nothing, MC, item(path))
    full, same = select_events(spec(), MC, item(path))
    assert len(empty) == 0
    assert counts == same
    assert set(empty.fields) == set(full.fields)
    assert empty.Muon.fields == full.Muon.fields


def test_static_arguments_reach_the_function(path):
    events, _ = select_events(spec(static_kwargs={"threshold": 80.0}), MC, item(path))
    assert len(events) == expected_mask(threshold=80.0).sum()


def test_without_a_selection_every_event_is_kept(path):
    events, _ = select_events(spec(function=None, use=()), MC, item(path))
    assert len(events) == 200


def test_only_the_branches_that_are_needed_are_read(path, monkeypatch):
    read = []
    real = OpenFile.read

    def counting(self, names, start, stop, mask=None):
        read.append((list(names), stop - start if mask is None else mask.sum()))
        return real(self, names, start, stop, mask)

    monkeypatch.setattr(OpenFile, "read", counting)
    select_events(spec(), MC, item(path))
    assert read[0] == (["HLT_Mu50", "MET_pt", "genWeight"], 200)
    assert sorted(read[1][0]) == ["Muon_eta", "Muon_pt", "Pileup_nTrueInt", "run"]
    read.clear()
    select_events(spec(static_kwargs={"threshold": 1e9}), MC, item(path))
    assert [length for _, length in read] == [200, 0]  # nothing passed: the rest is not read


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"branches": {"Muon": ("ptt",)}}, r"'Muon_ptt', wanted by preprocess\.branches"),
        ({"use": (("event", "HLT_Mu51"), ("MET", "pt"))}, r"wanted by preprocess\.skimming\.use"),
    ],
)
def test_a_missing_branch_says_who_wants_it(path, changes, message):
    with pytest.raises(MissingBranch, match=message):
        select_events(spec(**changes), MC, item(path))


def test_errors_of_the_selection_say_where(path):
    with pytest.raises(UserFunctionError, match=r"preprocess\.skimming\.function.*ValueError: bad"):
        select_events(spec(function=_raise), MC, item(path))
    with pytest.raises(MaskError, match="mask of 199 entries for 200 events"):
        select_events(spec(function=lambda trigger, _: trigger[1:]), MC, item(path))


def _raise(*_):
    raise ValueError("bad")


def test_a_file_that_changed_since_its_metadata_was_read_is_noticed(path):
    with uproot.open(path) as file:
        uuid = str(file.file.uuid)
    good = WorkItem(MC.key, str(path), "Events", 0, 200, uuid)
    assert len(select_events(spec(), MC, good)[0]) == expected_mask().sum()
    write_nano(path, toy_columns(200, 9))
    with pytest.raises(UnreadableFile, match="changed since its metadata"):
        select_events(spec(), MC, good)


def test_the_branches_of_a_whole_object_are_those_configured():
    whole = spec(use=(("Muon", None), ("event", "run")))
    kept = whole.kept_branches(MC)
    assert whole.selection_branches(kept) == {"Muon": ("pt", "eta"), "event": ("run",)}


# -- branches that a file calls otherwise, or does not have --------------------------------


def renamed(**branch_map):
    return make_dataset("mc__nominal", branch_map=branch_map)


def test_renamed_branches_are_kept_under_the_wanted_names(path):
    other = renamed(PuppiMET="MET", trigger="HLT_Mu50", weight="genWeight", Lepton="Muon")
    other = replace(other, weight_branch="weight")
    chosen = spec(
        use=(("event", "trigger"), ("PuppiMET", "pt")), branches={"Lepton": ("pt",)}, mc_branches={}
    )
    events, counts = select_events(chosen, other, item(path))
    plain, same = select_events(spec(), MC, item(path))
    assert set(events.fields) == {"Lepton", "weight"}
    assert events.Lepton.pt.tolist() == plain.Muon.pt.tolist()
    assert events.weight.tolist() == plain.genWeight.tolist()
    assert counts == same


def test_absent_branches_are_left_out_with_one_notice(path, caplog):
    branches = {"Muon": ("pt", "mvaNew"), "Tau": ("pt",), "event": ("run",)}
    chosen = spec(branches=branches, ignore_missing=True)
    for start in (0, 50, 100):
        events, _ = select_events(chosen, replace(MC, key="of this test"), item(path, start))
        assert events.Muon.fields == ["pt"]
        assert "Tau" not in events.fields
    (notice,) = caplog.messages
    assert "of this test do not have Muon_mvaNew, Tau_pt" in notice
    with pytest.raises(MissingBranch, match="Muon_mvaNew"):
        select_events(spec(branches=branches), MC, item(path))


def test_a_whole_object_of_the_selection_is_what_is_there(path):
    chosen = spec(
        function=_has_fields,
        use=(("Muon", None),),
        branches={"Muon": ("pt", "mvaNew", "eta")},
        ignore_missing=True,
    )
    assert len(select_events(chosen, MC, item(path))[0]) == 200


def _has_fields(muons):
    return np.full(len(muons), muons.fields == ["pt", "eta"])


def test_the_weight_and_what_the_selection_reads_are_never_left_out(path):
    lenient = spec(ignore_missing=True)
    with pytest.raises(MissingBranch, match=r"'LHEWeight', wanted by the generator weight"):
        select_events(lenient, replace(MC, weight_branch="LHEWeight"), item(path))
    asked = replace(lenient, use=(("event", "HLT_Mu51"), ("MET", "pt")))
    with pytest.raises(MissingBranch, match=r"wanted by preprocess\.skimming\.use"):
        select_events(asked, MC, item(path))


def test_the_key_depends_on_what_a_branch_means():
    keys = {
        one.digest
        for one in (
            spec().key(MC),
            spec(ignore_missing=True).key(MC),
            spec().key(renamed(Muon="lep")),
            spec().key(renamed(Muon="mu")),
        )
    }
    assert len(keys) == 4
    assert spec().key(MC).digest == spec().key(renamed()).digest


def test_a_real_file_without_events_gives_an_empty_part():
    path = shared("nanoaod/nano_dy_empty.root")
    events, counts = select_events(
        spec(function=None, use=(), branches={"Muon": ("pt",), "Jet": ("pt", "eta")}), MC,
        item(path, 0, 0),
    )  # fmt: skip
    assert (len(events), counts.nevts, counts.sum_weights) == (0, 0, 0.0)
    assert events.Jet.fields == ["pt", "eta"]


def test_real_muons_pass_as_in_plain_uproot():
    path = shared("nanoaod/nano_dimuon.root")
    with uproot.open(path) as file:
        pt = file["Events"]["Muon_pt"].array()
    chosen = spec(function=_two_hard, use=(("Muon", "pt"),), branches={"Muon": ("pt",)})
    events, counts = select_events(chosen, DATA, item(path, 0, 40, "data"))
    assert counts.nevts == 40
    assert ak.array_equal(events.Muon.pt, pt[ak.sum(pt > 5, axis=1) >= 2])


def _two_hard(pt):
    return ak.sum(pt > 5, axis=1) >= 2

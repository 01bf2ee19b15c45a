"""Live parts read only the columns that a configured function reads."""

from __future__ import annotations

import pytest

from hepflow.analysis import Analysis
from hepflow.analysis.unread import read_columns, without_unread
from hepflow.events import OpenFile
from tests.builders import (
    all_pts,
    has_muon,
    make_skims,
    manager_of,
    observable,
    scale_up,
    tiny_config,
    toy_inputs,
    two_jets,
)

JETS = [("Jet", "pt")]
SHIFT = {
    "name": "shift", "type": "object", "target": ("Jet", "pt"), "use": [("Jet", "pt")],
    "up_function": scale_up,
}  # fmt: skip
MET = {"name": "met", "type": "object", "use_correctionlib": False, "target": ("Jet", "pt"),
       "use": JETS, "nominal_function": scale_up, "propagate_to_met": "MET"}  # fmt: skip


class OwnSteps(Analysis):
    """Computes a column in its own way, from whatever there is."""

    def add_ghost_observables(self, events):
        return super().add_ghost_observables(events)


def config(tmp_path, **sections):
    channel = {
        "name": "SR",
        "selection": {"function": two_jets, "use": JETS},
        "observables": [observable("jet_pts", [0.0, 30.0, 60.0, 120.0], all_pts, JETS)],
        "fit_observable": "jet_pts",
    }
    return tiny_config(
        tmp_path,
        toy_inputs(tmp_path / "in"),
        **{
            "good_object_masks": {"analysis": []},
            "baseline_selection": {"function": has_muon, "use": [("Muon", "eta")]},
            "ghost_observables": [],
            "channels": [channel],
            "execution": {"backend": "inprocess", "one_pass": True},
            **sections,
        },
    )


def filled(kind, given, monkeypatch):
    """Histograms, and names of the branches that were read for them."""
    read, names = OpenFile.read, set()
    analysis = kind(given, make_skims(given), manager_of(given))

    def noted(self, wanted, *rest, **more):
        names.update(wanted)
        return read(self, wanted, *rest, **more)

    with monkeypatch.context() as context:
        context.setattr(OpenFile, "read", noted)
        return analysis.fill_histograms(), names


def test_what_nothing_reads_is_not_read(tmp_path, monkeypatch):
    given = config(tmp_path)
    found, names = filled(Analysis, given, monkeypatch)
    objects = {name for name in names if name.startswith(("Muon", "Jet", "MET", "Pileup"))}
    assert objects == {"Muon_eta", "Jet_pt", "MET_pt"}  # MET: the skim selects by it
    everything, more = filled(OwnSteps, {**given, "general": {
        **given["general"], "read_from_cache": False, "output_dir": str(tmp_path / "other"),
    }}, monkeypatch)  # fmt: skip
    assert more >= {"Muon_phi", "Jet_mass", "Pileup_nTrueInt"}
    for key, block in found.blocks.items():
        assert block.sumw.tolist() == everything.blocks[key].sumw.tolist()


KEPT = {
    "event": ("run", "genWeight"),
    "Muon": ("pt", "eta", "phi", "mass", "jetIdx"),
    "Jet": ("pt", "eta", "phi", "mass"),
    "MET": ("pt", "phi", "sumEt"),
    "Pileup": ("nTrueInt",),
}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({}, {"Muon": ("eta",), "Jet": ("pt",)}),
        ({"systematics": [SHIFT]}, {"Muon": ("eta",), "Jet": ("pt", "phi", "mass")}),
        (
            {"corrections": [MET]},
            {"Muon": ("eta",), "Jet": ("pt", "phi", "mass"), "MET": ("pt", "phi")},
        ),
        (
            {"baseline_selection": {"function": has_muon, "use": ["Muon"]}},
            {"Muon": KEPT["Muon"], "Jet": ("pt",)},
        ),
        ({"baseline_selection": {"function": len, "use": ["event"]}}, KEPT),
        (
            {
                "ghost_observables": [
                    {"names": ["twice"], "collections": "Jet", "function": scale_up, "use": JETS}
                ]
            },
            {"Muon": ("eta",), "Jet": KEPT["Jet"]},
        ),
    ],
)
def test_columns_that_something_reads(tmp_path, sections, expected):
    given = config(tmp_path, **sections)
    spec = Analysis(given, {}, manager_of(given)).spec
    dataset = next(one for one in spec.datasets.values() if not one.is_data)
    found = read_columns(spec, dataset, KEPT)
    assert found == {"event": KEPT["event"], **expected}


def test_parts_of_a_dataset_go_on_to_share_their_specification(tmp_path):
    given = config(tmp_path)
    analysis = Analysis(given, make_skims(given), manager_of(given))
    parts = analysis.processed_datasets["mc__nominal"].parts
    found = without_unread(analysis, parts)
    assert len({id(part.spec) for part in found}) == 1 < len(found)
    assert [part.identity for part in found] == [part.identity for part in parts]

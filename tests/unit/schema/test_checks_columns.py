"""Checks of columns that changes of objects need beside their inputs."""

from __future__ import annotations

import pytest

from hepflow.corrections import cms
from tests.unit.schema.examples import changed, number, problems_in

BRANCHES = {
    "Muon": ["pt", "eta"],
    "Jet": ["pt", "phi", "rawFactor", "neEmEF"],
    "MET": ["pt", "phi"],
    "Other": ["pt"],
    "event": ["HLT_TkMu50"],
}
SOFT = {"name": "soft", "type": "object", "target": ("MET", "pt"), "op": "add_vector",
        "up_function": number, "use": [("MET", "pt")]}  # fmt: skip
MOVED = {"name": "muons", "type": "object", "target": "Muon.pt", "up_function": number,
         "use": [("Muon", "pt")]}  # fmt: skip
AT = "corrections[1]"


def with_scale(**values):
    """Problems where the jet energy scale says this."""
    changes = {f"corrections__1__{name}": value for name, value in values.items()}
    return problems_in(changed(preprocess__branches=BRANCHES, **changes))


def with_source(**values):
    """Problems where a source of its own says this."""
    return problems_in(changed(preprocess__branches=BRANCHES, systematics=[values]))


RIGHT = [
    {"propagate_to_met": "MET"},
    {"propagate_to_met": "MET", "met_excluded": "neEmEF"},
    {"propagate_to_met": "MET", "met_em_columns": ["neEmEF"], "met_em_limit": 0.5},
    {"raw_factor": "rawFactor", "target": "Jet.pt"},
]


@pytest.mark.parametrize("values", RIGHT, ids=["met", "excluded", "em", "raw"])
def test_what_is_kept_may_be_named(values):
    assert with_scale(**values) == {}


def test_branches_of_simulation_are_kept_too():
    config = changed(preprocess__branches={**BRANCHES, "Muon": ["pt", "eta", "phi"]})
    config["corrections"][1] |= {"propagate_to_met": "Other", "raw_factor": "factor"}
    assert list(problems_in(config)) == [f"{AT}.propagate_to_met", f"{AT}.raw_factor"]
    config["preprocess"]["mc_branches"] |= {"Other": ["phi"], "Jet": ["factor"]}
    assert problems_in(config) == {}


WRONG = [
    ({"propagate_to_met": "Other"}, "propagate_to_met", "needs Other.phi, which",
     "Add 'phi' to preprocess.branches.Other."),
    ({"propagate_to_met": "Other", "target": ("Muon", "pt")}, "propagate_to_met",
     "needs Muon.phi and Other.phi, which preprocess.branches lacks.",
     "Add 'phi' to preprocess.branches.Muon. Add 'phi' to preprocess.branches.Other."),
    ({"raw_factor": "rawFactr"}, "raw_factor", "'rawFactr' is not a branch of 'Jet'",
     "Did you mean 'rawFactor'?"),
    ({"propagate_to_met": "MET", "met_excluded": "muons"}, "met_excluded",
     "'muons' is not a branch of 'Jet' in preprocess.branches.", "Valid: "),
    ({"propagate_to_met": "MET", "met_em_columns": ["neEmEF", "chEmEF"]}, "met_em_columns[1]",
     "'chEmEF' is not a branch of 'Jet'", "Add it; without `met_em_columns` (cms.Jets(em"),
    ({"propagate_to_met": "MET", "met_em_limit": 0.5}, "met_em_limit",
     "has no effect without `met_em_columns`", "Remove it."),
    ({"met_em_columns": ["neEmEF"]}, "met_em_columns",
     "has no effect without `propagate_to_met`", "Remove it."),
    ({"op": "add_vector"}, "op", "expected 'mult', 'add' or 'subtract'", ""),
]  # fmt: skip


@pytest.mark.parametrize(("values", "path", "message", "hint"), WRONG)
def test_what_is_missing_is_told_at_its_path(values, path, message, hint):
    problems = with_scale(**values)
    assert list(problems) == [f"{AT}.{path}"]
    assert message in problems[f"{AT}.{path}"].message
    assert hint in problems[f"{AT}.{path}"].hint


def test_the_entries_for_cms_want_their_branches_before_a_file_is_opened():
    jets = [*BRANCHES["Jet"], "eta", "area", "muonSubtrFactor"]

    def found(jets_of_entry):
        entry = cms.jet_energy_scale("jerc.json", "2018", jets=jets_of_entry)
        branches = {**BRANCHES, "Jet": jets}
        return problems_in(changed(preprocess__branches=branches, corrections=[entry]))

    assert list(found(cms.AK4)) == ["corrections[0].met_em_columns[1]"]
    assert found(cms.Jets(em_columns=())) == {}


def test_a_source_of_a_momentum_needs_its_angle():
    assert with_source(**SOFT) == with_source(**MOVED) == {}
    problems = with_source(**{**SOFT, "target": ("Other", "pt"), "use": ["Other.pt"]})
    assert list(problems) == ["systematics[0].target"]
    assert problems["systematics[0].target"].message.startswith("needs Other.phi, which")
    assert list(with_source(**MOVED, propagate_to_met="MET")) == ["systematics[0].propagate_to_met"]


NO_VECTOR = [
    ({"target": ("MET", "phi")}, "target", "'phi' is no momentum"),
    ({"propagate_to_met": "MET"}, "propagate_to_met", "has no effect beside op 'add_vector'"),
    ({"scale_mass": False}, "scale_mass", "has no effect beside op 'add_vector'"),
    ({"type": "event", "target": None}, "op", "has no effect for type 'event'"),
]


@pytest.mark.parametrize(
    ("values", "path", "message"), NO_VECTOR, ids=["target", "met", "mass", "weight"]
)
def test_a_vector_is_added_to_a_missing_momentum_only(values, path, message):
    problems = with_source(**{**SOFT, **values})
    assert list(problems) == [f"systematics[0].{path}"]
    assert message in problems[f"systematics[0].{path}"].message

"""A skim that is as tight as the selection, on what a source moves."""

from __future__ import annotations

import copy
import functools
import math
from typing import Any

import awkward as ak
import pytest

from hepflow.statistics.audit import audit_run, skim_findings
from hepflow.statistics.audit.thresholds import Requirement, requirements, result_of
from tests.fields.project import make_config
from tests.unit.statistics.models import histograms, spec

JET, MET = ("Jet", None), ("MET", None)
CUT, LOW = 50.0, 20.0


def up(pt: Any) -> Any:
    """A source."""
    return pt * 1.05


def jets_above(jets: Any, threshold: float = 40.0) -> Any:
    """A mask of objects."""
    return jets.pt > threshold


def _both(jets: Any, met: Any) -> Any:
    leading = ak.max(jets.pt, axis=1)
    return (leading > 100) & (CUT <= met.pt) & (abs(jets.eta) < 2.4)  # noqa: SIM300 - found, too


def region(jets: Any, met: Any) -> Any:
    """Calls another function."""
    return _both(jets, met) & (-LOW < met.phi)  # noqa: SIM300 - likewise


def alternatives(jets: Any, met: Any) -> Any:
    """Nothing that every event must meet."""
    loose = (met.pt > 1) | (jets.pt > 2)
    if CUT > 1:
        return met.pt > 3
    return loose & ~(met.pt > 4) & (not met.pt > 5)


def test_requirements_are_read_off_the_text():
    found = requirements(region, [JET, MET])
    assert found == (
        Requirement("ak.max(Jet.pt, axis=1)", True, 100.0),
        Requirement("MET.pt", True, 50.0),
        Requirement("abs(Jet.eta)", False, 2.4),
        Requirement("MET.phi", True, -20.0),
    )
    assert requirements(alternatives, [JET, MET]) == ()


def test_numbers_from_anywhere():
    default = requirements(jets_above, [JET])
    assert default == (Requirement("Jet.pt", True, 40.0),)
    given = requirements(jets_above, [JET], {"threshold": 25.0})
    assert given == (Requirement("Jet.pt", True, 25.0),)
    partial = functools.partial(jets_above, threshold=35)
    assert requirements(partial, [JET]) == (Requirement("Jet.pt", True, 35.0),)
    limit = 12.0
    closed = lambda pt: pt > limit  # noqa: E731 - configurations hold such functions
    assert requirements(closed, [("MET", "pt")]) == (Requirement("MET.pt", True, 12.0),)
    module = lambda met: met.phi < math.pi  # noqa: E731
    assert requirements(module, [MET]) == (Requirement("MET.phi", False, math.pi),)


def test_what_cannot_be_read_is_passed_over():
    assert requirements(len, [JET]) == ()
    assert requirements(functools.partial(jets_above, 1.0), [JET]) == ()
    assert requirements(eval("lambda x: x > 1"), [("MET", "pt")]) == ()  # noqa: S307 - no source text
    two = (lambda a: a > 1, lambda a: a > 2)  # on one line: which is which?
    assert requirements(two[0], [("MET", "pt")]) == ()
    chain = lambda a: 1 < a < 2  # noqa: E731
    assert requirements(chain, [("MET", "pt")]) == ()


def test_what_a_function_returns():
    assert result_of(lambda met: met.pt, [MET]) == "MET.pt"
    assert result_of(jets_above, [JET]) is None
    assert result_of(len, [JET]) is None

    def assigned(jets):
        first = ak.firsts(jets)
        return first.pt

    assert result_of(assigned, [JET]) == "ak.firsts(Jet).pt"


@pytest.fixture
def config(tmp_path):
    """A skim on the missing momentum and a selection of it; jets move, and with them that."""
    channel = make_config(tmp_path)["channels"][0]
    cut = {"name": "met", "function": lambda met: met.pt > CUT, "use": [MET]}
    source = {"name": "jes", "type": "object", "up_function": up, "use": [("Jet", "pt")],
              "target": ("Jet", "pt"), "propagate_to_met": "MET"}  # fmt: skip
    return make_config(
        tmp_path,
        channels=[{**channel, "selection": {"cuts": [cut]}}],
        systematics=[source],
        preprocess={"skimming": {"function": lambda met: met.pt > 50, "use": [MET]}},
    )


def test_a_skim_as_tight_as_a_later_cut_is_found(config):
    (one,) = skim_findings(config)
    assert (one.code, one.severity, one.region) == ("skim-threshold", "warning", "SR")
    assert one.systematic == "jes"
    assert "MET.pt > 50, but jes moves it" in one.message


def changed(config, path, value):
    new = copy.deepcopy(config)
    *parents, last = path.split(".")
    section = new
    for name in parents:
        section = section[name]
    section[last] = value
    return new


def test_a_skim_with_a_margin_is_not(config):
    looser = {"function": lambda met: met.pt > 30, "use": [MET]}
    assert skim_findings(changed(config, "preprocess.skimming", looser)) == ()
    other = {"function": lambda met: met.phi < CUT, "use": [MET]}
    assert skim_findings(changed(config, "preprocess.skimming", other)) == ()
    assert skim_findings(changed(config, "preprocess.skimming", {})) == ()
    still = [{**config["systematics"][0], "propagate_to_met": None}]
    assert skim_findings(changed(config, "systematics", still)) == ()
    assert skim_findings(changed(config, "general.run_systematics", False)) == ()


def test_masks_baselines_and_thresholds_of_n_minus_1_are_later_cuts(config):
    config = changed(config, "channels", [{**config["channels"][0], "selection": None}])
    assert skim_findings(config) == ()
    mask = {"analysis": [{"object": "Jet", "function": jets_above, "use": [JET]}]}
    jets = {"function": jets_above, "use": [JET], "static_kwargs": {"threshold": 40.0}}
    here = changed(changed(config, "good_object_masks", mask), "preprocess.skimming", jets)
    (one,) = skim_findings(here)
    assert "the mask of Jet ask for the same, Jet.pt > 40" in one.message
    here = changed(config, "baseline_selection", {"function": region, "use": [JET, MET]})
    (one,) = skim_findings(here)
    assert (one.region, "the baseline selection" in one.message) == ("", True)
    shown = {"cut": "met", "function": lambda met: met.pt, "use": [MET], "binning": "0,100,10",
             "thresholds": [50.0]}  # fmt: skip
    cut = {"name": "met", "function": len, "use": [MET]}
    selection = {"cuts": [cut], "n_minus_1": [shown]}
    channels = [{**config["channels"][0], "selection": selection}]
    (one,) = skim_findings(changed(config, "channels", channels))
    assert one.region == "SR"


def test_corrections_of_objects_move_columns_too(config):
    config = changed(config, "systematics", [])
    assert skim_findings(config) == ()
    correction = {
        "name": "jec",
        "type": "object",
        "use_correctionlib": False,
        "use": [("Jet", "pt")],
        "nominal_function": up,
        "target": ("Jet", "pt"),
        "propagate_to_met": "MET",
        "uncertainty_sources": [{"name": "jes_a", "up_function": up}],
    }
    (one,) = skim_findings(changed(config, "corrections", [correction]))
    assert one.systematic == "jes_a"
    alone = {**correction, "uncertainty_sources": []}
    assert skim_findings(changed(config, "corrections", [alone])) == ()


def test_a_vector_that_is_added_moves_the_angle_too(config):
    soft = {**config["systematics"][0], "name": "soft", "target": ("MET", "pt"),
            "op": "add_vector", "propagate_to_met": None}  # fmt: skip
    cut = {"name": "met", "function": lambda met: met.phi < CUT, "use": [MET]}
    channels = [{**config["channels"][0], "selection": {"cuts": [cut]}}]
    config = changed(changed(config, "systematics", [soft]), "channels", channels)
    skim = {"function": lambda met: met.phi < 50, "use": [MET]}
    (one,) = skim_findings(changed(config, "preprocess.skimming", skim))
    assert "MET.phi < 50, but soft moves it" in one.message
    sized = [{**soft, "op": "mult"}]
    still = changed(changed(config, "preprocess.skimming", skim), "systematics", sized)
    assert skim_findings(still) == ()


def test_the_audit_of_a_run_tells_of_its_skim(config):
    found = audit_run(histograms(), spec(), config)
    assert [one.systematic for one in found if one.code == "skim-threshold"] == ["jes"]

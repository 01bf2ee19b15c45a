"""Toys of a run with nuisance parameters, for what needs no network."""

import numpy as np
import pytest

from hepflow.inference.event_file import morphing_of, write_events
from hepflow.inference.likelihood import Simulation
from hepflow.inference.nuisances import add_normalisation, with_nuisances
from hepflow.inference.physics.drell_yan import DrellYan
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.records import Nuisance
from hepflow.inference.workflow.evaluating import HISTOGRAM, Evaluation, evaluate
from hepflow.inference.workflow.ground import EvaluationSpec
from hepflow.inference.workflow.learning import draws_of
from hepflow.records.sbi import Coverage, Critical
from tests.unit.inference.workflow.small import study

pytest.importorskip("h5py", reason="needs the extra sbi")
TOYS = {"neyman": {"toys": 60, "points": 4}, "coverage": 60, "levels": [0.68], "information": False}
SOURCE = {"source": "event_file", "files": ["events.h5"]}


def table(nuisances):
    found = DrellYan().table(1500, BENCHMARKS, 1)
    if not nuisances:
        return found
    angle = found.x[:, found.observables.index("cos_theta")]
    up = found.weights[:, 0] * np.exp(0.1 * angle)
    found = with_nuisances(found, [Nuisance("tilt", "tilt_up")], {"tilt_up": up})
    return add_normalisation(found, "lumi", 0.02)


@pytest.mark.parametrize("nuisances", [False, True], ids=["plain", "nuisances"])
@pytest.mark.parametrize("data", ["asimov", "observed"])
def test_toys_of_a_run(tmp_path, nuisances, data):
    path, made = tmp_path / "events.h5", table(nuisances)
    write_events(path, made)
    own = {"data": data, **TOYS}
    if data == "observed":
        own["observed"] = str(tmp_path / "observed.npz")
        seen = dict(zip(made.observables, made.x[:200].T, strict=True))
        np.savez(own["observed"], **seen)
    chosen = study(tmp_path, process=SOURCE, evaluation=own)
    task = Evaluation(HISTOGRAM, HISTOGRAM, "", "", str(path),
                      draws_of(chosen.inference, DrellYan.parameters),
                      EvaluationSpec.of(chosen))  # fmt: skip
    found = evaluate(task)
    (critical,) = [Critical.from_json(one) for one in found["critical"]]
    assert critical.parameters == ("C_LL", "C_RR")
    assert {len(one) for one in critical.points} == {2}
    assert np.isfinite(critical.value).all()
    (covered,) = [Coverage.from_json(one) for one in found["coverage"]]
    assert len(covered.theta) == 2
    assert abs(covered.pull) <= 4.0
    whole = Simulation.of(made, morphing_of(made))
    expected = EvaluationSpec.of(chosen).luminosity * float(whole.cross_section(covered.theta))
    assert covered.model["mean_events"] == pytest.approx(expected, rel=0.05)
    labels = ["C_LL", "C_RR", *(["tilt", "lumi"] if nuisances else [])]
    assert found["limits"]["fit"]["labels"] == labels
    kinds = [one["calculator"] for one in found["limits"]["regions"]]
    assert kinds == ["asymptotic", "neyman"]

"""What does not fit the events is refused with what is there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hepflow.errors import InputError
from hepflow.inference.event_file import write_events
from hepflow.inference.physics.drell_yan import DrellYan
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.records import Nuisance
from hepflow.inference.workflow import running
from hepflow.inference.workflow.generators import _with_nuisances
from hepflow.inference.workflow.ground import EvaluationSpec, ground_of
from hepflow.inference.workflow.learning import draws_of
from hepflow.output_manager import OutputDirectoryManager
from hepflow.pipeline.skim_events import _given
from tests.unit.inference.workflow.small import study

pytest.importorskip("h5py", reason="needs the extra sbi")
SOURCE = {"source": "event_file", "files": ["events.h5"]}


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "events.h5"
    write_events(path, DrellYan().table(300, BENCHMARKS, 1))
    return path


def test_points_of_parameters_that_the_events_do_not_have(events, tmp_path):
    own = study(tmp_path, process=SOURCE, evaluation={"truth": {"C_L": 1}})
    draws = draws_of(own.inference, DrellYan.parameters)
    with pytest.raises(InputError, match=r"truth is about 'C_L'.*Did you mean 'C_LL'"):
        ground_of(str(events), draws, EvaluationSpec.of(own))
    own = study(tmp_path, process=SOURCE, sampling={"reference": {"c": 1}})
    with pytest.raises(InputError, match="'c', but the events have the parameters C_LL, C_RR"):
        draws_of(own.inference, DrellYan.parameters)


def test_events_of_other_parameters(events, tmp_path):
    parameters = [{"name": "c", "range": [-1, 1]}]
    lhe = {"source": "lhe", "files": ["a.lhe"]}
    own = study(tmp_path, process=lhe, parameters=parameters,
                observables=[{"name": "x", "expression": "met.pt"}])  # fmt: skip
    bench = running.Bench(own, OutputDirectoryManager(tmp_path), None)
    with pytest.raises(InputError, match="parameters C_LL, C_RR, but the configuration has c"):
        running.learn(bench, str(events))


def test_too_few_events_are_told_before_training(events, tmp_path):
    own = study(tmp_path, process=SOURCE, sampling={"train": 0.9, "validation": 0.05})
    draws = draws_of(own.inference, DrellYan.parameters)
    with pytest.raises(InputError, match="300 events are too few"):
        ground_of(str(events), draws, EvaluationSpec.of(own))


def test_a_weight_that_the_generator_does_not_have():
    events = SimpleNamespace(weight_infos=[SimpleNamespace(id="2001")])
    job = SimpleNamespace(spec=SimpleNamespace(nuisances=(Nuisance("mu", "2002"),), groups=()))
    with pytest.raises(InputError, match=r"no weight '2002'\. Did you mean '2001'"):
        _with_nuisances(None, events, job)
    with pytest.raises(InputError, match="Events of skims need functions"):
        _given(None, "inference.cuts[0]")


def test_fits_without_a_result_are_no_success():
    fit = {"converged": False, "notes": ["flat"]}
    results = SimpleNamespace(methods={"sally": {"limits": {"fit": fit}}})
    assert running.problems_of(results) == ("sally: the fit has no result: flat",)
    assert running.problems_of(None) == ()


def test_the_likelihood_is_exact_only_where_the_events_say_so():
    from hepflow.inference.workflow.ground import truth_of

    assert truth_of(DrellYan().table(20, BENCHMARKS, 1)) is None

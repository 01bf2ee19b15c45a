"""What is refused in the section ``inference``, each problem with its path and all at once."""

from __future__ import annotations

import pytest

from hepflow.errors import ConfigurationError
from hepflow.schema import Config, Study, load_config_with_restricted_cli
from tests.unit.schema.examples import number, valid

X = {"name": "x", "expression": "met.pt"}
P = {"name": "a", "range": [-1, 1]}
LHE = {"source": "lhe", "files": "a"}
MG = {"source": "madgraph", "madgraph": {"process": ["generate p p > t t~"]}}


def problems(**inference):
    try:
        Study(inference=inference)
    except ConfigurationError as error:
        return {one.path.removeprefix("inference."): str(one) for one in error.problems}
    return {}


@pytest.mark.parametrize(
    ("inference", "path", "told"),
    [
        ({"parameterz": 1}, "parameterz", "Did you mean 'parameters'"),
        ({"parameters": [P, P], "process": MG, "observables": [X]}, "parameters[1].name",
         "already"),
        ({"methods": [{"method": "sally"}, {"method": "sally"}]}, "methods[1].name", "already"),
        ({"methods": [{"method": "alise"}]}, "methods[0].method", "Did you mean 'alice'"),
        ({"methods": [{"method": "alice", "name": "exact"}]}, "methods[0].name", "taken"),
        ({"methods": [{"method": "sally", "alpha": 2}]}, "methods[0].alpha", "no effect for sally"),
        ({"methods": [{"method": "nde", "network": "mlp"}]}, "methods[0].network", "no ratio"),
        ({"methods": [{"method": "alice", "flows": 2}]}, "methods[0].flows", "no density"),
        ({"benchmarks": {"sm": {"C_L": 1}}}, "benchmarks.sm.C_L", "Did you mean 'C_LL'"),
        ({"sampling": {"reference": {"c": 1}}}, "sampling.reference.c", "no parameter"),
        ({"sampling": {"prior": {"c": {}}}}, "sampling.prior.c", "no parameter"),
        ({"evaluation": {"truth": {"c": 1}}}, "evaluation.truth.c", "no parameter"),
        ({"evaluation": {"ranges": {"c": [0, 1]}}}, "evaluation.ranges.c", "no parameter"),
        ({"parameters": [P]}, "parameters", "has C_LL and C_RR"),
        ({"process": {"source": "lhe"}, "observables": [X]}, "process.files", "missing"),
        ({"process": {"files": "a"}}, "process.files", "no effect"),
        ({"process": LHE, "observables": [X], "events": 5}, "events", "there already"),
        ({"process": LHE, "observables": [X], "jobs": 5}, "jobs", "there already"),
        ({"benchmarks": {"sm": {}}, "benchmark_trials": 5}, "benchmark_trials", "by hand"),
        ({"nuisances": [{"name": "C_LL", "kind": "normalisation", "size": 0.1}]},
         "nuisances[0].name", "is a parameter"),
        ({"process": {"weights_files": "a"}}, "process.weights_files", "no effect"),
        ({"process": {"source": "delphes_trees", "files": "a"}, "observables": [X]},
         "process.weights_files", "missing"),
        ({"process": {"source": "lhe", "files": "a"}}, "observables", "missing"),
        ({"process": {"source": "lhe", "files": "a"}, "observables": [X], "benchmarks": {"a": {}}},
         "benchmarks", "points of their own"),
        ({"process": {"source": "event_file", "files": "a"}, "observables": [X]}, "observables",
         "the file has them"),
        ({"process": {"madgraph": {"model": "heft"}}}, "process.madgraph.model", "no effect"),
        ({"process": {"source": "madgraph"}, "parameters": [P], "observables": [X]},
         "process.madgraph.process", "missing"),
        ({"events": {"sm": 3}}, "events", "names benchmarks, but they are chosen"),
        ({"benchmarks": {"sm": {}}, "events": {"sn": 3}}, "events.sn", "no such benchmark"),
        ({"observables": [{**X, "function": number}]}, "observables[0].function", "Keep one"),
        ({"cuts": [{"name": "c"}]}, "cuts[0].expression", "missing"),
        ({"observables": [{**X, "use": ["Muon.pt"]}]}, "observables[0].use", "no skim"),
        ({"detector": {"kind": "delphes", "card": "c"}}, "detector.kind", "built-in process"),
        ({"detector": {"kind": "delphes"}}, "detector.card", "missing"),
        ({"detector": {"kind": "delphes", "card": "c"}, "process": MG, "parameters": [P],
          "observables": [X]}, "detector.kind", "Set process.madgraph.shower"),
        ({"detector": {"card": "c"}}, "detector.card", "no effect"),
        ({"detector": {"regions": [{"kind": "mu"}]}}, "detector.regions", "no effect"),
        ({"detector": {"kind": "parametrised", "regions": [
            {"kind": "mu", "min_pt": 3, "max_pt": 2}]}}, "detector.regions[0].max_pt", "more than"),
        ({"detector": {"kind": "parametrised"}, "process": {"source": "event_file", "files": "a"}},
         "detector.kind", "already"),
        ({"sampling": {"train": 0.9}}, "sampling.validation", "none for tests"),
        ({"sampling": {"points": 5}, "methods": [{"method": "sally"}]}, "sampling.points",
         "scores only"),
        ({"sampling": {"prior": {"C_LL": {"kind": "uniform", "width": 1}}}},
         "sampling.prior.C_LL.width", "no effect"),
        ({"sampling": {"prior": {"C_LL": {"range": [0, 1]}}}}, "sampling.prior.C_LL.range",
         "no effect"),
        ({"sampling": {"numerators": "grid", "prior": {"C_LL": {}}}}, "sampling.prior",
         "no effect"),
        ({"sampling": {"numerators": "benchmarks", "points": 5}}, "sampling.points", "no effect"),
        ({"evaluation": {"data": "observed"}}, "evaluation.observed", "missing"),
        ({"evaluation": {"observed": "a.csv"}}, "evaluation.observed", "no effect"),
        ({"evaluation": {"neyman": {"points": 5}}}, "evaluation.neyman.points", "without toys"),
        ({"evaluation": {"levels": [0.5, 0.5]}}, "evaluation.levels", "twice"),
        ({"evaluation": {"neyman": {"toys": 19}}}, "evaluation.neyman.toys", "Use 200 or more"),
        ({"evaluation": {"neyman": {"toys": 9}, "levels": [0.9]}}, "evaluation.neyman.toys",
         "Use 100 or more"),
        ({"evaluation": {"neyman": {"toys": 50}, "levels": [0.99]}}, "evaluation.neyman.toys",
         "cannot tell a level of 99 %"),
        ({"evaluation": {"histogram": {"observables": ["mass", "mass"]}}},
         "evaluation.histogram.observables[1]", "twice"),
        ({"evaluation": {"histogram": {"enabled": False, "bins": 5}}}, "evaluation.histogram.bins",
         "no effect where histograms are not fitted"),
        ({"methods": [{"method": "sally"}, {"method": "sallino"}],
          "evaluation": {"calibrate": True}}, "evaluation.calibrate", "estimates a ratio"),
        ({"evaluation": {"histogram": {"observables": ["mas"]}}},
         "evaluation.histogram.observables[0]", "Did you mean 'mass'"),
        ({"parameters": [{**P, "name": n} for n in "abc"], "process": MG, "observables": [X]},
         "evaluation.points", "needed for 3 parameters"),
        ({"nuisances": [{"name": "n"}]}, "nuisances[0].kind", "only kind 'normalisation'"),
        ({"nuisances": [{"name": "n"}], "process": LHE}, "nuisances[0].up", "missing"),
        ({"nuisances": [{"name": "n", "group": "mu", "up": "1"}], "process": LHE},
         "nuisances[0].up", "no effect"),
        ({"nuisances": [{"name": "n", "group": "mua"}], "process": LHE}, "nuisances[0].group",
         "is no scale"),
        ({"nuisances": [{"name": "n", "group": "mu"}], "process": {"source": "skim"}},
         "nuisances[0].group", "no effect"),
        ({"nuisances": [{"name": "n", "up": "a"}],
          "process": {"source": "skim", "skim": {"weights": {"b": ("event", "b")}}}},
         "nuisances[0].up", "none of process.skim.weights"),
        ({"nuisances": [{"name": "n", "kind": "normalisation"}]}, "nuisances[0].size", "missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(inference, path, told):
    found = problems(**inference)
    assert told in found[path]


def test_an_empty_section_is_the_built_in_process():
    assert problems() == {}
    assert Study().inference.process.source == "drell_yan"
    assert [one.method for one in Study().inference.methods] == ["sally", "alice", "alices"]


def test_all_problems_are_told_at_once():
    found = problems(benchmarks={"sm": {"x": 0}}, seed=-1, plots=["lossess"], cuts=[{"name": "c"}])
    assert set(found) == {"benchmarks.sm.x", "seed", "plots[0]", "cuts[0].expression"}


def test_it_is_a_section_of_the_whole_configuration():
    assert Config(**valid()).inference is None
    with pytest.raises(ConfigurationError, match="no such section"):
        Study.of(Config(**valid()))
    whole = Config(**valid(), inference={"seed": 5})
    assert Study.of(whole).inference.seed == 5
    assert Study.of(whole).general.output_dir == whole.general.output_dir
    with pytest.raises(ConfigurationError, match=r"inference\.seed"):
        Study.of({**valid(), "inference": {"seed": "x"}})


def test_a_study_refuses_what_it_does_not_listen_to():
    with pytest.raises(ConfigurationError, match="unknown key"):
        Study.of({"general": {"run_skimming": True}, "inference": {}})
    with pytest.raises(ConfigurationError, match="expected a mapping"):
        Study.of(3)


def test_overrides_reach_entries_of_a_default_list():
    words = ["--inference.methods[1].epochs=5", "inference.sampling.prior.C_LL.width=0.3"]
    study = Study.of(load_config_with_restricted_cli({"inference": {}}, words))
    assert [one.epochs for one in study.inference.methods] == [None, 5, None]
    assert study.inference.sampling.prior["C_LL"].width == 0.3

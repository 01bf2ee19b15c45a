"""Fields of the section ``inference``: each reaches what it is about."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hepflow.inference.priors import Normal, Uniform
from hepflow.inference.records import NuisanceGroup, Parameter
from hepflow.inference.workflow.figures import look_of
from hepflow.inference.workflow.ground import EvaluationSpec
from hepflow.inference.workflow.jobs import jobs_of
from hepflow.inference.workflow.learning import draws_of, trainees_of
from hepflow.inference.workflow.pictures import Stored
from hepflow.inference.workflow.running import Bench
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.output_manager import OutputDirectoryManager
from hepflow.schema import Study

THEORY = [{"name": "a", "range": [-2, 3], "max_power": 1, "lha_block": "smeft", "lha_id": 7,
           "unit": "1/TeV", "label": "$a$"}]  # fmt: skip
POINTS = {"sm": {}, "up": {"a": 1.5}}
X = [{"name": "x", "expression": "met.pt", "default": -1.0, "label": "$x$"}]


def mask(events):
    return events.met.pt > 0


def physics(**inference):
    return PhysicsSpec.of(Study(inference=inference))


def madgraph(**settings):
    process = {"source": "madgraph", "madgraph": {"process": ["generate p p > t t~"], **settings}}
    return physics(parameters=THEORY, benchmarks=POINTS, observables=X, process=process)


@pytest.mark.field(
    "inference.parameters[].name", "inference.parameters[].range",
    "inference.parameters[].max_power", "inference.parameters[].lha_block",
    "inference.parameters[].lha_id", "inference.parameters[].unit",
    "inference.parameters[].label", "inference.benchmarks",
)  # fmt: skip
def test_parameters_and_benchmarks():
    found = madgraph()
    assert found.parameters == (Parameter("a", -2, 3, 1, "smeft", 7, "1/TeV", "$a$"),)
    assert [(one.name, one.values) for one in found.benchmarks] == [("sm", (0,)), ("up", (1.5,))]
    labels = Stored(None, {}, None, found.parameters * 2, {}).axes()
    assert labels == ("$a$ [1/TeV]", "$a$ [1/TeV]")


@pytest.mark.field("inference.benchmark_trials")
def test_more_trials_choose_other_benchmarks():
    assert physics(benchmark_trials=1).benchmarks != physics(benchmark_trials=50).benchmarks


@pytest.mark.field(
    "inference.process.drell_yan.energy", "inference.process.drell_yan.mass_min",
    "inference.process.drell_yan.mass_max", "inference.process.drell_yan.cos_axis",
    "inference.process.drell_yan.pdf",
)  # fmt: skip
def test_the_built_in_process_listens():
    from hepflow.inference.workflow.sources import drell_yan_settings

    own = {"energy": 14, "mass_min": 200, "mass_max": 900, "cos_axis": "beam", "pdf": "analytic"}
    found = drell_yan_settings(physics(process={"drell_yan": own}).settings)
    assert dataclasses.asdict(found) == {**own, "energy": 14_000.0}


@pytest.mark.field("inference.process.drell_yan.shower")
def test_a_shower_makes_the_likelihood_unknown():
    from hepflow.inference.workflow.sources import is_exact

    assert is_exact(physics())
    assert not is_exact(physics(process={"drell_yan": {"shower": True}}))


@pytest.mark.field(
    "inference.process.source", "inference.process.madgraph.executable",
    "inference.process.madgraph.model", "inference.process.madgraph.process",
    "inference.process.madgraph.run_card", "inference.process.madgraph.shower",
)  # fmt: skip
def test_madgraph_is_told():
    own = {"executable": "/mg5", "model": "SMEFTsim", "process": ["generate p p > h j j"],
           "run_card": {"ptj": 20.0}, "shower": True}  # fmt: skip
    found = madgraph(**own)
    assert (found.source, found.settings) == ("madgraph", own)


@pytest.mark.field("inference.process.files", "inference.process.weights_files")
def test_files_are_taken_in_pairs(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.root").touch()
        (tmp_path / f"{name}.lhe").touch()
    weights = [str(tmp_path / name) for name in ("a.lhe", "b.lhe")]
    process = {"source": "delphes_trees", "files": [str(tmp_path / "*.root")],
               "weights_files": weights}  # fmt: skip
    jobs = list(jobs_of(physics(process=process, observables=X), tmp_path))
    assert [(job.source_file[-6:], job.weights_file[-5:]) for job in jobs] == [
        ("a.root", "a.lhe"), ("b.root", "b.lhe"),
    ]  # fmt: skip


@pytest.mark.field("inference.events", "inference.events{}", "inference.jobs", "inference.seed")
def test_events_of_jobs(tmp_path):
    jobs = list(jobs_of(physics(events=5, jobs=2, seed=9), tmp_path))
    assert [job.events for job in jobs] == [3, 2] * 6
    assert {job.seed.entropy for job in jobs} == {9}
    assert len({job.key().digest for job in jobs}) == len(jobs)
    given = {"sm": {}, "a": {"C_LL": 1}, "b": {"C_LL": -1}, "c": {"C_RR": 1}, "d": {"C_RR": -1},
             "e": {"C_LL": 1, "C_RR": 1}}  # fmt: skip
    some = jobs_of(physics(benchmarks=given, events={"a": 7}), tmp_path)
    assert [(job.origin, job.events) for job in some] == [(1, 7)]


@pytest.mark.field(
    "inference.detector.kind", "inference.detector.regions[].kind",
    "inference.detector.regions[].min_pt", "inference.detector.regions[].max_pt",
    "inference.detector.regions[].min_eta", "inference.detector.regions[].max_eta",
    "inference.detector.regions[].efficiency", "inference.detector.regions[].resolution",
)  # fmt: skip
def test_a_parametrised_detector():
    from hepflow.inference.physics.detector import GENERAL_PURPOSE, NoDetector
    from hepflow.inference.workflow.observing import detector_of

    region = {"kind": "mu", "min_pt": 5.0, "max_pt": 50.0, "min_eta": 0.1, "max_eta": 2.4,
              "efficiency": 0.9, "resolution": 0.02}  # fmt: skip
    (found,) = detector_of(physics(detector={"kind": "parametrised", "regions": [region]})).regions
    assert dataclasses.asdict(found) == region
    assert detector_of(physics(detector={"kind": "parametrised"})).regions == GENERAL_PURPOSE
    assert isinstance(detector_of(physics()), NoDetector)


@pytest.mark.field("inference.detector.executable", "inference.detector.card")
def test_delphes_is_told():
    detector = {"kind": "delphes", "executable": "/delphes", "card": "cms.tcl"}
    process = {"source": "madgraph", "madgraph": {"process": ["generate"], "shower": True}}
    found = physics(parameters=THEORY, benchmarks=POINTS, observables=X, process=process,
                    detector=detector).detector  # fmt: skip
    assert (found["executable"], found["card"]) == ("/delphes", "cms.tcl")


@pytest.mark.field(
    "inference.observables[].name", "inference.observables[].expression",
    "inference.observables[].function", "inference.observables[].default",
    "inference.observables[].label", "inference.cuts[].name", "inference.cuts[].expression",
    "inference.cuts[].function",
)  # fmt: skip
def test_observables_and_cuts(tmp_path):
    cuts = [{"name": "c", "expression": "met.pt > 3"}, {"name": "d", "function": mask}]
    found = physics(observables=[*X, {"name": "y", "function": mask}], cuts=cuts)
    first, second = found.observables
    assert (first.name, first.expression, first.default, first.label) == ("x", "met.pt", -1, "$x$")
    assert second.function is mask
    assert [(one.name, one.expression, one.function) for one in found.cuts] == [
        ("c", "met.pt > 3", None), ("d", "", mask),
    ]  # fmt: skip

    def key(**inference):
        return next(jobs_of(physics(**inference), tmp_path)).key().digest

    assert key(cuts=cuts) != key(cuts=cuts[:1])
    assert key(observables=X) == key(observables=[{**X[0], "label": "$y$"}])


@pytest.mark.field(
    "inference.nuisances[].name", "inference.nuisances[].kind", "inference.nuisances[].up",
    "inference.nuisances[].down", "inference.nuisances[].size", "inference.nuisances[].group",
)  # fmt: skip
def test_nuisance_parameters():
    found = physics(process={"source": "lhe", "files": "a"}, observables=X, nuisances=[
        {"name": "mu", "kind": "scale", "up": "2001", "down": "2002"},
        {"name": "lumi", "kind": "normalisation", "size": 0.02},
        {"name": "pdf", "kind": "pdf", "group": "NNPDF"},
    ])  # fmt: skip
    assert found.groups == (NuisanceGroup("pdf", "pdf", "NNPDF"),)
    (one,) = found.nuisances
    assert (one.name, one.up, one.down, one.kind) == ("mu", "2001", "2002", "scale")
    assert found.sizes == {"lumi": 0.02}


def draws(**sampling):
    return draws_of(Study(inference={"sampling": sampling}).inference,
                    (Parameter("C_LL", -1, 1), Parameter("C_RR", -2, 2)))  # fmt: skip


@pytest.mark.field(
    "inference.sampling.train", "inference.sampling.validation", "inference.sampling.events",
    "inference.sampling.reference", "inference.sampling.numerators", "inference.sampling.points",
    "inference.sampling.prior", "inference.sampling.min_effective",
)  # fmt: skip
def test_samples():
    found = draws(train=0.5, validation=0.1, events=500, reference={"C_RR": 0.3},
                  numerators="grid", points=9, min_effective=7)  # fmt: skip
    assert found.fractions == pytest.approx((0.5, 0.1, 0.4))
    assert (found.events, found.reference, found.min_effective) == (500, (0, 0.3), 7)
    table = type("Table", (), {"parameters": (Parameter("C_LL", -1, 1), Parameter("b", 0, 1))})
    assert len(found.source(table).values) == 9
    priors = draws(prior={"C_LL": {"kind": "uniform"}, "C_RR": {"mean": 1.0}}).priors
    assert priors == (Uniform((-1,), (1,)), Normal((1.0,), (0.8,)))


SETTINGS = {
    "hidden": [7], "activation": "relu", "network": "mlp", "scaling": "standard", "dropout": 0.1,
    "epochs": 3, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.1,
    "final_learning_rate": 0.01, "schedule": "linear", "weight_decay": 0.2, "clip": 2.0,
    "averaging": 0.5, "alpha": 3.0, "patience": 4, "flows": 2, "mixture": 6, "checkpoint_every": 5,
}  # fmt: skip


@pytest.mark.field(
    "inference.training.hidden", "inference.training.activation", "inference.training.network",
    "inference.training.scaling", "inference.training.dropout", "inference.training.epochs",
    "inference.training.batch_size", "inference.training.optimizer",
    "inference.training.learning_rate", "inference.training.final_learning_rate",
    "inference.training.schedule", "inference.training.weight_decay", "inference.training.clip",
    "inference.training.averaging", "inference.training.alpha", "inference.training.patience",
    "inference.training.flows", "inference.training.mixture",
    "inference.training.checkpoint_every", "inference.training.ensemble",
    "inference.methods[].method", "inference.methods[].name",
)  # fmt: skip
def test_training_is_of_all_methods():
    own = {**SETTINGS, "ensemble": 2}
    study = Study(inference={"training": own, "methods": [{"method": "nde", "name": "mine"}]})
    (found,) = trainees_of(study.inference)
    assert dataclasses.asdict(found.settings).items() >= {**SETTINGS, "hidden": (7,)}.items()
    assert (found.name, found.method, found.members) == ("mine", "nde", 2)


@pytest.mark.field(
    "inference.methods[].hidden", "inference.methods[].activation", "inference.methods[].network",
    "inference.methods[].scaling", "inference.methods[].dropout", "inference.methods[].epochs",
    "inference.methods[].batch_size", "inference.methods[].optimizer",
    "inference.methods[].learning_rate", "inference.methods[].final_learning_rate",
    "inference.methods[].schedule", "inference.methods[].weight_decay",
    "inference.methods[].clip", "inference.methods[].averaging", "inference.methods[].alpha",
    "inference.methods[].patience", "inference.methods[].flows", "inference.methods[].mixture",
    "inference.methods[].checkpoint_every", "inference.methods[].ensemble",
)  # fmt: skip
@pytest.mark.parametrize("name", [*SETTINGS, "ensemble"])
def test_a_method_may_have_its_own(name):
    method = {"alpha": "alices", "network": "alice"}.get(name, "scandal")
    value = {**SETTINGS, "ensemble": 2}[name]
    methods = [{"method": method, name: value}, {"method": "sally"}]
    own, other = trainees_of(Study(inference={"methods": methods}).inference)
    if name == "ensemble":
        assert (own.members, other.members) == (2, 1)
        return
    wanted = tuple(value) if isinstance(value, list) else value
    assert getattr(own.settings, name) == wanted != getattr(other.settings, name)


@pytest.mark.field(
    "inference.evaluation.luminosity", "inference.evaluation.truth",
    "inference.evaluation.ranges", "inference.evaluation.points", "inference.evaluation.levels",
    "inference.evaluation.rate", "inference.evaluation.events",
    "inference.evaluation.histogram.enabled", "inference.evaluation.histogram.observables",
    "inference.evaluation.histogram.bins", "inference.evaluation.information",
    "inference.evaluation.neyman.toys", "inference.evaluation.neyman.points",
    "inference.evaluation.calibration", "inference.evaluation.calibrate",
    "inference.evaluation.coverage",
)  # fmt: skip
def test_evaluations():
    own = {"luminosity": 5, "truth": {"C_LL": 0.1}, "ranges": {"C_RR": [0, 1]}, "points": 7,
           "levels": [0.9], "rate": False, "events": 200, "information": False,
           "histogram": {"observables": ["mass"], "bins": 4},
           "neyman": {"toys": 10, "points": 5}, "calibration": False, "calibrate": True,
           "coverage": 30}  # fmt: skip
    found = EvaluationSpec.of(Study(inference={"evaluation": own, "seed": 4}))
    assert dataclasses.asdict(found) == {
        "luminosity": 5, "data": "asimov", "observed": None, "truth": {"C_LL": 0.1},
        "ranges": {"C_RR": (0, 1)}, "points": 7, "levels": (0.9,), "rate": False, "events": 200,
        "histogram": True, "columns": ("mass",), "bins": 4, "information": False, "toys": 10,
        "toy_points": 5, "calibration": False, "calibrate": True, "coverage": 30, "seed": 4,
    }  # fmt: skip
    assert EvaluationSpec.of(Study(general={"lumi": {"1": 2.0, "2": 3.0}})).luminosity == 5
    without = Study(inference={"evaluation": {"histogram": {"enabled": False}}})
    assert not EvaluationSpec.of(without).histogram


@pytest.mark.field("inference.evaluation.data", "inference.evaluation.observed")
def test_observed_events_are_read(tmp_path):
    from hepflow.errors import InputError, UnreadableFile
    from hepflow.inference.workflow.ground import read_observed

    (tmp_path / "x.csv").write_text("mass,cos_theta\n1,2\n3,4\n")
    assert read_observed(str(tmp_path / "x.csv"), ("cos_theta", "mass")).tolist() == [
        [2, 1], [4, 3],
    ]  # fmt: skip
    np.savez(tmp_path / "x.npz", mass=[1.0])
    assert read_observed(str(tmp_path / "x.npz"), ("mass",)).tolist() == [[1]]
    with pytest.raises(InputError, match=r"no column 'mas'\. Did you mean 'mass'"):
        read_observed(str(tmp_path / "x.csv"), ("mas",))
    with pytest.raises(UnreadableFile, match="no such file"):
        read_observed(str(tmp_path / "y.csv"), ("mass",))
    (tmp_path / "z.npz").write_text("nothing")
    with pytest.raises(UnreadableFile, match="expected a CSV file"):
        read_observed(str(tmp_path / "z.npz"), ("mass",))
    own = {"data": "observed", "observed": "x.csv"}
    found = EvaluationSpec.of(Study(inference={"evaluation": own}))
    assert (found.data, found.observed) == ("observed", "x.csv")


def test_the_look_of_figures_follows_the_section_plotting(tmp_path):
    study = Study(
        plotting={"experiment": "E", "dpi": 60, "parameter_labels": {"C_LL": "$c$"}},
        general={"lumi": 7.0},
    )
    look = look_of(Bench(study, OutputDirectoryManager(tmp_path), None))
    assert (look.experiment, look.dpi, look.luminosity) == ("E", 60, 7.0)
    assert look.parameter_labels == {"C_LL": "$c$"}

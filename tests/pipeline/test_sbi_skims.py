"""Events of skims as the events of an inference."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import ConfigurationError, InputError, NormalisationError, UserFunctionError
from hepflow.inference import run_study
from hepflow.pipeline.skim_events import skim_events
from hepflow.schema import Study
from tests.builders import write_nano
from tests.fields.project import make_config, simulation

RNG = np.random.default_rng(5)
N = 300
RATIO = RNG.uniform(0.5, 1.5, N).astype(np.float32)


def x(values):
    return values


def positive(values):
    return values > 0


def two(values):
    return np.array([1.0, 2.0])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skims")
    columns = {
        "x": np.linspace(-1, 2, N).astype(np.float32),
        "up": RATIO,
        "down": (2 - RATIO).astype(np.float32),
        "one": np.ones(N, np.float32),
        "genWeight": np.full(N, 2.0, np.float32),
    }
    for name in ("signal", "other"):
        write_nano(folder / f"{name}.root", columns)
    return folder


def config(folder, output, general=None, dataset=None, **changes):
    datasets = [
        simulation(
            folder,
            name=name,
            files=[str(folder / f"{name}.root")],
            cross_section=size,
            **(dataset or {}),
        )
        for name, size in (("signal", 3.0), ("other", 5.0))
    ]
    use = [("event", "x")]
    inference = {
        "parameters": [{"name": "c", "range": [-1, 1]}],
        "benchmarks": {"sm": {}, "up": {"c": 1}, "down": {"c": -1}},
        "process": {
            "source": "skim",
            "skim": {
                "datasets": ["signal"],
                "weights": {
                    name: ("event", name.replace("sm", "one")) for name in ("sm", "up", "down")
                },
            },
        },
        "observables": [{"name": "x", "function": x, "use": use}],
        "cuts": [{"name": "positive", "function": positive, "use": use}],
        **changes,
    }
    return make_config(
        folder,
        datasets,
        general={
            "output_dir": str(output),
            "cache_dir": str(output / "cache"),
            **(general or {}),
        },
        preprocess={"branches": {"event": ["x", "up", "down", "one"]}},
        inference=inference,
    )


@pytest.mark.field(
    "inference.process.skim.datasets", "inference.process.skim.weights",
    "inference.observables[].use", "inference.cuts[].use",
)  # fmt: skip
def test_weights_add_up_to_cross_sections_after_cuts(inputs, tmp_path):
    found = skim_events(config(inputs, tmp_path)).table
    keep = np.linspace(-1, 2, N) > 0
    assert len(found) == keep.sum()
    assert found.weights.sum(axis=0) == pytest.approx(
        3.0 / N * np.array([keep.sum(), RATIO[keep].sum(), (2 - RATIO[keep]).sum()]), rel=1e-5
    )
    both = config(inputs, tmp_path, process={
        "source": "skim",
        "skim": {"weights": dict.fromkeys(("sm", "up", "down"), ("event", "one"))},
    })  # fmt: skip
    assert skim_events(both).table.weights[:, 0].sum() == pytest.approx(8.0 * keep.mean())


def test_they_are_normalised_as_histograms_are(inputs, tmp_path):
    usual = skim_events(config(inputs, tmp_path / "a"))
    factors = {"k_factor": 1.5, "filter_efficiency": 0.4}
    scaled = skim_events(config(inputs, tmp_path / "b", dataset=factors))
    np.testing.assert_allclose(scaled.table.weights, 0.6 * usual.table.weights, rtol=1e-12)
    assert scaled.key.digest != usual.key.digest
    # all weights are 2, so that signs give the same cross-section with a sum that is half as large
    signs = skim_events(config(inputs, tmp_path / "c", general={"weight_mode": "sign"}))
    np.testing.assert_allclose(signs.table.weights, usual.table.weights, rtol=1e-12)
    with pytest.raises(NormalisationError, match="no Runs tree"):
        skim_events(config(inputs, tmp_path / "d", dataset={"sumw_source": "runs"}))


def largest(values):
    return ak.mask(values, values > 1)


def test_what_an_event_lacks_has_the_default(inputs, tmp_path):
    own = {"name": "x", "function": largest, "use": [("event", "x")], "default": -3.0}
    found = skim_events(config(inputs, tmp_path, observables=[own])).table.x[:, 0]
    kept = np.linspace(-1, 2, N).astype(np.float32)
    kept = kept[kept > 0]
    np.testing.assert_allclose(found, np.where(kept > 1, kept, -3.0))
    without = skim_events(config(inputs, tmp_path, observables=[{**own, "default": None}]))
    np.testing.assert_allclose(without.table.x[:, 0], kept[kept > 1])
    assert len(without.table.weights) == (kept > 1).sum()


def test_nuisance_parameters_have_columns(inputs, tmp_path):
    weights = {name: ("event", name.replace("sm", "one")) for name in ("sm", "up", "down")}
    process = {"source": "skim", "skim": {"weights": {**weights, "jes": ("event", "up")}}}
    nuisances = [{"name": "jes", "up": "jes"}]
    found = skim_events(config(inputs, tmp_path, process=process, nuisances=nuisances)).table
    assert [one.name for one in found.nuisances] == ["jes"]
    np.testing.assert_allclose(found.nuisance_weights["jes"], found.weights[:, 1], rtol=1e-12)


def test_a_normalisation_makes_the_event_file_anew(inputs, tmp_path):
    def outcome(size):
        nuisances = [{"name": "lumi", "kind": "normalisation", "size": size}]
        whole = config(inputs, tmp_path, nuisances=nuisances)
        done = run_study(Study.of(whole), "physics", supply=lambda: skim_events(whole))
        return [one.outcome for one in done.stages if one.name == "events"]

    assert outcome(0.1) == ["ran"]
    assert outcome(0.1) == ["reused"]
    assert outcome(0.2) == ["ran"]


def test_they_become_the_event_file_and_stay_while_nothing_changes(inputs, tmp_path):
    whole = config(inputs, tmp_path)
    study = Study.of(whole)

    def run():
        return run_study(study, "physics", supply=lambda: skim_events(whole))

    assert [one.outcome for one in run().stages if one.name == "events"] == ["ran"]
    assert [one.outcome for one in run().stages if one.name == "events"] == ["reused"]
    with pytest.raises(InputError, match="configuration with datasets"):
        run_study(study, "physics")


def test_what_cannot_be_used_is_told(inputs, tmp_path):
    wrong = [{"name": "x", "function": two, "use": [("event", "x")]}]
    with pytest.raises(UserFunctionError, match=r"shape \(2,\)"):
        skim_events(config(inputs, tmp_path, observables=wrong))
    skim = {"datasets": ["signall"], "weights": dict.fromkeys(("sm", "up", "down"), ("event", "x"))}
    with pytest.raises(InputError, match="Did you mean 'signal'"):
        skim_events(config(inputs, tmp_path, process={"source": "skim", "skim": skim}))
    few = {"source": "skim", "skim": {"weights": {"sm": ("event", "one")}}}
    with pytest.raises(ConfigurationError, match="no column for the benchmark 'up'"):
        skim_events(config(inputs, tmp_path, process=few))
    with pytest.raises(ConfigurationError, match="needs the sections datasets"):
        Study.of({"inference": config(inputs, tmp_path)["inference"]})

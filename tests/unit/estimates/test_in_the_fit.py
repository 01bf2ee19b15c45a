"""An estimate in the model of the fit: its nuisance parameter, sources and templates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.estimates import estimates_of_config, transfer_factor, with_estimates
from hepflow.histograms import write_root
from hepflow.plotting import PlottingSpec
from hepflow.schema import Config
from hepflow.sources import sources_of_config
from hepflow.statistics import StatisticsSpec, build_workspace
from hepflow.statistics.cabinetry_config import (
    generate,
    read_cabinetry_config,
    write_cabinetry_config,
)
from hepflow.statistics.own_workspace import build_from_own
from tests.unit.estimates.histograms import DATA, JES_UP, MC, SPEC, block, histograms
from tests.unit.statistics.test_workspace import assert_same


def itself(values):
    return values


def region(name, kind):
    x = {"name": "x", "binning": [0, 1, 2], "function": itself, "use": [("event", "x")]}
    return {"name": name, "kind": kind, "observables": [x], "fit_observable": "x"}


def configuration(**sections):
    """The configuration of the tiny histograms."""
    jes = {"name": "jes", "type": "event", "use": [("event", "x")], "up_function": itself}
    simulated = [
        {"name": name, "files": ["a.root"], "cross_section": 1.0} for name in ("signal", "w")
    ]
    return Config(
        **{
            "general": {"lumi": 1.0},
            "datasets": {
                "datasets": [*simulated, {"name": "data", "files": ["d.root"], "is_data": True}]
            },
            "preprocess": {"branches": {"event": ["x"]}},
            "channels": [
                region("SR", "signal"),
                *(region(name, "validation") for name in ("SHAPE", "TOP", "BOTTOM")),
            ],
            "estimates": [
                {
                    "process": "fakes",
                    "channel": "SR",
                    "from_channel": "SHAPE",
                    "transfer": {"numerator": "TOP", "denominator": "BOTTOM"},
                }
            ],
            "systematics": [
                jes,
                {"name": "lumi", "type": "normalisation", "size": 0.02},
                {"name": "closure", "type": "normalisation", "size": 0.3, "processes": ["fakes"]},
                {"name": "signal_xs", "type": "normalisation", "size": 0.1,
                 "processes": ["signal"]},
            ],
            "statistics": {"norm_factors": [{"name": "mu", "processes": ["signal"]}]},
            **sections,
        }
    )  # fmt: skip


LUMI = {
    f"lumi_{side}": {name: [factor * one for one in counts] for name, counts in MC.items()}
    for side, factor in (("up", 1.02), ("down", 0.98))
}


@pytest.fixture
def found():
    return with_estimates(histograms(jes_up=JES_UP, **LUMI), [SPEC])


def workspace(found, config):
    spec = StatisticsSpec.from_config(config)
    return build_workspace(found, spec, generate(found, spec, "h.root", "folder"))


def modifiers(made, sample):
    (one,) = [one for one in made["channels"][0]["samples"] if one["name"] == sample]
    return {(m["name"], m["type"]): m["data"] for m in one["modifiers"]}, one["data"]


def test_the_specification_is_that_of_the_configuration():
    assert estimates_of_config(configuration()) == (SPEC,)


def test_the_uncertainty_of_the_factor_is_a_nuisance_of_the_right_size(found):
    own, template = modifiers(workspace(found, configuration()), "fakes")
    assert template == pytest.approx([12.0, 8.0])
    spread = 1 + np.sqrt(55 + 0.16 * 115) / 100 / 0.4  # by hand, as in the test of the factor
    assert own["fakes_transfer", "normsys"] == pytest.approx({"hi": spread, "lo": 1 / spread})
    assert own["closure", "normsys"] == pytest.approx({"hi": 1.3, "lo": 0.7})
    statistical = [np.sqrt(0.16 * 45), np.sqrt(0.16 * 26)]
    assert own["staterror_SR", "staterror"] == pytest.approx(statistical)


def test_sources_of_what_is_subtracted_move_it_the_other_way(found):
    made = workspace(found, configuration())
    own, _ = modifiers(made, "fakes")
    other, _ = modifiers(made, "w")
    assert other["lumi", "normsys"] == pytest.approx({"hi": 1.02, "lo": 0.98})
    # Data - 1.02 x simulation: (50 - 10.2) / (110 - 10.2) of 30 - 0.2 and 20 - 0.08
    up = 39.8 / 99.8 * (29.8 + 19.92)
    assert own["lumi", "normsys"]["hi"] == pytest.approx(up / 20)
    assert own["jes", "normsys"]["hi"] == pytest.approx(0.35 * (28 + 19) / 20)
    assert own["jes", "normsys"]["lo"] == pytest.approx(1.0)  # one side only
    assert ("signal_xs", "normsys") not in own


def test_other_samples_have_nothing_of_it(found):
    made = workspace(found, configuration())
    for sample in ("w", "signal"):
        names = {name for name, _ in modifiers(made, sample)[0]}
        assert not {"fakes_transfer", "closure"} & names
    assert ("signal_xs", "normsys") in modifiers(made, "signal")[0]


def test_a_source_that_acts_in_a_sideband_only_reaches_the_estimate():
    jes = {"name": "jes", "type": "event", "use": [("event", "x")], "up_function": itself,
           "channels": ["SHAPE"]}  # fmt: skip
    found = with_estimates(only_in("SHAPE", histograms(jes_up=JES_UP)), [SPEC])
    made = workspace(found, configuration(systematics=[jes]))
    assert modifiers(made, "fakes")[0]["jes", "normsys"]["hi"] == pytest.approx(0.4 * 47 / 20)
    assert modifiers(made, "w")[0]["jes", "normsys"]["hi"] == pytest.approx(1.0)


def only_in(region, found):
    """The same where jes was filled in one region only."""
    blocks = dict(found.blocks)
    for name in {"SR", "SHAPE", "TOP", "BOTTOM"} - {region}:
        for process in ("w", "signal"):
            block = blocks[name, "x", process]
            kept = tuple(one for one in block.variations if not one.startswith("jes"))
            blocks[name, "x", process] = block.aligned(kept)
    return replace(found, blocks=blocks)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")
@pytest.mark.parametrize("region", ["everywhere", "SHAPE"])
def test_cabinetry_builds_the_same_from_the_root_file(region, tmp_path):
    jes = {"name": "jes", "type": "event", "use": [("event", "x")], "up_function": itself}
    lumi = {"name": "lumi", "type": "normalisation", "size": 0.02}
    made = histograms(jes_up=JES_UP, **LUMI)
    for name in ("SR", "SHAPE", "TOP", "BOTTOM"):  # rows of the signal, too
        rows = {one: [0, 1, 4, 0] for one in ("nominal", "jes_up", "lumi_up", "lumi_down")}
        made = replace(made, blocks={**made.blocks, (name, "x", "signal"): block(**rows)})
    if region != "everywhere":
        jes["channels"] = [region]
        made = only_in(region, made)
    found = with_estimates(made, [SPEC])
    spec = StatisticsSpec.from_config(configuration(systematics=[jes, lumi]))
    file = write_root(found, tmp_path / "histograms.root")
    path = write_cabinetry_config(found, spec, tmp_path / "cabinetry_config.yaml", file)
    content = read_cabinetry_config(path)
    (entry,) = [one for one in content["Systematics"] if one["Name"] == "fakes_transfer"]
    assert (entry["Samples"], entry["Regions"]) == (["fakes"], ["SR"])
    assert_same(build_workspace(found, spec, content), build_from_own(path))


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")
def test_the_fit_knows_how_uncertain_the_estimate_is(found):
    """Without other uncertainties the factor's is that of the yield."""
    from hepflow.statistics import fit, load_model

    config = configuration(
        systematics=[],
        statistics={
            "norm_factors": [{"name": "mu", "processes": ["signal"], "bounds": (-50.0, 50.0)}],
            "mc_stat": False,
        },
    )
    model, data = load_model(workspace(with_estimates(histograms(), [SPEC]), config))
    result = fit(model, data)
    assert result.converged
    assert "fakes_transfer" in result.labels


def test_an_empty_estimate_is_left_out_of_the_fit(caplog):
    found = with_estimates(histograms(DATA | {"TOP": [0, 0, 0, 0]}), [SPEC])
    made = workspace(found, configuration(systematics=[]))
    assert [one["name"] for one in made["channels"][0]["samples"]] == ["signal", "w"]
    assert "fakes has no events in any region" in caplog.text


def test_the_factor_is_a_number_for_people(found):
    factor = transfer_factor(found, SPEC)
    shown = f"{factor.value[0]:.3f} +- {factor.uncertainty[0]:.3f}"
    assert shown == "0.400 +- 0.086"


def test_a_free_factor_can_act_on_an_estimate(found):
    factors = [
        {"name": "mu", "processes": ["signal"]},
        {"name": "fakes_norm", "processes": ["fakes"]},
    ]
    made = workspace(found, configuration(statistics={"norm_factors": factors}))
    assert ("fakes_norm", "normfactor") in modifiers(made, "fakes")[0]


def test_sources_that_move_what_is_subtracted_have_templates():
    config = configuration()
    from hepflow.datasets import expand_datasets

    sources = {one.name: one for one in sources_of_config(config, expand_datasets(config))}
    assert sources["lumi"].makes_templates
    assert not sources["signal_xs"].makes_templates
    assert sources["closure"].size == 0.3
    assert sources["closure"].processes == ("fakes",)
    without = configuration(estimates=[], systematics=[{"name": "lumi", "type": "normalisation",
                                                        "size": 0.02}])  # fmt: skip
    (lumi,) = sources_of_config(without, expand_datasets(without))
    assert lumi.size == 0.02


def test_an_estimate_has_a_colour_and_the_others_keep_theirs():
    spec = PlottingSpec.from_config(configuration())
    assert spec.processes == ("signal", "w", "fakes")
    assert [one.name for one in spec.normalisations] == ["closure", "signal_xs"]

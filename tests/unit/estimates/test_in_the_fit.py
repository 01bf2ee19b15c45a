"""An estimate in the model of the fit: its nuisance parameter, sources and templates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.errors import AuditError
from hepflow.estimates import estimates_of_config, transfer_factor, with_estimates
from hepflow.histograms import write_root
from hepflow.plotting import PlottingSpec
from hepflow.schema import Config
from hepflow.sources import sources_of_config
from hepflow.statistics import StatisticsSpec, build_workspace
from hepflow.statistics.audit import audit_run, require_clean
from hepflow.statistics.cabinetry_config import (
    generate,
    read_cabinetry_config,
    write_cabinetry_config,
)
from hepflow.statistics.loading import load_likelihood
from hepflow.statistics.own_workspace import build_from_own
from tests.unit.estimates.histograms import (
    BINNED,
    DATA,
    JES_UP,
    MC,
    SPEC,
    W2,
    block,
    histograms,
)
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


JES = {"name": "jes", "type": "event", "use": [("event", "x")], "up_function": itself}


def test_an_estimate_of_zero_carries_its_uncertainty(caplog):
    """With the other samples of its bins, as a statistical uncertainty; nothing else moves it."""
    made = workspace(nothing_in_the_numerator(), configuration())
    own, template = modifiers(made, "fakes")
    assert template == [0.0, 0.0]
    factor = np.sqrt(5) / 100
    squares = [factor * np.sqrt(30**2 + 45), factor * np.sqrt(20**2 + 26)]
    assert own == {("staterror_SR", "staterror"): pytest.approx(squares)}
    assert ("jes", "normsys") in modifiers(made, "w")[0]
    assert "left out" not in caplog.text

    likelihood, _ = load_likelihood(made)
    w, signal = np.array([70.0, 40.0]), np.array([1.0, 3.0])
    total = np.sqrt(np.square(squares) + W2 * (w + signal)) / (w + signal)
    width = dict(zip(likelihood.labels, likelihood.prefit_uncertainty(), strict=True))
    assert [width[f"staterror_SR[{i}]"] for i in (0, 1)] == pytest.approx(total)


def nothing_in_the_numerator():
    data = DATA | {"TOP": [0, 0, 0, 0]}
    return with_estimates(histograms(data, jes_up=JES_UP, **LUMI), [SPEC])


def test_without_statistical_uncertainties_nothing_carries_it(caplog):
    config = configuration(
        statistics={"norm_factors": [{"name": "mu", "processes": ["signal"]}], "mc_stat": False}
    )
    made = workspace(nothing_in_the_numerator(), config)
    assert [one["name"] for one in made["channels"][0]["samples"]] == ["signal", "w"]
    assert "fakes has no events in any region" in caplog.text


def in_two_regions():
    """Estimates in two regions of the fit, of which one has an empty shape; the configuration."""
    found = histograms(DATA | {"OTHER": [0, 0, 0, 0]}, jes_up=JES_UP)
    blocks = dict(found.blocks)
    for process in ("data", "w", "signal"):
        blocks["CR", "x", process] = blocks["SR", "x", process]
        one = blocks["SHAPE", "x", process]
        blocks["OTHER", "x", process] = one.scaled(0.0)
    axes = {**found.axes, **{(name, "x"): found.axes["SR", "x"] for name in ("CR", "OTHER")}}
    found = replace(found, axes=axes, blocks=blocks)
    transfer = {"numerator": "TOP", "denominator": "BOTTOM"}
    estimates = [
        {"process": "fakes", "channel": "SR", "from_channel": "OTHER", "transfer": transfer},
        {"process": "fakes", "channel": "CR", "from_channel": "SHAPE", "transfer": transfer},
    ]
    kinds = {"SR": "signal", "CR": "control"}
    names = ("SR", "CR", "SHAPE", "OTHER", "TOP", "BOTTOM")
    channels = [region(name, kinds.get(name, "validation")) for name in names]
    config = configuration(
        channels=channels, estimates=estimates, systematics=[{**JES, "processes": ["w"]}]
    )
    return with_estimates(found, estimates_of_config(config)), config


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")
def test_a_source_acts_where_there_are_events(tmp_path):
    """Cabinetry builds the same: it divides by the yield wherever a source acts."""
    found, config = in_two_regions()
    spec = StatisticsSpec.from_config(config)
    file = write_root(found, tmp_path / "histograms.root")
    path = write_cabinetry_config(found, spec, tmp_path / "cabinetry_config.yaml", file)
    content = read_cabinetry_config(path)
    made = build_workspace(found, spec, content)
    assert_same(made, build_from_own(path))
    kinds = {
        (channel["name"], one["name"]): [m["name"] for m in one["modifiers"]]
        for channel in made["channels"]
        for one in channel["samples"]
    }
    assert kinds["SR", "fakes"] == ["staterror_SR"]
    assert kinds["CR", "fakes"] == ["staterror_CR", "fakes_transfer", "jes", "jes"]
    assert kinds["SR", "w"] == ["staterror_SR", "jes", "jes"]
    load_likelihood(made)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")
def test_without_a_factor_the_estimate_is_left_out(caplog):
    found = with_estimates(histograms(DATA | {"BOTTOM": [0, 0, 0, 0]}), [SPEC])
    made = workspace(found, configuration(systematics=[]))
    assert [one["name"] for one in made["channels"][0]["samples"]] == ["signal", "w"]
    assert "fakes has no events in any region" in caplog.text


# -- the audit ---------------------------------------------------------------------------


def findings(data=DATA, mc=MC, spec=SPEC, *, audit=None, **variations):
    """Findings of the estimate, as a run has them."""
    found = with_estimates(histograms(data, mc, **variations), [spec])
    factors = [{"name": "mu", "processes": ["signal"]}]
    transfer = {"numerator": "TOP", "denominator": "BOTTOM", "binned": spec is BINNED}
    estimate = {"process": "fakes", "channel": "SR", "from_channel": "SHAPE", "transfer": transfer}
    config = configuration(
        systematics=[JES] if variations else [],
        estimates=[estimate],
        statistics={"norm_factors": factors, "audit": audit or {}},
    )
    every = audit_run(found, StatisticsSpec.from_config(config), config)
    return [one for one in every if one.code.startswith("estimate-")]


def test_the_audit_has_nothing_against_a_sound_estimate():
    assert findings(jes_up=JES_UP) == []


@pytest.mark.parametrize("spec", [SPEC, BINNED], ids=["one", "binned"])
def test_without_a_factor_the_fit_stops(spec):
    (one,) = findings(DATA | {"BOTTOM": [0, 2, 2, 0]}, spec=spec)
    assert (one.code, one.severity) == ("estimate-without-factor", "error")
    assert (one.region, one.sample, one.systematic, one.bins) == ("SR", "fakes", "", ())
    assert "the denominator BOTTOM/x sums to -6 (data 4, simulation 10)" in one.message
    with pytest.raises(AuditError, match="estimate-without-factor: SR / fakes: no transfer fact"):
        require_clean([one])


def test_without_a_factor_in_a_bin_the_fit_stops():
    (one,) = findings(DATA | {"BOTTOM": [0, 60, 4, 0]}, spec=BINNED)
    assert (one.code, one.severity, one.bins) == ("estimate-without-factor", "error", (1,))


def test_without_a_factor_in_a_variation_the_fit_stops():
    (one,) = findings(jes_up=JES_UP | {"BOTTOM": [0, 70, 50, 0]})
    assert (one.code, one.severity, one.systematic) == ("estimate-without-factor", "error", "jes")
    assert "with jes_up" in one.message
    assert "nominal is taken" in one.message


@pytest.mark.parametrize(
    ("region", "counts", "severity"),
    [
        ("TOP", [0, 3, 4, 0], "warning"),  # -3 +- 3.5
        ("TOP", [0, 0, 0, 0], "error"),  # -10 +- 2.2
        ("SHAPE", [0, 7, 4, 0], "warning"),
        ("SHAPE", [0, 0, 0, 0], "error"),
    ],
)
def test_an_estimate_of_nothing_is_told(region, counts, severity):
    (one,) = findings(DATA | {region: counts})
    assert (one.code, one.severity, one.sample) == ("estimate-not-positive", severity, "fakes")
    assert f"{region}/x sums to -" in one.message
    assert ("standard deviations below 0" in one.message) == (severity == "error")
    (one,) = findings(DATA | {region: counts}, audit={"significance": 6.0})
    assert one.severity == "warning"


def test_a_variation_that_leaves_nothing_is_told():
    (one,) = findings(jes_up=JES_UP | {"TOP": [0, 30, 30, 0]})
    assert (one.code, one.severity, one.systematic) == ("estimate-not-positive", "warning", "jes")


def test_what_is_accepted_does_not_stop():
    entry = {"code": "estimate-without-factor", "region": "SR", "reason": "There are none."}
    (one,) = findings(DATA | {"BOTTOM": [0, 0, 0, 0]}, audit={"accepted": [entry]})
    assert one.severity == "accepted"


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

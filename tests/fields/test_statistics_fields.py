"""Fields of the model and the fit, and those of channels and sources that only the fit sees."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from hepflow.analysis.results import fit_histograms, save_histograms
from hepflow.schema import Config
from tests.builders import manager_of, write_nano
from tests.fields.project import fill, make_config, of_x, one_less, one_more, simulation

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
OBSERVED = (31, 21, 13, 24)  # of `x` in 4 bins; expected are 30, 20, 10, 20 and the signal
CHANNEL = {"name": "SR", "observables": [of_x(), of_x(name="y", binning="0,4,2")],
           "fit_observable": "x"}  # fmt: skip


def x_of(counts):
    """Values of `x` in the middles of the bins."""
    return {"x": np.repeat(np.arange(len(counts)) + 0.5, counts).astype(np.float32)}


def write_inputs(folder):
    """Signal, background and data; each has the branch `x`, simulation a weight."""
    mc = {"signal": (0, 0, 200, 600), "background": (300, 200, 100, 200)}
    for name, counts in {**mc, "data": OBSERVED}.items():
        weight = {"genWeight": np.ones(sum(counts), np.float32)} if name in mc else {}
        write_nano(folder / f"{name}.root", {**x_of(counts), **weight})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A configuration with a fit, and its histograms."""
    folder = tmp_path_factory.mktemp("fit")
    write_inputs(folder)
    datasets = [
        simulation(folder, name="signal", files=[str(folder / "signal.root")]),
        simulation(
            folder, name="background", files=[str(folder / "background.root")], cross_section=20.0
        ),
        {"name": "data", "is_data": True, "files": [str(folder / "data.root")]},
    ]
    general = {"run_statistics": True}
    channels = [CHANNEL, {**CHANNEL, "name": "CR", "kind": "control"}]
    source = {"name": "s", "type": "event", "up_function": one_more, "down_function": one_less,
              "use": [("event", "x")], "processes": ["background"], "channels": ["CR"]}  # fmt: skip
    config = make_config(
        folder,
        datasets,
        general=general,
        preprocess={"branches": {"event": ["x"]}},
        channels=channels,
        systematics=[source, {"name": "lumi", "type": "normalisation", "size": 0.02}],
        statistics={"norm_factors": [{"name": "mu", "processes": ["signal"]}]},
    )
    return config, fill(config)


@pytest.fixture
def fitted(base, tmp_path):
    """Fit with changes: a function of the sections that are changed; what it wrote too."""
    config, histograms = base

    def fit(**sections):
        new = copy.deepcopy(config)
        for name, fields in sections.items():
            new[name] = {**new[name], **fields} if isinstance(fields, dict) else fields
        new["general"]["output_dir"] = str(tmp_path / "out")
        valid, manager = Config(**new), manager_of(new)
        save_histograms(valid, histograms, manager, None)
        result = fit_histograms(valid, histograms, manager, None)
        workspace = manager.get_statistics_dir() / "workspace.json"
        return result, json.loads(workspace.read_text())

    return fit


def norm_factor(name="mu", *processes, **fields):
    """One norm factor."""
    return {"name": name, "processes": list(processes or ("signal",)), **fields}


def modifiers(workspace, process, channel="SR"):
    """Modifiers of one process by type and name."""
    samples = next(c for c in workspace["channels"] if c["name"] == channel)["samples"]
    found = next(sample for sample in samples if sample["name"] == process)["modifiers"]
    return {(one["type"], one["name"]): one["data"] for one in found}


def parameters(workspace):
    """Settings of the parameters by name."""
    return {one["name"]: one for one in workspace["measurements"][0]["config"]["parameters"]}


@pytest.mark.field("statistics.measurement")
def test_the_measurement_has_its_name(fitted):
    assert fitted()[1]["measurements"][0]["name"] == "hepflow"
    _, workspace = fitted(statistics={"measurement": "search"})
    assert workspace["measurements"][0]["name"] == "search"


@pytest.mark.field(
    "statistics.poi", "statistics.norm_factors[].name", "statistics.norm_factors[].processes"
)
def test_norm_factors_multiply_their_processes_and_one_is_of_interest(fitted):
    result, workspace = fitted()
    assert (result.fit.poi, result.limit.poi) == ("mu", "mu")
    assert ("normfactor", "mu") in modifiers(workspace, "signal")
    assert ("normfactor", "mu") not in modifiers(workspace, "background")
    both = [norm_factor(), norm_factor("k", "background")]
    result, workspace = fitted(statistics={"norm_factors": both, "poi": "k"})
    assert result.limit.poi == "k"
    assert ("normfactor", "k") in modifiers(workspace, "background")
    assert result.fit.value("k")[0] == pytest.approx(1.0, abs=0.2)
    all_of_it = [norm_factor("all", "signal", "background")]
    result, workspace = fitted(statistics={"norm_factors": all_of_it})
    assert ("normfactor", "all") in modifiers(workspace, "signal")
    assert ("normfactor", "all") in modifiers(workspace, "background")


@pytest.mark.field("statistics.norm_factors[].nominal", "statistics.norm_factors[].bounds")
def test_start_and_range_of_a_norm_factor(fitted):
    _, workspace = fitted()
    mu = parameters(workspace)["mu"]
    assert (mu["inits"], mu["bounds"]) == ([1.0], [[0.0, 10.0]])
    narrow = [norm_factor(nominal=0.5, bounds=(0.25, 0.75))]
    result, workspace = fitted(statistics={"norm_factors": narrow, "limit": False})
    mu = parameters(workspace)["mu"]
    assert (mu["inits"], mu["bounds"]) == ([0.5], [[0.25, 0.75]])
    assert 0.25 <= result.fit.value("mu")[0] <= 0.75


@pytest.mark.field("statistics.mc_stat", "statistics.mc_stat_threshold")
def test_statistical_uncertainties_of_the_templates(fitted):
    def spread(**fields):
        _, workspace = fitted(statistics={"limit": False, "significance": False, **fields})
        found = modifiers(workspace, "background")
        return next((data for (kind, _), data in found.items() if kind == "staterror"), None)

    assert spread() == pytest.approx([0.1 * np.sqrt(n) for n in (300, 200, 100, 200)])
    assert spread(mc_stat=False) is None
    relative = np.sqrt([1 / 300, 1 / 200])
    assert spread(mc_stat_threshold=float(relative.mean()))[0] == 0.0
    assert spread(mc_stat_threshold=float(relative.mean()))[1] > 0.0


@pytest.mark.field("statistics.confidence_level")
def test_more_confidence_is_a_higher_limit(fitted):
    low, high = (fitted(statistics={"confidence_level": one})[0].limit for one in (0.9, 0.95))
    assert (low.confidence_level, high.confidence_level) == (0.9, 0.95)
    assert low.observed < high.observed
    assert low.expected[2] < high.expected[2]


@pytest.mark.field("statistics.limit", "statistics.significance")
def test_limit_and_significance_can_be_left_out(fitted):
    result, _ = fitted()
    assert None not in (result.limit, result.significance)
    result, _ = fitted(statistics={"limit": False})
    assert (result.limit, result.significance is None) == (None, False)
    result, _ = fitted(statistics={"significance": False})
    assert (result.limit is None, result.significance) == (False, None)


@pytest.mark.field("statistics.scan_points")
def test_the_drawn_scan_has_its_points(fitted):
    assert [
        len(fitted(statistics={"scan_points": n})[0].limit.scan.poi_values) for n in (5, 8)
    ] == [5, 8]


@pytest.mark.field("statistics.optimizer")
def test_both_optimisers_find_the_same(fitted):
    minuit, scipy = (
        fitted(statistics={"optimizer": name, "limit": False})[0].fit
        for name in ("minuit", "scipy")
    )
    assert "minuit" in minuit.model["optimizer"]
    assert "scipy" in scipy.model["optimizer"]
    assert scipy.value("mu") == pytest.approx(minuit.value("mu"), rel=0.01)


@pytest.mark.field("statistics.cabinetry_config")
def test_an_own_cabinetry_file_is_the_model(fitted, tmp_path):
    fitted()
    generated = tmp_path / "out" / "statistics" / "cabinetry_config.yaml"
    own = tmp_path / "own.yaml"
    text = generated.read_text()
    assert "Measurement: hepflow" in text
    own.write_text(text.replace("Measurement: hepflow", "Measurement: mine"))
    _, workspace = fitted(statistics={"cabinetry_config": str(own)})
    assert workspace["measurements"][0]["name"] == "mine"


# -- fields of other sections that the fit sees ------------------------------------------


@pytest.mark.field("systematics[].size", "systematics[].channels", "systematics[].processes")
def test_sources_of_the_model(fitted, base):
    sources = copy.deepcopy(base[0]["systematics"])
    _, workspace = fitted()
    assert modifiers(workspace, "signal")["normsys", "lumi"] == {"hi": 1.02, "lo": 0.98}
    assert ("normsys", "s") in modifiers(workspace, "background", "CR")
    assert ("normsys", "s") not in modifiers(workspace, "background", "SR")
    sources[1] |= {"size": 0.1, "processes": ["signal"], "channels": ["SR"]}
    _, workspace = fitted(systematics=sources)
    assert modifiers(workspace, "signal")["normsys", "lumi"] == {"hi": 1.1, "lo": 0.9}
    assert ("normsys", "lumi") not in modifiers(workspace, "signal", "CR")
    assert ("normsys", "lumi") not in modifiers(workspace, "background")


@pytest.mark.field("channels[].kind", "channels[].fit_observable")
def test_regions_of_the_fit(fitted):
    _, workspace = fitted()
    observed = {one["name"]: one["data"] for one in workspace["observations"]}
    assert observed == {key: [float(n) for n in OBSERVED] for key in ("SR", "CR")}
    channels = [{**CHANNEL, "fit_observable": "y"}, {**CHANNEL, "name": "CR", "kind": "validation"}]
    _, workspace = fitted(channels=channels)
    assert [(one["name"], one["data"]) for one in workspace["observations"]] == [("SR", [52, 37])]


@pytest.mark.field("plotting.fold_overflow")
def test_overflow_enters_the_fit_where_it_is_folded(fitted, base, tmp_path):
    config = copy.deepcopy(base[0])
    narrow = {**CHANNEL, "observables": [of_x(binning="1,3,2")]}
    config["channels"] = [narrow, {**narrow, "name": "CR", "kind": "control"}]
    histograms = fill(config)

    def observed(fold):
        config["plotting"]["fold_overflow"] = fold
        config["general"]["output_dir"] = str(tmp_path / f"fold_{fold}")
        manager = manager_of(config)
        fit_histograms(Config(**config), histograms, manager, None)
        text = (manager.get_statistics_dir() / "workspace.json").read_text()
        found = json.loads(text)
        return found["observations"][0]["data"], found["channels"][0]["samples"][1]["data"]

    assert observed(False) == ([21.0, 13.0], [20.0, 10.0])
    assert observed(True) == ([52.0, 37.0], [50.0, 30.0])

"""Fields of the model and the fit, and those of channels and sources that only the fit sees."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from hepflow.analysis import AnalysisSpec
from hepflow.analysis.filling_keys import common_parts
from hepflow.analysis.results import fit_histograms, save_histograms
from hepflow.errors import ConfigurationError
from hepflow.plotting import PlottingSpec
from hepflow.records import Template
from hepflow.schema import Config
from hepflow.statistics import StatisticsSpec, build_workspace, groups_of
from hepflow.statistics.cabinetry_config import generate
from tests.builders import manager_of, write_nano
from tests.fields.project import (
    fill,
    make_config,
    of_x,
    one_less,
    one_more,
    simulation,
    two_years,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
OBSERVED = (31, 21, 13, 24)  # of `x` in 4 bins; expected are 30, 20, 10, 20 and the signal
QUICK = {"limit": False, "significance": False}
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
    config, filled = base

    def fit(histograms=filled, **sections):
        new = copy.deepcopy(config)
        for name, fields in sections.items():
            new[name] = {**new[name], **fields} if isinstance(fields, dict) else fields
        new["general"]["output_dir"] = str(tmp_path / "out")
        new["statistics"].setdefault("audit", {"ignore": True})  # the source moves far
        valid, manager = Config(**new), manager_of(new)
        save_histograms(valid, histograms, manager, None)
        result = fit_histograms(valid, histograms, manager, None)
        workspace = manager.get_statistics_dir() / "workspace.json"
        return result, json.loads(workspace.read_text())

    return fit


def rising(x):
    """Five percent more in the first bin, 35 in the last."""
    return 1.0 + 0.1 * x


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


@pytest.mark.field("statistics.norm_factors[].channels", "statistics.norm_factors[].fixed")
def test_a_norm_factor_of_some_channels_and_one_that_is_held(fitted):
    def factors(**fields):
        both = [norm_factor(), norm_factor("k", "background", nominal=1.1, **fields)]
        result, workspace = fitted(statistics={"norm_factors": both, **QUICK})
        where = [name for name in ("SR", "CR") if ("normfactor", "k") in
                 modifiers(workspace, "background", name)]  # fmt: skip
        return where, result.fit.value("k"), parameters(workspace)["k"].get("fixed", False)

    where, (value, spread), fixed = factors()
    assert (where, fixed) == (["SR", "CR"], False)
    assert value != 1.1
    assert spread > 0
    assert factors(channels=["CR"])[0] == ["CR"]
    assert factors(fixed=True) == (["SR", "CR"], (1.1, 0.0), True)


@pytest.mark.field("statistics.min_expectation", "channels[].fit_binning")
def test_the_fit_has_fewer_bins(fitted, tmp_path):
    def contents(**sections):
        sections["statistics"] = {**sections.get("statistics", {}), **QUICK}
        result, workspace = fitted(**sections)
        samples = next(c for c in workspace["channels"] if c["name"] == "SR")["samples"]
        (sample,) = (one for one in samples if one["name"] == "background")
        (observed,) = (o["data"] for o in workspace["observations"] if o["name"] == "SR")
        edges = result.postfit.channel("SR").edges
        assert result.prefit.channel("SR").edges == edges
        stored = json.loads((tmp_path / "out" / "statistics" / "prediction.json").read_text())
        assert {tuple(stored[one]["channels"][0]["edges"]) for one in ("prefit", "postfit")} == {
            edges
        }
        return sample["data"], observed, edges

    all_bins = ([30.0, 20.0, 10.0, 20.0], [31.0, 21.0, 13.0, 24.0], (0.0, 1.0, 2.0, 3.0, 4.0))
    assert contents() == all_bins
    merged = ([50.0, 30.0], [52.0, 37.0], (0.0, 2.0, 4.0))
    channels = [{**CHANNEL, "fit_binning": "0,4,2"}, {**CHANNEL, "name": "CR", "kind": "control"}]
    assert contents(channels=channels) == merged
    channels[0] = {**CHANNEL, "fit_binning": [1.0, 2.0, 4.0]}
    assert contents(channels=channels) == ([20.0, 30.0], [21.0, 37.0], (1.0, 2.0, 4.0))
    # the last bins have 20 and 10 of background, whatever the signal is
    found = contents(statistics={"min_expectation": 25.0})
    assert found == ([50.0, 30.0], [52.0, 37.0], (0.0, 2.0, 4.0))
    found = contents(statistics={"min_expectation": 15.0})
    assert found == ([30.0, 30.0, 20.0], [31.0, 34.0, 24.0], (0.0, 1.0, 3.0, 4.0))


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
def test_all_optimisers_find_the_same(fitted):
    names = ("newton", "minuit", "scipy")
    found = [fitted(statistics={"optimizer": name, "limit": False})[0].fit for name in names]
    assert tuple(one.model["optimizer"] for one in found) == names
    for one in found[1:]:
        assert one.value("mu") == pytest.approx(found[0].value("mu"), rel=0.01)


@pytest.mark.field("statistics.backend")
def test_pyhf_finds_the_same(fitted):
    quick = {"limit": False, "mc_stat": False, "ranking": False}
    ours, theirs = (
        fitted(statistics={**quick, "backend": name})[0] for name in ("hepflow", "pyhf")
    )
    assert ours.fit.model["backend"] == "hepflow"
    assert theirs.fit.model["backend"].startswith("pyhf ")
    assert theirs.fit.model["optimizer"] == "minuit"
    assert theirs.fit.value("mu") == pytest.approx(ours.fit.value("mu"), rel=1e-3)
    assert theirs.significance.observed_z == pytest.approx(ours.significance.observed_z, rel=1e-3)


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


@pytest.mark.field("statistics.calculator", "statistics.toys", "statistics.seed")
def test_limit_and_significance_with_toys(fitted):
    def discovery(**settings):
        toys = {"calculator": "toys", "toys": 400, "limit": False, **settings}
        return fitted(statistics=toys)[0].significance

    found = discovery()
    assert (found.calculator, found.model["toys"]["number"]) == ("toys", 400)
    assert found == discovery()
    other, more = discovery(seed=2), discovery(toys=600)
    assert (other.model["toys"]["seed"], more.model["toys"]["number"]) == (2, 600)
    assert found.observed_p not in (other.observed_p, more.observed_p)
    both, _ = fitted(statistics={"calculator": "toys", "toys": 600})
    assert (both.limit.calculator, both.limit.model["toys"]["number"]) == ("toys", 600)
    near, _ = fitted()
    assert near.limit.calculator == near.significance.calculator == "asymptotic"
    error = 4 * both.limit.model["toys"]["observed_uncertainty"]
    assert both.limit.observed == pytest.approx(near.limit.observed, abs=error)


@pytest.mark.field("statistics.minos")
def test_intervals_of_the_profiled_likelihood(fitted):
    assert fitted(statistics={"limit": False})[0].fit.intervals == ()
    result, _ = fitted(statistics={"limit": False, "minos": ["poi", "lumi"]})
    assert [one.parameter for one in result.fit.intervals] == ["mu", "lumi"]
    best, width = result.fit.value("mu")
    assert result.fit.intervals[0].high == pytest.approx(best + width, rel=0.1)


@pytest.mark.field("statistics.ranking")
def test_the_ranking_can_be_left_out(fitted):
    result, _ = fitted(statistics={"limit": False})
    assert {"lumi", "s"} <= {one.parameter for one in result.ranking.impacts}
    assert fitted(statistics={"limit": False, "ranking": False})[0].ranking is None


@pytest.mark.field("statistics.scans")
def test_scans_in_one_and_two_parameters(fitted):
    assert fitted(statistics={"limit": False})[0].scans == ()
    result, _ = fitted(statistics={"limit": False, "scans": ["poi", ["mu", "lumi"]]})
    assert {one.parameters for one in result.scans} == {("mu",), ("mu", "lumi")}


@pytest.mark.field("statistics.minos", "statistics.scans")
def test_parameters_that_the_model_does_not_have(fitted):
    wrong = {"minos": ["lumy"], "scans": [["mu", "nonsense"]]}
    with pytest.raises(ConfigurationError, match="2 problems") as told:
        fitted(statistics={"limit": False, **wrong})
    assert "statistics.minos[0]: the model has no parameter 'lumy'. Did you mean 'lumi'" in str(
        told.value
    )
    assert "statistics.scans[0][1]: the model has no parameter 'nonsense'" in str(told.value)


@pytest.mark.field("statistics.goodness_of_fit")
def test_goodness_of_fit_with_toys(fitted):
    assert fitted(statistics={"limit": False})[0].goodness is None  # a number in the fit's result
    toys = {"goodness_of_fit": "toys", "toys": 200}
    result, _ = fitted(statistics={"limit": False, **toys})
    assert (result.goodness.calculator, len(result.goodness.toys)) == ("toys", 200)
    assert result.goodness.p_value == pytest.approx(result.fit.goodness_of_fit, abs=0.15)


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


@pytest.mark.field("systematics[].size_down")
def test_the_sides_of_a_size_may_differ(fitted, base):
    lumi = {"name": "lumi", "type": "normalisation", "size": 1.0, "size_down": 0.5}
    _, workspace = fitted(systematics=[lumi], statistics=QUICK)
    assert modifiers(workspace, "signal")["normsys", "lumi"] == {"hi": 2.0, "lo": 0.5}
    config = Config(**{**base[0], "systematics": [lumi]})
    assert PlottingSpec.from_config(config).normalisations[0].sizes == (1.0, -0.5)  # of the band


def test_sizes_by_year_become_templates_and_names_of_parameters(tmp_path):
    datasets, general = two_years(tmp_path)
    sizes = {"2016": {"size": 0.1, "size_down": 0.05}, "2017": {"size": 0.2}}

    def model(correlation):
        systematics = {
            year: [{"name": "lumi", "type": "normalisation", "correlation": correlation, **one}]
            for year, one in sizes.items()
        }
        statistics = {"norm_factors": [{"name": "mu", "processes": ["mc"]}]}
        config = make_config(tmp_path, datasets["datasets"], general=general,
                             systematics=systematics, statistics=statistics)  # fmt: skip
        spec, found = StatisticsSpec.from_config(config), fill(config)
        workspace = build_workspace(found, spec, generate(found, spec, "h", "f"), asimov=True)
        data = modifiers(workspace, "mc")
        return {name: one for (kind, name), one in data.items() if kind == "normsys"}, found

    # 8 events in 2016, 16 in 2017
    sides, found = model("correlated")
    assert sides.keys() == {"lumi"}
    assert sides["lumi"]["hi"] == pytest.approx((8 * 1.1 + 16 * 1.2) / 24)
    assert sides["lumi"]["lo"] == pytest.approx((8 * 0.95 + 16 * 0.8) / 24)
    sides, found = model("uncorrelated")
    assert sides.keys() == {"lumi_2016", "lumi_2017"}
    assert sides["lumi_2016"]["hi"] == pytest.approx((8 * 1.1 + 16) / 24)
    assert sides["lumi_2016"]["lo"] == pytest.approx((8 * 0.95 + 16) / 24)
    assert sides["lumi_2017"]["lo"] == pytest.approx((8 + 16 * 0.8) / 24)
    assert found.variations("SR", "x")[1:] == tuple(
        f"lumi_{year}_{side}" for year in ("2016", "2017") for side in ("up", "down")
    )


@pytest.mark.field("systematics[].smooth")
def test_a_source_is_smoothed_in_the_fit(fitted, base):
    sources, histograms = copy.deepcopy(base[0]["systematics"]), base[1]
    key = ("CR", "x", "background")
    rough = histograms.blocks[key].template().sumw * np.array([1, 1.1, 0.9, 1.3, 0.8, 1])
    block = histograms.blocks[key].with_row("s_up", Template(rough, rough))
    found = replace(histograms, blocks={**histograms.blocks, key: block})

    def ratio(**fields):
        sources[0] |= fields
        _, workspace = fitted(histograms=found, systematics=sources, statistics=QUICK)
        data = modifiers(workspace, "background", "CR")
        norm, shape = data["normsys", "s"]["hi"], np.array(data["histosys", "s"]["hi_data"])
        assert norm == pytest.approx(rough[1:-1].sum() / 80.0)  # the yield is kept
        return norm * shape / [30.0, 20.0, 10.0, 20.0]

    np.testing.assert_allclose(ratio(), [1.1, 0.9, 1.3, 0.8])
    smooth = ratio(smooth=True)
    assert np.all(np.diff(smooth) < 0)  # no bin stands out


FUNCTIONS = {"use_correctionlib": False, "nominal_function": one_more, "use": [("event", "x")]}


def marked(config, **fields):
    """Groups of all parameters, and the sources that are smoothed, with one correction more."""
    sources = fields.pop("uncertainty_sources", [{}])
    sources = [{"name": f"c{i}", "up_function": one_more, **one} for i, one in enumerate(sources)]
    plain = {} if "file" in fields else FUNCTIONS
    correction = {"name": "c", "type": "event", **plain, "uncertainty_sources": sources, **fields}
    spec = StatisticsSpec.from_config({**config, "corrections": [correction]})
    labels = ["lumi", "mu", *(one.name for one in spec.shapes)]
    return groups_of(spec, labels), [one.name for one in spec.shapes if one.smooth]


@pytest.mark.field("systematics[].group", "corrections[].group")
@pytest.mark.field("corrections[].uncertainty_sources[].group")
def test_nuisance_parameters_have_groups(base):
    config = copy.deepcopy(base[0])
    weights, sizes = "weight corrections", "normalisations"
    assert marked(config)[0] == {sizes: ("lumi",), weights: ("c0", "s")}
    config["preprocess"]["branches"]["Jet"] = ["pt"]
    objects = marked(config, type="object", target=("Jet", "pt"))[0]
    assert objects == {sizes: ("lumi",), "object corrections": ("c0",), weights: ("s",)}
    config["systematics"][1]["group"] = "luminosity"
    config["systematics"][0]["group"] = "theory of s"
    both = [{}, {"group": "mine"}]
    assert marked(config, group="ours", uncertainty_sources=both)[0] == {
        "luminosity": ("lumi",), "ours": ("c0",), "mine": ("c1",), "theory of s": ("s",)
    }  # fmt: skip


def test_what_only_the_fit_sees_fills_nothing_again(base):
    source = {"name": "c0", "up_function": one_more}
    correction = {"name": "c", "type": "event", **FUNCTIONS, "uncertainty_sources": [source]}

    def parts(mark, of_source):
        one = {**correction, **mark, "uncertainty_sources": [{**source, **of_source}]}
        systematics = [{**base[0]["systematics"][0], **of_source}]
        config = {**base[0], "corrections": [one], "systematics": systematics}
        return common_parts(AnalysisSpec.before_files(Config(**config)))

    plain = parts({}, {})
    assert parts({"group": "g"}, {"group": "h", "smooth": True}) == plain
    assert parts({"reduce": "sum"}, {}) != plain


@pytest.mark.field("corrections[].smooth", "corrections[].uncertainty_sources[].smooth")
def test_sources_of_corrections_are_smoothed(base):
    assert marked(base[0])[1] == []
    assert marked(base[0], uncertainty_sources=[{}, {"smooth": True}])[1] == ["c1"]
    file = {"file": "c.json", "key": "c", "use": [("event", "x")], "nominal_idx": "n",
            "up_and_down_idx": ("u", "d"), "uncertainty_sources": []}  # fmt: skip
    assert marked(base[0], **file)[1] == []
    assert marked(base[0], **file, smooth=True)[1] == ["c"]


def test_a_source_with_one_side_is_symmetric_in_the_model(base, fitted, tmp_path):
    config = copy.deepcopy(base[0])
    source = {**config["systematics"][0], "up_function": rising, "down_function": None}
    config["systematics"] = [source]

    def shape(**fields):
        config["systematics"] = [{**source, **fields}]
        sources = config["systematics"]
        _, workspace = fitted(histograms=fill(config), systematics=sources, statistics=QUICK)
        found = modifiers(workspace, "background", "CR")
        norm, shapes = found["normsys", "s"], found["histosys", "s"]
        return [norm[side] * np.array(shapes[f"{side}_data"]) for side in ("hi", "lo")]

    nominal = np.array([30.0, 20.0, 10.0, 20.0])
    up, down = shape()
    np.testing.assert_allclose(up, nominal * [1.05, 1.15, 1.25, 1.35], rtol=1e-6)
    np.testing.assert_allclose(down, nominal)
    up, down = shape(symmetrise=True)
    np.testing.assert_allclose(down, nominal * [0.95, 0.85, 0.75, 0.65], rtol=1e-6)


@pytest.mark.field("channels[].kind", "channels[].fit_observable")
def test_regions_of_the_fit(fitted):
    _, workspace = fitted()
    observed = {one["name"]: one["data"] for one in workspace["observations"]}
    assert observed == {key: [float(n) for n in OBSERVED] for key in ("SR", "CR")}
    channels = [{**CHANNEL, "fit_observable": "y"}, {**CHANNEL, "name": "CR", "kind": "validation"}]
    result, workspace = fitted(channels=channels, statistics=QUICK)
    assert [(one["name"], one["data"]) for one in workspace["observations"]] == [("SR", [52, 37])]
    assert [one.kind for one in result.validation] == ["prefit", "postfit"]
    for one in result.validation:
        (region,) = one.channels  # predicted, not fitted
        assert region.data.tolist() == list(OBSERVED)
        assert region.samples["background"].sum() == pytest.approx(80.0, rel=0.2)
    blind = fitted(channels=channels, statistics=QUICK, general={"blind": True})[0]
    assert blind.expected_only
    assert blind.postfit.channels[0].data is None
    assert blind.validation[0].channels[0].data.tolist() == list(OBSERVED)  # is not blind
    hidden = fitted(channels=channels, statistics=QUICK, general={"blind": ["CR"]})[0]
    assert not hidden.expected_only
    assert hidden.validation[1].channels[0].data is None


@pytest.mark.field("plotting.fold_overflow")
def test_overflow_enters_the_fit_where_it_is_folded(fitted, base, tmp_path):
    config = copy.deepcopy(base[0])
    narrow = {**CHANNEL, "observables": [of_x(binning="1,3,2")]}
    config["channels"] = [narrow, {**narrow, "name": "CR", "kind": "control"}]
    config["statistics"]["audit"] = {"ignore": True}  # the source moves far
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

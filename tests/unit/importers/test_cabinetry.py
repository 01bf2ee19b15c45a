"""cabinetry files: the model from imported histograms is the one that cabinetry builds."""

from __future__ import annotations

import copy
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml

from hepflow.errors import InputError, WorkspaceError
from hepflow.histograms import read_histograms, write_histograms
from hepflow.importers import CabinetryImport, from_cabinetry
from hepflow.records import Axis, Block
from hepflow.schema.statistics import Statistics
from hepflow.schema.systematics import Systematic
from hepflow.statistics import (
    Likelihood,
    StatisticsSpec,
    build_from_own,
    build_workspace,
    fit,
    load_model,
    upper_limit,
)
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.spec import FitChannel, NormalisationSpec, NormFactorSpec, ShapeSpec
from tests.builders import shared

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # pyhf


def spec_of(found: CabinetryImport) -> StatisticsSpec:
    statistics = found.sections["statistics"]
    processes = dict.fromkeys(key[2] for key in found.histograms.blocks)
    data = found.histograms.data_processes
    return StatisticsSpec(
        measurement=statistics["measurement"],
        poi=statistics["poi"],
        channels=tuple(
            FitChannel(
                name=one["name"],
                label=one["label"],
                kind=one["kind"],
                observable=one["fit_observable"],
                axis_label=one["observables"][0]["label"],
                edges=tuple(one["observables"][0]["binning"]),
            )
            for one in found.sections["channels"]
        ),
        processes=tuple(one for one in processes if one not in data),
        data_processes=tuple(data),
        norm_factors=tuple(
            NormFactorSpec(one["name"], tuple(one["processes"]), one["nominal"], one["bounds"])
            for one in statistics["norm_factors"]
        ),
        normalisations=tuple(
            NormalisationSpec(one["name"], one["size"], tuple(one["processes"]))
            for one in found.sections["systematics"]
        ),
        shapes=tuple(ShapeSpec(name, processes) for name, processes in found.shapes.items()),
        mc_stat=statistics["mc_stat"],
    )


def workspace_of(histograms, spec):
    return build_workspace(histograms, spec, generate(histograms, spec, "h.root", "folder"))


def by_name(workspace):
    """All numbers of a workspace by their names."""
    return {
        (channel["name"], sample["name"], one.get("name", "data"), one.get("type", "")): one["data"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for one in (sample, *sample["modifiers"])
    }


def flat(data):
    """Numbers of one entry of a workspace, of which norm factors have none."""
    values = list(data.values()) if isinstance(data, dict) else [data or 0.0]
    return np.concatenate([np.ravel(one) for one in values])


# -- the files of a real analysis ------------------------------------------------------------


@pytest.fixture
def zprime(monkeypatch):
    path = shared("zprime_opendata_run/cabinetry_config.yaml")
    monkeypatch.chdir(path.parent)
    config = yaml.safe_load(path.read_text())
    config["General"]["InputPath"] = "histograms.root:{RegionPath}__{SamplePath}{VariationPath}"
    return config


def merged(histograms):
    """Pairs of bins as one."""
    pairs = [0, *np.repeat(np.arange(1, 11), 2), 11]

    def sums(content):
        out = np.zeros((len(content), 12))
        np.add.at(out, (slice(None), pairs), content)
        return out

    return replace(
        histograms,
        axes={k: Axis(a.name, a.label, a.edges[::2]) for k, a in histograms.axes.items()},
        blocks={
            k: Block(b.variations, sums(b.sumw), sums(b.sumw2))
            for k, b in histograms.blocks.items()
        },
    )


def test_the_real_histograms(zprime):
    found = from_cabinetry(zprime, luminosity=16_400.0)
    sums = {key[2]: block.template().values.sum() for key, block in found.histograms.blocks.items()}
    background = {"ttbar_semilep": 1957.603, "ttbar_had": 15.196, "ttbar_lep": 188.139}
    others = {"data": 1836, "signal": 513.014, "wjets": 62.318}
    assert sums == pytest.approx(background | others, abs=5e-4)
    where = ("CMS_WORKSHOP", "observable", "data")
    assert found.histograms.template(*where).sumw[-1] == 19  # the overflow is there
    assert found.carried == ()
    assert found.left_out == ()


def test_the_model_of_the_real_histograms_is_that_of_cabinetry(zprime):
    found = from_cabinetry(zprime, luminosity=16_400.0)
    ours, theirs = workspace_of(found.histograms, spec_of(found)), build_from_own(zprime)
    assert by_name(ours) == by_name(theirs)
    assert ours["observations"] == theirs["observations"]
    assert ours["measurements"] == theirs["measurements"]


def test_the_fit_of_the_real_histograms_with_systematics(zprime):
    found = from_cabinetry(zprime, luminosity=16_400.0)
    histograms = merged(found.histograms)  # the published workspace has half as many bins
    channel = replace(
        spec_of(found).channels[0], edges=histograms.axes[next(iter(histograms.axes))].edges
    )
    spec = replace(spec_of(found), channels=(channel,))
    workspace = workspace_of(histograms, spec)
    published = json.loads(Path("workspace.json").read_text())
    numbers, expected = by_name(workspace), by_name(published)
    assert numbers.keys() == expected.keys()
    for key, one in numbers.items():
        np.testing.assert_allclose(flat(one), flat(expected[key]), rtol=1e-12, err_msg=str(key))
    results = []
    for one in (workspace, published):
        model, data = load_model(one)
        results.append(fit(Likelihood(model), data))
    ours, theirs = results
    assert ours.value("zprime_norm") == pytest.approx((0.0947, 0.0577), abs=2e-4)
    assert ours.value("ttbar_norm")[0] == pytest.approx(0.7772, abs=2e-4)
    for name in theirs.labels:
        assert ours.value(name) == pytest.approx(theirs.value(name), rel=1e-6)
    # without the two broken systematics
    without = replace(spec, shapes=())
    model, data = load_model(workspace_of(histograms, without))
    result = fit(Likelihood(model), data)
    assert result.value("zprime_norm") == pytest.approx((0.0947, 0.0577), abs=1e-3)
    assert result.value("ttbar_norm") == pytest.approx((0.7772, 0.029), abs=1e-3)
    limit = upper_limit(Likelihood(model), data)
    assert limit.observed == pytest.approx(0.1937, abs=2e-4)
    assert limit.expected[2] == pytest.approx(0.1127, abs=2e-4)


# -- all settings ----------------------------------------------------------------------------

CONFIG = yaml.safe_load("""
General:
  Measurement: test
  POI: mu
  HistogramFolder: folder/
  InputPath: "input/{RegionPath}.root:{SamplePath}/h{VariationPath}"
  VariationPath: _nom
Regions:
  - {Name: Signal region, RegionPath: sr, Variable: "m [GeV]"}
  - {Name: CR, RegionPath: cr}
Samples:
  - {Name: Data, SamplePath: data, Data: true}
  - {Name: sig, SamplePath: sig, Regions: Signal region}
  - {Name: tt, SamplePath: tt}
  - {Name: other__bkg, SamplePath: other}
NormFactors:
  - {Name: mu, Samples: sig, Bounds: [0, 20]}
  - {Name: k_tt, Samples: [tt], Nominal: 1.2, Bounds: [0.1, 5]}
Systematics:
  - {Name: lumi, Type: Normalization, Up: {Normalization: 0.025}, Down: {Normalization: -0.025}}
  - Name: xsec
    Type: Normalization
    Up: {Normalization: 0.2}
    Down: {Normalization: -0.1}
    Samples: other__bkg
  - Name: cr_only
    Type: Normalization
    Up: {Normalization: 0.05}
    Down: {Normalization: -0.05}
    Regions: CR
  - Name: shape
    Type: NormPlusShape
    Up: {VariationPath: _shape_up}
    Down: {VariationPath: _shape_down}
    Samples: [tt, other__bkg]
  - Name: one sided
    Type: NormPlusShape
    Up: {VariationPath: _one_up}
    Down: {Symmetrize: true}
    Samples: tt
  - Name: shower
    Type: NormPlusShape
    Up: {SamplePath: tt_other}
    Down: {Symmetrize: true}
    Samples: tt
    Regions: [Signal region]
  - Name: jes_sr
    ModifierName: jes
    Type: NormPlusShape
    Up: {VariationPath: _shape_up}
    Down: {VariationPath: _shape_down}
    Samples: tt
    Regions: Signal region
  - Name: jes_cr
    ModifierName: jes
    Type: Normalization
    Up: {Normalization: 0.03}
    Down: {Normalization: -0.03}
    Samples: tt
    Regions: CR
""")


@pytest.fixture
def rich(tmp_path, monkeypatch):
    """The configuration above, with input histograms that have flow and, in part, Sumw2."""
    monkeypatch.chdir(tmp_path)
    Path("input").mkdir()
    rng = np.random.default_rng(3)
    edges = np.array([0.0, 10.0, 20.0, 40.0, 80.0])
    for region, size in (("sr", 1.0), ("cr", 4.0)):
        with uproot.recreate(f"input/{region}.root") as file:
            for sample, yields in (("sig", 8), ("tt", 60), ("tt_other", 66), ("other", 20)):
                nominal = size * yields * rng.uniform(0.5, 1.5, 6)
                for name, slope in (
                    ("nom", 0.0),
                    ("shape_up", 0.1),
                    ("shape_down", -0.07),
                    ("one_up", 0.2),
                ):
                    values = nominal * (1 + slope * np.linspace(-0.5, 1.5, 6))
                    file[f"{sample}/h_{name}"] = th1(edges, values, values * 0.3)
            file["data/h_nom"] = th1(edges, rng.poisson(size * 90, 6).astype(float), None)
    return copy.deepcopy(CONFIG)


def th1(edges, values, sumw2):
    return uproot.writing.identify.to_TH1x(
        fName=None,
        fTitle="",
        data=values,
        fEntries=1.0,
        fTsumw=1.0,
        fTsumw2=1.0,
        fTsumwx=0.0,
        fTsumwx2=0.0,
        fSumw2=np.array([]) if sumw2 is None else sumw2,
        fXaxis=uproot.writing.identify.to_TAxis(
            fName="xaxis", fTitle="", fNbins=4, fXmin=0.0, fXmax=80.0, fXbins=edges
        ),
    )


def cabinetry_workspace(config):
    from cabinetry import templates, workspace

    templates.collect(config)
    templates.postprocess(config)
    return workspace.build(config)


def assert_same_model(ours, theirs, names):
    """Equal expectation of both at random values of all parameters, found by name."""
    mine, mine_data = load_model(ours)
    other, other_data = load_model(theirs)
    renamed = {names.get(one, one): i for i, one in enumerate(other.config.par_names)}
    assert sorted(renamed) == sorted(mine.config.par_names)
    order = [renamed[one] for one in mine.config.par_names]
    rng = np.random.default_rng(1)
    for _ in range(5):
        theirs_at = rng.uniform(0.3, 1.6, len(order))
        found = mine.expected_data(theirs_at[order], include_auxdata=False)
        expected = other.expected_data(theirs_at, include_auxdata=False)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    bins = len(mine.config.channels) * 4
    np.testing.assert_array_equal(mine_data[:bins], other_data[:bins])
    bounds = np.array(other.config.suggested_bounds())[order]
    np.testing.assert_array_equal(mine.config.suggested_bounds(), bounds)
    np.testing.assert_array_equal(
        mine.config.suggested_init(), np.array(other.config.suggested_init())[order]
    )


NAMES = {
    "one sided": "one-sided",
    **{f"staterror_Signal-region[{i}]": f"staterror_Signal-region[{i}]" for i in range(4)},
}


@pytest.mark.parametrize("source", ["inputs", "folder"])
def test_the_model_of_all_settings_is_that_of_cabinetry(rich, source):
    theirs = cabinetry_workspace(rich)
    for region in theirs["channels"] + theirs["observations"]:
        region["name"] = region["name"].replace(" ", "-")  # pyhf orders channels by name
    found = from_cabinetry(rich, luminosity=1.0, source=source)
    assert_same_model(workspace_of(found.histograms, spec_of(found)), theirs, NAMES)


def test_the_sections(rich):
    found = from_cabinetry(rich, luminosity={"2018": 59.7}, observables={"CR": "mass"})
    assert found.sections == {
        "channels": [
            {
                "name": "Signal-region",
                "label": "Signal region",
                "kind": "signal",
                "observables": [
                    {"name": "observable", "binning": [0, 10, 20, 40, 80], "label": "m [GeV]"}
                ],
                "fit_observable": "observable",
            },
            {
                "name": "CR",
                "label": "CR",
                "kind": "signal",
                "observables": [{"name": "mass", "binning": [0, 10, 20, 40, 80], "label": "mass"}],
                "fit_observable": "mass",
            },
        ],
        "statistics": {
            "measurement": "test",
            "poi": "mu",
            "norm_factors": [
                {"name": "mu", "processes": ["sig"], "nominal": 1.0, "bounds": (0.0, 20.0)},
                {"name": "k_tt", "processes": ["tt"], "nominal": 1.2, "bounds": (0.1, 5.0)},
            ],
            "mc_stat": True,
        },
        "systematics": [
            {
                "name": "lumi",
                "type": "normalisation",
                "size": 0.025,
                "processes": ["sig", "tt", "other_bkg"],
            }
        ],
    }
    Statistics(**found.sections["statistics"])  # our schema takes them
    Systematic(**found.sections["systematics"][0])
    assert dict(found.shapes) == {
        "xsec": ("other_bkg",),
        "cr_only": ("tt", "other_bkg"),
        "shape": ("tt", "other_bkg"),
        "one-sided": ("tt",),
        "shower": ("tt",),
        "jes": ("tt",),
    }
    assert found.histograms.luminosity == {"2018": 59.7}
    assert found.histograms.data_processes == {"Data"}
    assert ("CR", "mass", "sig") not in found.histograms.blocks
    assert found.left_out == ()
    assert [one.path for one in found.carried] == [
        "Systematics[xsec]",
        "Systematics[cr_only]",
        "Systematics[one sided].Down.Symmetrize",
        "Systematics[shower].Down.Symmetrize",
        "Systematics[jes_sr]",
        "Systematics[jes_cr]",
        "Systematics[jes_cr]",
        "Regions[Signal region]",
        "Samples[other__bkg]",
        "Systematics[one sided]",
    ]


def test_templates_by_hand(rich):
    found = from_cabinetry(rich, luminosity=1.0).histograms
    with uproot.open("input/cr.root") as file:
        other, sumw2 = (
            file["other/h_nom"].values(flow=True),
            file["other/h_nom"].variances(flow=True),
        )
        data = file["data/h_nom"].values(flow=True)
    where = ("CR", "observable", "other_bkg")
    np.testing.assert_array_equal(found.template(*where).sumw, other)
    np.testing.assert_array_equal(found.template(*where).sumw2, sumw2)
    np.testing.assert_allclose(found.template(*where, "xsec_up").sumw, 1.2 * other)
    np.testing.assert_allclose(found.template(*where, "xsec_down").sumw2, 0.81 * sumw2)
    np.testing.assert_array_equal(found.template("CR", "observable", "Data").sumw2, data)


def test_the_folder_has_no_flow_and_what_was_smoothed(rich):
    rich["Systematics"][3]["Smoothing"] = {"Algorithm": "353QH, twice"}
    theirs = cabinetry_workspace(rich)
    for region in theirs["channels"] + theirs["observations"]:
        region["name"] = region["name"].replace(" ", "-")
    found = from_cabinetry(rich, luminosity=1.0, source="folder")
    assert_same_model(workspace_of(found.histograms, spec_of(found)), theirs, NAMES)
    assert found.left_out == ()
    assert found.histograms.template("CR", "observable", "tt").sumw[[0, -1]].tolist() == [0, 0]


def test_what_is_not_taken_over_is_listed_and_logged(rich, caplog):
    rich["General"]["Fixed"] = [{"Name": "k_tt", "Value": 1.0}]
    rich["Regions"][0]["Filter"] = "m > 0"
    rich["Samples"][1]["DisableStaterror"] = True
    rich["NormFactors"] += [
        {"Name": "k_cr", "Samples": "tt", "Regions": "CR"},
        {"Name": "none", "Samples": "Data"},
    ]
    rich["Systematics"][3]["Smoothing"] = {"Algorithm": "353QH, twice"}
    with caplog.at_level(logging.WARNING, "hepflow"):
        found = from_cabinetry(rich, luminosity=1.0)
    assert [one.path for one in found.left_out] == [
        "Systematics[shape].Smoothing",
        "General.Fixed[k_tt]",
        "NormFactors[k_cr].Regions",
        "NormFactors[none]",
        "Samples[].DisableStaterror",
        "Signal region.Filter",
    ]
    for one in found.left_out:
        assert str(one) in caplog.text


def test_they_are_written_and_read_and_fitted_with_the_same_result(rich, tmp_path):
    found = from_cabinetry(rich, luminosity=1.0)
    spec = spec_of(found)
    root, lossless = write_histograms(found.histograms, tmp_path / "histograms")
    again = read_histograms(lossless)
    direct, from_disk = workspace_of(found.histograms, spec), workspace_of(again, spec)
    assert by_name(direct) == by_name(from_disk)
    with uproot.open(root) as file:  # what cabinetry reads
        stored = file["Signal-region__observable__tt__one-sided_down"].values(flow=True)
    where = ("Signal-region", "observable", "tt", "one-sided_down")
    np.testing.assert_array_equal(stored, found.histograms.template(*where).sumw)
    theirs, _ = load_model(cabinetry_workspace(rich))
    results = []
    for workspace in (from_disk, build_from_own(rich)):
        model, data = load_model(workspace)
        likelihood = Likelihood(model)
        result = fit(likelihood, data)
        assert result.converged
        at = result.labels.index("mu")
        limit = upper_limit(likelihood, data).observed
        results.append((result.bestfit[at], result.uncertainty[at], limit))
    np.testing.assert_allclose(results[0], results[1], rtol=2e-3)
    assert theirs.config.poi_name == "mu"


# -- errors ----------------------------------------------------------------------------------


def change_systematic(config, index, **settings):
    config["Systematics"][index] = {**config["Systematics"][index], **settings}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["Samples"][2].update(SamplePath="ttt"), r"'ttt/h_nom' in .*sr\.root"),
        (lambda c: c["Regions"][1].update(RegionPath="xr"), r"xr\.root cannot be read"),
        (lambda c: c["Regions"][1].pop("RegionPath"), "needs a RegionPath, which 'CR' does not"),
        (lambda c: c["Samples"][2].update(Tree="t"), "'tt' is built from a tree.*source='folder'"),
        (lambda c: c["General"].update(InputPath="input.root"), "expected file:histogram"),
        (lambda c: c["General"].pop("Measurement"), "'Measurement' is a required property"),
        (lambda c: c["Samples"].pop(0), "exactly one data sample"),
        (
            lambda c: change_systematic(c, 7, Regions=["CR", "Signal region"]),
            "jes_sr, jes_cr share",
        ),
        (lambda c: change_systematic(c, 4, Up={"Symmetrize": True}), "possible for Down only"),
    ],
)
def test_files_that_do_not_fit(rich, change, message):
    change(rich)
    with pytest.raises(WorkspaceError, match=message):
        from_cabinetry(rich, luminosity=1.0)


def test_names_that_become_one_are_refused(rich):
    rich["Regions"][1]["Name"] = "Signal-region"
    with pytest.raises(InputError, match="two entries would be called 'Signal-region'"):
        from_cabinetry(rich, luminosity=1.0)


@pytest.mark.parametrize("observables", [{"SR": "m"}, {"CR": "m tt"}, {"CR": "m__tt"}])
def test_observables_that_do_not_fit(rich, observables):
    with pytest.raises(InputError, match="observables: "):
        from_cabinetry(rich, luminosity=1.0, observables=observables)


def test_an_unknown_source(rich):
    with pytest.raises(InputError, match="expected 'inputs' or 'folder'"):
        from_cabinetry(rich, luminosity=1.0, source="root")


def test_a_folder_without_histograms(rich):
    with pytest.raises(WorkspaceError, match=r"Data\.npz does not exist. Run cabinetry"):
        from_cabinetry(rich, luminosity=1.0, source="folder")


def test_a_folder_with_an_object_in_it(rich):
    cabinetry_workspace(rich)

    class Hostile:
        def __reduce__(self):
            return os._exit, (1,)

    content = np.array([Hostile()], dtype=object)
    np.savez("folder/CR_tt_modified.npz", bins=content, yields=content, stdev=content)
    with pytest.raises(WorkspaceError, match=r"CR_tt_modified\.npz is not a histogram"):
        from_cabinetry(rich, luminosity=1.0, source="folder")


def test_a_path_and_a_base(rich, tmp_path, monkeypatch):
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(rich))
    monkeypatch.chdir("/")
    found = from_cabinetry(path, luminosity=1.0, base=tmp_path)
    assert found.histograms.channels == ("Signal-region", "CR")
    with pytest.raises(WorkspaceError, match="does not exist"):
        from_cabinetry(tmp_path / "none.yml", luminosity=1.0)

"""The model from histograms: equal to cabinetry's, with errors that name the place."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import uproot
import yaml

from hepflow.errors import WorkspaceError
from hepflow.records import Block, Ledger, Loss
from hepflow.statistics import (
    build_from_own,
    build_workspace,
    differs_from_filled,
    fit_templates,
    load_likelihood,
    load_model,
    read_cabinetry_config,
    template_file,
    write_cabinetry_config,
)
from hepflow.statistics.cabinetry_config import HEADER, generate, is_own
from hepflow.statistics.spec import (
    AlternativeSpec,
    NormalisationSpec,
    NormFactorSpec,
    ShapeSpec,
)
from tests.unit.statistics.models import EDGES, PROCESSES, histograms, spec

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def write_root(found, path):
    """Keys channel__observable__process[__source_up|down], as the histogram stage has them."""
    with uproot.recreate(path) as file:
        for (channel, observable, process), block in found.blocks.items():
            axis = found.axes[channel, observable]
            for variation in block.variations:
                template = block.template(variation)
                tail = "" if variation == "nominal" else f"__{variation}"
                file[f"{channel}__{observable}__{process}{tail}"] = uproot.writing.identify.to_TH1x(
                    fName=None,
                    fTitle="",
                    data=template.sumw,
                    fEntries=1.0,
                    fTsumw=template.values.sum(),
                    fTsumw2=template.variances.sum(),
                    fTsumwx=0.0,
                    fTsumwx2=0.0,
                    fSumw2=template.sumw2,
                    fXaxis=uproot.writing.identify.to_TAxis(
                        fName="xaxis", fTitle="", fNbins=axis.n_bins,
                        fXmin=axis.edges[0], fXmax=axis.edges[-1], fXbins=np.asarray(axis.edges),
                    ),
                )  # fmt: skip


def built(found, wanted, **options):
    return build_workspace(found, wanted, generate(found, wanted, "h.root", "folder"), **options)


def with_block(found, key, change):
    blocks = dict(found.blocks)
    block = blocks[key]
    sumw = block.sumw.copy()
    change(sumw)
    blocks[key] = Block(block.variations, sumw, block.sumw2)
    return replace(found, blocks=blocks)


def assert_same(left, right, where=""):
    """Equal structure, numbers to rounding."""
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same(left[key], right[key], f"{where}.{key}")
    elif isinstance(left, list):
        assert len(left) == len(right), where
        for index, pair in enumerate(zip(left, right, strict=True)):
            assert_same(*pair, f"{where}[{index}]")
    elif isinstance(left, float):
        assert left == pytest.approx(right, rel=1e-12), where
    else:
        assert left == right, where


@pytest.mark.parametrize("mc_stat", [True, False])
def test_equals_what_cabinetry_builds_from_the_root_file(tmp_path, mc_stat):
    from cabinetry import templates, workspace

    found, wanted = histograms(), spec(mc_stat=mc_stat)
    write_root(found, tmp_path / "histograms.root")
    path = tmp_path / "statistics" / "cabinetry_config.yaml"
    write_cabinetry_config(found, wanted, path, tmp_path / "histograms.root")
    config = read_cabinetry_config(path)
    templates.collect(config)
    templates.postprocess(config)
    theirs = workspace.build(config)
    ours = build_workspace(found, wanted, config)
    assert_same(ours, theirs)
    assert_same(build_from_own(path), theirs)


def test_a_process_without_events_in_a_region_is_left_out_there(tmp_path):
    found = with_block(histograms(), ("cr", "mass", "signal"), lambda sumw: sumw.fill(0.0))
    write_root(found, tmp_path / "histograms.root")
    path = write_cabinetry_config(
        found, spec(), tmp_path / "cabinetry_config.yaml", tmp_path / "histograms.root"
    )
    ours = build_workspace(found, spec(), read_cabinetry_config(path))
    samples = {one["name"]: [s["name"] for s in one["samples"]] for one in ours["channels"]}
    assert samples == {"sr": ["signal", "ttbar", "wjets"], "cr": ["ttbar", "wjets"]}
    assert_same(ours, build_from_own(path))


def test_a_process_without_any_events_takes_its_norm_factor_along(caplog):
    found = histograms()
    for channel in ("sr", "cr"):
        found = with_block(found, (channel, "mass", "ttbar"), lambda sumw: sumw.fill(0.0))
        found = with_block(found, (channel, "mass", "data"), lambda sumw: sumw.fill(0.0))
    ours = built(found, spec())
    assert [p["name"] for p in ours["measurements"][0]["config"]["parameters"]] == ["mu"]
    assert "ttbar has no events" in caplog.text
    for channel in ("sr", "cr"):
        found = with_block(found, (channel, "mass", "signal"), lambda sumw: sumw.fill(0.0))
    with pytest.raises(WorkspaceError, match="the parameter of interest 'mu' acts on no events"):
        built(found, spec())


def test_measurement_and_observations():
    found = histograms()
    ours = built(found, spec())
    config = ours["measurements"][0]["config"]
    assert config["poi"] == "mu"
    assert config["parameters"][1] == {"name": "ttbar_norm", "inits": [1.0], "bounds": [[0.0, 5.0]]}
    observed = found.template("cr", "mass", "data").values
    assert ours["observations"][1]["data"] == observed.tolist()


def test_asimov_never_reads_the_data():
    found = with_block(histograms(), ("sr", "mass", "data"), lambda sumw: sumw.fill(np.nan))
    ours = built(found, spec(), asimov=True)
    expected = found.total("sr", "mass", PROCESSES).values
    np.testing.assert_allclose(ours["observations"][0]["data"], expected)
    blind = replace(found, blocks={k: v for k, v in found.blocks.items() if k[2] != "data"})
    assert built(blind, spec(data_processes=()), asimov=True) == ours
    with pytest.raises(WorkspaceError, match="no data were processed for channel 'sr'"):
        built(blind, spec())
    doubled = replace(spec().norm_factors[0], nominal=2.0)
    ours = built(found, spec(norm_factors=(doubled,)), asimov=True)
    more = expected + found.template("sr", "mass", "signal").values
    np.testing.assert_allclose(ours["observations"][0]["data"], more)


def test_overflow_is_folded_in_data_and_simulation_alike():
    found = histograms()
    ours = built(found, spec(fold_overflow=True))
    for sample in ours["channels"][0]["samples"]:
        template = found.template("sr", "mass", sample["name"])
        assert sample["data"][0] == pytest.approx(template.sumw[:2].sum())
        assert sum(sample["data"]) == pytest.approx(template.sumw.sum())
        stat = sample["modifiers"][0]["data"]
        assert stat[-1] == pytest.approx(np.sqrt(template.sumw2[-2:].sum()))
    data = found.template("sr", "mass", "data").sumw
    assert sum(ours["observations"][0]["data"]) == data.sum()


def test_small_statistical_uncertainties_can_be_left_out():
    ours = built(histograms(), spec(mc_stat_threshold=0.05))
    stat = np.array([s["modifiers"][0]["data"] for s in ours["channels"][0]["samples"]])
    total = np.sum([s["data"] for s in ours["channels"][0]["samples"]], axis=0)
    kept = np.sqrt(np.sum(stat**2, axis=0))
    assert np.all((kept == 0) | (kept >= 0.05 * total))
    assert (kept == 0).any()
    assert (kept > 0).any()
    model, _ = load_model(ours)
    assert sum(model.config.suggested_fixed()) > 0


def test_a_side_that_was_not_filled_reads_as_nominal():
    found = histograms()
    blocks = {
        key: block.aligned(tuple(n for n in block.variations if n != "jes_down"))
        for key, block in found.blocks.items()
    }
    found = replace(found, blocks=blocks)
    config = generate(found, spec(), "h.root", "folder")
    jes = next(one for one in config["Systematics"] if one["Name"] == "jes")
    assert jes["Up"] == {"VariationPath": "__jes_up"}
    assert jes["Down"] == {"VariationPath": ""}
    sample = build_workspace(found, spec(), config)["channels"][0]["samples"][0]
    norm = next(m for m in sample["modifiers"] if m["name"] == "jes" and m["type"] == "normsys")
    assert norm["data"]["lo"] == 1.0


def test_a_configured_source_that_was_not_filled_is_an_error():
    with pytest.raises(WorkspaceError, match=r"neither pileup_up nor pileup_down.*btag_down"):
        built(histograms(), spec(shapes=(ShapeSpec("pileup", PROCESSES),)))


@pytest.mark.parametrize(
    ("lost", "left_out"),
    [
        (("alt__shower_up",), True),
        (("one__nominal",), True),  # what it replaces
        (("other__shower_up",), False),  # of a process that the source does not move
        ((), False),
    ],
)
def test_a_source_without_its_alternative_samples_is_left_out_where_they_were_dropped(
    lost, left_out, caplog
):
    alternatives = (
        AlternativeSpec("ttbar", ("alt__shower_up", "one__nominal")),
        AlternativeSpec("else", ("other__shower_up",)),
    )
    losses = [Loss(name, "a.root", 0, 9, "broken", "skim", 9) for name in lost]
    found = replace(histograms(), ledger=Ledger().with_losses(losses))
    shapes = (ShapeSpec("shower", ("ttbar",), alternatives=alternatives),)
    if left_out:
        names = [
            one["Name"] for one in generate(found, spec(shapes=shapes), "h", "f")["Systematics"]
        ]
        assert "shower" not in names
        assert "source shower is left out of the fit" in caplog.text
    else:
        with pytest.raises(WorkspaceError, match="neither shower_up nor shower_down"):
            generate(found, spec(shapes=shapes), "h", "f")


def test_sources_act_on_their_processes_only():
    ours = built(histograms(), spec())
    wjets = ours["channels"][0]["samples"][2]
    assert {m["name"] for m in wjets["modifiers"]} == {"staterror_sr", "lumi", "wjets_xs", "jes"}
    signal = ours["channels"][0]["samples"][0]
    assert {m["name"] for m in signal["modifiers"]} == {"staterror_sr", "mu", "lumi", "jes", "btag"}
    lumi = next(m for m in signal["modifiers"] if m["name"] == "lumi")
    assert lumi["data"] == {"hi": 1.025, "lo": 0.975}


def test_a_norm_factor_of_some_channels_and_a_fixed_one(tmp_path):
    mu, ttbar = spec().norm_factors
    limited = NormFactorSpec("wjets_cr", ("wjets", "ttbar"), 1.2, (0.0, 3.0), channels=("cr",))
    held = replace(ttbar, nominal=0.9, fixed=True)
    found, wanted = histograms(), spec(norm_factors=(mu, held, limited))
    write_root(found, tmp_path / "h.root")
    config = generate(found, wanted, tmp_path / "h.root", tmp_path / "folder")
    assert config["General"]["Fixed"] == [{"Name": "ttbar_norm", "Value": 0.9}]
    ours = build_workspace(found, wanted, config)
    assert_same(build_from_own(config), ours)
    factors = {
        (channel["name"], sample["name"]): {
            one["name"] for one in sample["modifiers"] if one["type"] == "normfactor"
        }
        for channel in ours["channels"]
        for sample in channel["samples"]
    }
    assert factors["sr", "ttbar"] == {"ttbar_norm"}
    assert factors["cr", "ttbar"] == {"ttbar_norm", "wjets_cr"}
    assert (factors["sr", "wjets"], factors["cr", "wjets"]) == (set(), {"wjets_cr"})
    model, _ = load_model(ours)
    fixed = dict(zip(model.config.par_names, model.config.suggested_fixed(), strict=True))
    assert (fixed["ttbar_norm"], fixed["mu"], fixed["wjets_cr"]) == (True, False, False)
    asimov = build_workspace(found, wanted, config, asimov=True)
    parts = [found.template("cr", "mass", one).values for one in PROCESSES]
    expected = parts[0] + 0.9 * 1.2 * parts[1] + 1.2 * parts[2]
    np.testing.assert_allclose(asimov["observations"][1]["data"], expected)


def test_a_norm_factor_without_events_where_it_acts(caplog):
    found = with_block(histograms(), ("cr", "mass", "signal"), lambda sumw: sumw.fill(0.0))
    mu, ttbar = spec().norm_factors
    extra = NormFactorSpec("extra", ("signal",), 1.0, (0.0, 3.0), channels=("cr",))
    built(found, spec(norm_factors=(mu, ttbar, extra)))
    assert "norm factor extra acts on no events" in caplog.text
    with pytest.raises(WorkspaceError, match="signal is empty in every region of the fit where"):
        built(found, spec(norm_factors=(replace(mu, channels=("cr",)), ttbar)))


def test_sides_of_a_size_that_differ(tmp_path):
    found = histograms()
    wanted = spec(normalisations=(NormalisationSpec("xs", 1.0, ("wjets",), None, 0.5),))
    write_root(found, tmp_path / "h.root")
    config = generate(found, wanted, tmp_path / "h.root", tmp_path / "folder")
    ours = build_workspace(found, wanted, config)
    assert_same(build_from_own(config), ours)
    wjets = ours["channels"][0]["samples"][2]["modifiers"]
    assert {"name": "xs", "type": "normsys", "data": {"hi": 2.0, "lo": 0.5}} in wjets
    likelihood, _ = load_likelihood(ours)
    index = likelihood.labels.index("xs")

    def expected(pull):
        parameters = likelihood.nominal()
        parameters[index] = pull
        return likelihood.yields.bins(parameters)[likelihood.channels["sr"]]

    rest = found.total("sr", "mass", ("signal", "ttbar")).values
    part = found.template("sr", "mass", "wjets").values
    for pull in (-2.0, -1.0, 0.0, 1.0, 2.0):  # a log-normal of factor 2
        np.testing.assert_allclose(expected(pull), rest + part * 2.0**pull)


def test_a_template_that_is_not_finite_names_its_bin():
    def spoil(sumw):
        sumw[1, 4] = np.nan

    found = with_block(histograms(), ("cr", "mass", "wjets"), spoil)
    with pytest.raises(WorkspaceError, match="cr/mass/wjets/jes_up is not finite in bin 3"):
        built(found, spec())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, "'sr' expects 0 events in bin 2, where"),
        (-5.0, "'sr' expects -15 events in bin 2, where"),
    ],
)
def test_data_where_nothing_is_expected(value, message):
    def spoil(sumw):
        sumw[:, 3] = value

    found = histograms()
    for process in PROCESSES:
        found = with_block(found, ("sr", "mass", process), spoil)
    with pytest.raises(WorkspaceError, match=message):
        built(found, spec())


def test_an_empty_bin_without_data_is_no_error():
    def spoil(sumw):
        sumw[:, 3] = 0.0

    found = histograms()
    for process in (*PROCESSES, "data"):
        found = with_block(found, ("sr", "mass", process), spoil)
    model, data = load_model(built(found, spec()))
    assert np.isfinite(model.logpdf(model.config.suggested_init(), data)).all()


def test_a_variation_that_turns_a_yield_around():
    def spoil(sumw):
        sumw[1] *= -1

    found = with_block(histograms(), ("sr", "mass", "ttbar"), spoil)
    with pytest.raises(
        WorkspaceError, match="jes up changes the yield of ttbar in sr by a factor -1"
    ):
        built(found, spec())


def test_a_channel_without_simulation():
    found = histograms()
    for process in PROCESSES:
        found = with_block(found, ("cr", "mass", process), lambda sumw: sumw.fill(0.0))
    with pytest.raises(WorkspaceError, match="channel 'cr' has no simulated events"):
        built(found, spec())


def test_missing_histogram():
    channel = replace(spec().channels[0], observable="pt")
    with pytest.raises(WorkspaceError, match="no histogram of 'pt' in channel 'sr'"):
        built(histograms(), spec(channels=(channel,)))


def test_data_in_several_processes_are_refused():
    with pytest.raises(WorkspaceError, match="muon_data, egamma_data"):
        built(histograms(), spec(data_processes=("muon_data", "egamma_data")))


def test_generated_file_has_axis_and_header(tmp_path):
    path = tmp_path / "statistics" / "cabinetry_config.yaml"
    write_cabinetry_config(histograms(), spec(), path, "out/histograms.root")
    assert path.read_text().startswith(HEADER)
    assert not is_own(path)
    config = read_cabinetry_config(path)
    assert config["Regions"][0]["Variable"] == "m(tt) [GeV]"
    assert config["Regions"][0]["Binning"] == list(spec().channels[0].edges)
    write_cabinetry_config(histograms(), spec(poi="ttbar_norm"), path, "out/histograms.root")
    assert read_cabinetry_config(path)["General"]["POI"] == "ttbar_norm"


def test_own_file_is_never_changed(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("General: {}\n")
    assert write_cabinetry_config(histograms(), spec(), path, "h.root") == path
    assert path.read_text() == "General: {}\n"
    assert is_own(path)
    with pytest.raises(WorkspaceError, match=r"own\.yaml cannot be used: 'Regions' is a required"):
        build_from_own(path)


def test_own_file_that_is_missing(tmp_path):
    with pytest.raises(WorkspaceError, match="does not exist"):
        read_cabinetry_config(tmp_path / "none.yaml")
    with pytest.raises(WorkspaceError, match="does not exist, and none can be generated"):
        write_cabinetry_config(
            histograms(), spec(norm_factors=()), tmp_path / "none.yaml", "h.root"
        )
    typo = tmp_path / "typo.yaml"
    named = spec(cabinetry_config=str(typo))
    with pytest.raises(WorkspaceError, match=r"statistics\.cabinetry_config names .*typo\.yaml"):
        write_cabinetry_config(histograms(), named, typo, "h.root")
    assert not typo.exists()


def test_a_file_that_the_user_names_is_kept_even_with_our_header(tmp_path):
    path = tmp_path / "copy.yaml"
    path.write_text(f"{HEADER}\nGeneral: {{}}\n")
    write_cabinetry_config(histograms(), spec(cabinetry_config=str(path)), path, "h.root")
    assert path.read_text() == f"{HEADER}\nGeneral: {{}}\n"


def test_own_file_that_asks_for_a_missing_histogram(tmp_path):
    found = histograms()
    write_root(found, tmp_path / "h.root")
    config = generate(found, spec(), tmp_path / "h.root", tmp_path / "folder")
    config["Samples"][1]["SamplePath"] = "nothing"
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(WorkspaceError, match=r"asks for a histogram that is missing.*nothing"):
        build_from_own(path)


def test_own_file_with_asimov_data_and_another_parameter_of_interest(tmp_path):
    found = histograms(signal=3.0)
    write_root(found, tmp_path / "h.root")
    config = generate(found, spec(), tmp_path / "h.root", tmp_path / "folder")
    ours = build_from_own(config, asimov=True, poi="ttbar_norm")
    assert ours["measurements"][0]["config"]["poi"] == "ttbar_norm"
    expected = found.total("cr", "mass", PROCESSES).values
    np.testing.assert_allclose(ours["observations"][1]["data"], expected)
    config["Samples"][0]["SamplePath"] = "not_there"  # the data are not even looked for
    assert build_from_own(config, asimov=True, poi="ttbar_norm") == ours


COARSE = tuple(replace(one, edges=EDGES[1::3], rebinned=True) for one in spec().channels)
SMOOTH = tuple(replace(one, smooth=True) for one in spec().shapes)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mc_stat_threshold": 0.05},
        {"fold_overflow": True},
        {"fold_overflow": True, "mc_stat_threshold": 0.05},
        {"channels": COARSE},
        {"min_expectation": 50.0},
        {"min_expectation": 1e9},  # one bin
        {
            "channels": COARSE,
            "fold_overflow": True,
            "min_expectation": 80.0,
            "mc_stat_threshold": 0.02,
            "shapes": SMOOTH,
        },
    ],
)
def test_cabinetry_builds_the_same_from_the_templates_of_the_fit(tmp_path, options):
    found, wanted = histograms(), spec(**options)
    filled = tmp_path / "histograms.root"
    write_root(found, filled)
    file = template_file(wanted, tmp_path, filled)
    assert (file == filled) == (not options)
    if differs_from_filled(wanted):
        write_root(fit_templates(found, wanted), file)
    config = generate(found, wanted, file, tmp_path / "folder")
    assert_same(build_workspace(found, wanted, config), build_from_own(config))


def test_a_source_does_not_act_where_the_expectation_would_turn_negative():
    def spoil(sumw):
        sumw[:, 3] = 0.0
        if len(sumw) > 1:
            sumw[1, 3] = 0.25  # jes_up moves events into the empty bin

    found = histograms()
    for process in (*PROCESSES, "data"):
        found = with_block(found, ("sr", "mass", process), spoil)
    workspace = built(found, spec())
    sr = next(one for one in workspace["channels"] if one["name"] == "sr")
    shapes = {
        (sample["name"], one["name"]): (one["data"], sample["data"])
        for sample in sr["samples"]
        for one in sample["modifiers"]
        if one["type"] == "histosys"
    }
    assert ("ttbar", "jes") in shapes
    for varied, nominal in shapes.values():
        assert nominal[2] == varied["hi_data"][2] == varied["lo_data"][2] == 0.0
        assert varied["hi_data"][1] != nominal[1]


def test_the_schema_is_looked_at_once(monkeypatch):
    import pyhf

    asked = []
    validate = pyhf.schema.validate

    def spy(spec, name, **options):
        asked.append(name)
        validate(spec, name, **options)

    monkeypatch.setattr(pyhf.schema, "validate", spy)
    workspace = built(histograms(), spec())
    load_model(workspace)
    assert asked.count("workspace.json") == 1
    assert "model.json" not in asked
    for wrong in ({"name": "x", "type": "normfactor"}, {"name": 1, "type": "lumi", "data": None}):
        broken = copy.deepcopy(workspace)
        broken["channels"][0]["samples"][0]["modifiers"].append(wrong)
        with pytest.raises(WorkspaceError, match="pyhf cannot use the workspace"):
            load_model(broken)

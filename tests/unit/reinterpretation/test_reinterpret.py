"""A preserved analysis meets new signals, from their files to the limit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hepflow.cli import main
from hepflow.datasets import expand_datasets
from hepflow.errors import (
    ChecksumError,
    InputError,
    NormalisationError,
    UnreadableFile,
    UnsafeContent,
)
from hepflow.journal import recorded
from hepflow.reinterpretation import reinterpret
from hepflow.reinterpretation.bundle import load, verify
from hepflow.reinterpretation.reinterpreting import interpreted
from hepflow.reinterpretation.settings import LimitSettings
from hepflow.reinterpretation.signal_config import signal_config
from hepflow.reinterpretation.signal_files import write_scaled
from hepflow.reinterpretation.signal_filling import Filled, scale
from hepflow.reinterpretation.signal_models import PreservedModel
from hepflow.reinterpretation.signal_results import Look
from hepflow.reinterpretation.signal_steps import (
    Size,
    interpret_signals,
    scale_signal,
    skim_signal,
)
from hepflow.reinterpretation.signals import Signal
from hepflow.schema import Config
from tests.builders import toy_columns, write_nano
from tests.unit.reinterpretation import preserved

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
QUIET = Look(draws=False)
FAST = LimitSettings(scan_points=0)


@pytest.fixture(scope="module")
def analysis(study_bundle):
    return load(study_bundle, trusted=True)


@pytest.fixture(scope="module")
def own(study):
    """The run's own signal."""
    return Signal("own", {"": (str(study / "signal.txt"),)}, cross_section=1.0)


@pytest.fixture(scope="module")
def other_file(tmp_path_factory):
    """Another signal: other events of the same kind."""
    return write_nano(tmp_path_factory.mktemp("signals") / "other.root", toy_columns(700, 77))


@pytest.fixture(scope="module")
def other(other_file):
    return Signal("other", {"": (str(other_file),)}, cross_section=1.0, values={"m": 500.0})


@pytest.fixture(scope="module")
def model(analysis):
    with analysis.imported():
        return PreservedModel.of(analysis)


def one(analysis, signal, output, **changes):
    arguments = {"settings": FAST, "look": QUIET, "workers": 1, **changes}
    return reinterpret(analysis, signal, output, **arguments)


def test_the_own_signal_gives_the_own_limit(study, analysis, own, tmp_path):
    import pyhf

    with recorded() as first:
        found = one(analysis, own, tmp_path)
    (point,) = found.points
    stored = json.loads((study / "out/statistics/limit.json").read_text())
    assert point.limit.observed == pytest.approx(stored["observed"], rel=1e-6)
    np.testing.assert_allclose(point.limit.expected, stored["expected"], rtol=1e-6)
    workspace = json.loads((study / "out/statistics/workspace.json").read_text())
    background = json.loads((tmp_path / "model/background.json").read_text())
    patches = pyhf.PatchSet(json.loads((tmp_path / "model/signal.patchset.json").read_text()))
    patches.verify(background)
    assert dict(patches.apply(background, "own")) == workspace
    written = json.loads((tmp_path / "limit.json").read_text())
    (account,) = written["input"]  # nothing but the signal was read
    assert account["dataset"] == "signal__nominal"
    assert written["bundle"]["digest"] == analysis.bundle.digest
    with recorded() as second:
        again = one(analysis, own, tmp_path)
    assert again.points[0].limit == point.limit
    assert {stage.name: stage.outcome for stage in first}["skim"] == "ran"
    assert {stage.outcome for stage in second} == {"reused"}


def test_another_signal_is_as_in_a_run_from_the_start(study, analysis, other, other_file, tmp_path):
    folder = preserved.write(tmp_path / "study")
    for name in ("signal.txt", "background.txt", "data.txt"):
        source = study if name != "signal.txt" else None
        text = f"{other_file}\n" if source is None else _absolute(study / name)
        (folder / name).write_text(text)
    out = preserved.finish(folder)
    full = json.loads((out / "statistics/limit.json").read_text())
    found = one(analysis, other, tmp_path / "new").points[0]
    assert found.model.workspace == json.loads((out / "statistics/workspace.json").read_text())
    assert found.limit.observed == pytest.approx(full["observed"], rel=1e-6)
    assert found.limit.observed != pytest.approx(
        json.loads((study / "out/statistics/limit.json").read_text())["observed"], rel=1e-3
    )


def _absolute(listing: Path) -> str:
    files = listing.read_text().split()
    return "".join(f"{(listing.parent / one).resolve()}\n" for one in files)


def test_the_steps_give_what_the_whole_gives(study_bundle, other_file, tmp_path, capsys):
    bundle = [str(study_bundle), "--trust"]
    signal = ["--signal", str(other_file), "--workers=1", "--name=other"]
    size = ["--cross-section=400 fb", "--k-factor=1.3", "--filter-efficiency=0.5"]
    point = ["--point", "m=500", "--point", "width=5", "--format=png", "--scan-points=5"]
    out, raw, scaled = (str(tmp_path / name) for name in ("out", "raw.root", "scaled.root"))
    whole = ["reinterpret", *bundle, *signal, *size, *point, "--output", str(tmp_path / "whole")]
    assert main(whole) == 0
    steps = (
        ["--step=skimming", *signal, "--output", raw],
        ["--step=scaling", "--input", raw, *size, "--luminosity=100 /pb", "--output", scaled],
        ["--step=interpretation", "--input", scaled, *point, "--output", out],
    )
    for step in steps:
        assert main(["reinterpret", *bundle, *step]) == 0
    shown = capsys.readouterr().out
    assert "Sum of weights of signal__nominal" in shown
    assert "Factor of signal__nominal" in shown
    files = [
        *("limit.json", "points.json", "model/background.json", "model/signal.patchset.json"),
        *("plots/spectrum_SR.png", "plots/spectrum_CR.png", "plots/limit_scan.png"),
    ]
    for name in files:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    everything = [one for one in tmp_path.rglob("*") if one.is_file()]
    limit = json.loads((tmp_path / "out" / "limit.json").read_text())
    assert limit["point"]["values"] == {"m": 500.0, "width": 5.0}
    secret = preserved.SECRET.encode()
    assert not [one for one in everything if secret in one.read_bytes()]


def test_several_points_and_what_they_exclude(study_bundle, other_file, tmp_path, capsys):
    rows = [
        {"name": f"m{m}", "files": str(other_file), "values": {"m": m}, "cross-section": size}
        for m, size in ((100, "90 pb"), (200, "9 pb"), (300, "900 fb"))
    ]
    (tmp_path / "points.json").write_text(json.dumps(rows))
    words = ["reinterpret", str(study_bundle), "--trust", "--points", str(tmp_path / "points.json")]
    more = ["--output", str(tmp_path / "out"), "--workers=1", "--format=png", "--label", "m=mass"]
    assert main([*words, *more]) == 0
    summary = json.loads((tmp_path / "out/points.json").read_text())
    strengths = [one["observed"] for one in summary["points"]]
    assert strengths[0] < strengths[1] < strengths[2]
    exclusion = summary["exclusion"]
    assert exclusion["label"] == "mass"
    assert exclusion["theory"] == pytest.approx([90.0, 9.0, 0.9])
    assert exclusion["observed"] == pytest.approx(np.multiply(strengths, exclusion["theory"]))
    # log-linear between the points: excluded where the strength is below 1
    edge = 100 + 100 * np.log(strengths[0]) / np.log(strengths[0] / strengths[1])
    (excluded,) = exclusion["excluded"]
    assert excluded == pytest.approx([100.0, edge], rel=1e-9)
    assert "Excluded" in capsys.readouterr().out
    assert (tmp_path / "out/plots/exclusion.png").is_file()
    assert not (tmp_path / "out/points/m100/plots").exists()
    assert (tmp_path / "out/points/m100/limit.json").is_file()


def test_expected_only_does_not_look_at_data(analysis, model, own, tmp_path):
    blocks = {key: block for key, block in model.histograms.blocks.items() if key[2] == "signal"}
    histograms = replace(model.histograms, blocks=blocks)
    settings = replace(FAST, expected_only=True)
    spec = replace(
        model.spec,
        confidence_level=0.9,
        inference=replace(model.spec.inference, calculator="toys"),
    )
    other = replace(model, spec=spec)
    with analysis.imported():
        found = interpreted(analysis, other, [(own, histograms)], tmp_path, settings, QUIET)
    (point,) = found.points
    assert point.limit.confidence_level == 0.9
    assert "from toys" in point.remarks[-1]
    assert point.limit.observed is None
    assert point.prediction.channels[0].data is None


# -- faults, each told before events are processed -------------------------------------------


def test_nothing_runs_without_trust(study_bundle, own, tmp_path):
    with pytest.raises(UnsafeContent, match="--trust"):
        one(study_bundle, own, tmp_path / "out")
    with pytest.raises(ChecksumError, match="is another bundle"):
        one(study_bundle, own, tmp_path / "out", trusted=True, digest="0" * 64)
    digest = verify(study_bundle).digest
    nothing = replace(own, cross_section=None)
    with pytest.raises(InputError, match="no cross-section"):
        one(study_bundle, nothing, tmp_path / "out", trusted=True, digest=digest)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_cut_off(analysis, other, other_file, tmp_path):
    content = other_file.read_bytes()
    cut = tmp_path / "cut.root"
    cut.write_bytes(content[: len(content) // 3])
    broken = replace(other, files={"": (str(other_file), str(cut))})
    with recorded() as stages, pytest.raises(UnreadableFile, match=r"cut\.root"):
        one(analysis, broken, tmp_path / "out")
    assert [stage.name for stage in stages] == ["metadata"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"process": "background"}, "no signal 'background'"),
        ({"files": {"2016": ("a.root",)}}, "names none. Give them without a year"),
        ({"files": {"": ("missing.root",)}}, r"missing\.root"),
    ],
)
def test_signals_that_do_not_fit(analysis, other, tmp_path, changes, told):
    with pytest.raises(InputError, match=told):
        one(analysis, replace(other, **changes), tmp_path / "out")


def test_histograms_that_do_not_fit(analysis, model, own):
    blocks = {key: block for key, block in model.histograms.blocks.items() if key[2] == "signal"}
    histograms = replace(model.histograms, blocks=blocks)
    assert model.with_signal(own, histograms).workspace == analysis.workspace
    key = ("SR", "met")
    axes = dict(histograms.axes)
    missing = {name: axis for name, axis in axes.items() if name != key}
    with pytest.raises(InputError, match="has no histogram SR/met"):
        model.with_signal(own, replace(histograms, axes=missing))
    other = axes | {key: replace(axes[key], edges=(0.0, 100.0, 200.0))}
    with pytest.raises(InputError, match="2 bins from 0 to 200, but the preserved one has 4 bins"):
        model.with_signal(own, replace(histograms, axes=other))
    empty = {name: block.scaled(0.0) for name, block in blocks.items()}
    with pytest.raises(InputError, match="no event in the regions of the fit"):
        model.with_signal(own, replace(histograms, blocks=empty))
    negative = {name: block.scaled(-1.0) for name, block in blocks.items()}
    with pytest.raises(InputError, match="no event in the regions of the fit"):
        model.with_signal(own, replace(histograms, blocks=negative))
    block = blocks["SR", "met", "signal"]
    sumw = block.sumw.copy()
    sumw[:, 1:3] = -1e6, 2e6
    odd = blocks | {("SR", "met", "signal"): replace(block, sumw=sumw)}
    with pytest.raises(InputError, match="expects -") as caught:
        model.with_signal(own, replace(histograms, blocks=odd))
    assert any("'own'" in note for note in caught.value.__notes__)


def test_a_model_that_is_not_of_the_histograms(model, analysis):
    changed = json.loads(json.dumps(analysis.workspace))
    changed["channels"][0]["samples"][1]["data"][0] *= 1.01
    with pytest.raises(InputError, match="do not give the preserved workspace again"):
        model.require_same(changed)


def test_a_scale_needs_a_cross_section(analysis, own, model):
    from hepflow.records import RawHistograms

    nothing = Filled(replace(own, cross_section=None), RawHistograms())
    with analysis.imported(), pytest.raises(NormalisationError, match="no cross-section"):
        scale(analysis, nothing, model.histograms.luminosity)


def test_steps_that_do_not_fit(analysis, own, tmp_path):
    with pytest.raises(InputError, match="expected the name of a ROOT file"):
        skim_signal(analysis, own, tmp_path / "raw")
    with pytest.raises(InputError, match="is not that of the preserved data"):
        scale_signal(
            analysis, tmp_path / "raw.root", Size(1.0, luminosity=1e5), tmp_path / "scaled.root"
        )
    raw = tmp_path / "raw.root"
    raw.touch()
    with pytest.raises(InputError, match="is the input"):
        scale_signal(analysis, raw, Size(1.0), raw)
    with pytest.raises(InputError, match="does not exist"):
        interpret_signals(analysis, [tmp_path / "scaled.root"], tmp_path / "out")


# -- what files need, and what cannot be reinterpreted ---------------------------------------


def test_other_names_in_files_and_the_sum_of_weights_of_runs(analysis, tmp_path):
    columns = {name.replace("MET", "PFMET"): one for name, one in toy_columns(300, 5).items()}
    total = float(np.sum(columns["genWeight"], dtype=np.float64))
    file = write_nano(tmp_path / "a.root", columns, tree="T", runs=[total, total])
    names = {"tree": "T", "branch_map": {"MET": "PFMET"}}
    new = Signal("new", {"": (str(file),)}, **names)
    with pytest.raises(NormalisationError, match="sumw_source"):
        skim_signal(analysis, new, tmp_path / "raw.root", workers=1)
    sums = {}
    for source in ("events", "runs"):
        raw, scaled = tmp_path / f"{source}.root", tmp_path / f"{source}_scaled.root"
        skim_signal(analysis, replace(new, sum_of_weights=source), raw, workers=1)
        factors = scale_signal(analysis, raw, Size(2.0, luminosity=100.0), scaled)
        sums[source] = factors["signal__nominal"]["sum_of_weights"]
        assert factors["signal__nominal"]["factor"] == pytest.approx(200.0 / sums[source])
    assert sums == pytest.approx({"events": total, "runs": 2 * total})


def changed(analysis, general=None, statistics=None, **signal):
    """The analysis with another configuration of its signal."""
    tree = analysis.config.to_dict()
    if "year" in signal:  # then all have one
        for entry in tree["datasets"]["datasets"]:
            entry["year"] = "2016"
    tree["datasets"]["datasets"][0] |= signal
    tree["general"] |= general or {}
    tree["statistics"] |= statistics or {}
    return replace(analysis, config=Config(**tree))


def test_a_signal_of_several_years_needs_files_of_each(analysis, other, tmp_path):
    lumi = {"2016": 40.0, "2017": 60.0}
    with analysis.imported():
        places = {"files": None, "directory": ["a", "b"], "year": ["2016", "2017"]}
        of_years = changed(analysis, {"lumi": lumi, "processes": ["signal"]}, **places)
        by_year = replace(other, files={"2016": ("x.root",), "2017": ("y.root",)})
        config = signal_config(of_years, by_year, lumi, tmp_path)
        keys = [one.key for one in expand_datasets(of_years.config)]
        found = expand_datasets(config)
        assert [one.key for one in found] == keys
        assert [one.luminosity for one in found] == [40.0, 60.0]
        files = [one.files for one in config.datasets.datasets[:2]]
        assert files == [["x.root"], ["y.root"]]
        with pytest.raises(InputError, match="has the years 2016, 2017"):
            signal_config(of_years, other, lumi, tmp_path)


def test_analyses_that_cannot_be_reinterpreted(analysis, other, tmp_path):
    with analysis.imported():
        own = changed(analysis, statistics={"cabinetry_config": "own.yaml"})
        with pytest.raises(InputError, match="a cabinetry file of its own"):
            PreservedModel.of(own)
        tree = analysis.config.to_dict()
        alternative = {**tree["datasets"]["datasets"][0], "name": "shower", "process": "signal"}
        tree["datasets"]["datasets"].append({**alternative, "variation": "shower_up"})
        tree["systematics"] = [{"name": "shower", "type": "sample"}]
        with pytest.raises(InputError, match=r"alternative samples \(shower\)"):
            signal_config(replace(analysis, config=Config(**tree)), other, {"": 1.0}, tmp_path)
        manifest = replace(analysis.bundle.manifest, signals=("nobody",))
        ghost = replace(analysis, bundle=replace(analysis.bundle, manifest=manifest))
        with pytest.raises(InputError, match="no simulated process of its configuration"):
            signal_config(ghost, other, {"": 1.0}, tmp_path)


def test_one_point_is_not_that_of_several_signals(analysis, model, own, tmp_path):
    blocks = {key: block for key, block in model.histograms.blocks.items() if key[2] == "signal"}
    histograms = replace(model.histograms, blocks=blocks)
    paths = [tmp_path / name for name in ("a.root", "b.root")]
    for path in paths:
        named = replace(own, name=path.stem)
        write_scaled(path, named, histograms, {}, analysis.bundle.digest)
    with pytest.raises(InputError, match="a point is given for several signals"):
        interpret_signals(analysis, paths, tmp_path / "out", values={"m": 1.0})
    found = interpret_signals(analysis, paths, tmp_path / "out", look=QUIET)
    assert found.point("a").limit.observed == pytest.approx(found.point("b").limit.observed)

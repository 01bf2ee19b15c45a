"""Plain histograms: scaling, comparison with the archive, limits."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from hepflow.cli import main
from hepflow.errors import InputError, UnreadableFile
from hepflow.reinterpretation import Archive, Scale, interpret, scale_histogram
from hepflow.reinterpretation.interpretation import BackgroundUncertainty, workspace
from hepflow.reinterpretation.quantities import cross_section, luminosity
from hepflow.reinterpretation.spectra import read_spectrum, write_spectra
from tests.unit.reinterpretation import toy

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
TUTORIAL = Scale(cross_section("44.873 fb"), luminosity("140.1 /fb"), 6813.0258)


@pytest.mark.parametrize(
    ("text", "value"),
    [("44.873 fb", 0.044873), ("2pb", 2.0), ("1e-3 nb", 1.0), ("1 ab", 1e-6), (".5 mb", 5e8)],
)
def test_cross_sections_in_pb(text, value):
    assert cross_section(text) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "text", ["140.1 /fb", "140.1 1/fb", "140.1fb-1", "140.1 fb^-1", "140100 /pb", "140.1 fb**-1"]
)
def test_luminosities_per_pb(text):
    assert luminosity(text) == pytest.approx(140_100.0, rel=1e-14)


@pytest.mark.parametrize("text", ["44.873", "fb", "44 /fb", "0 fb", "-1 fb", "nan fb", "1 barn"])
def test_a_cross_section_needs_a_unit(text):
    with pytest.raises(InputError):
        cross_section(text)


@pytest.mark.parametrize("text", ["140", "140 fb", "/fb", "0 /fb", "-3 /fb", "140 /f"])
def test_a_luminosity_needs_a_unit(text):
    with pytest.raises(InputError):
        luminosity(text)


def test_the_factor_of_the_tutorial():
    assert TUTORIAL.factor == pytest.approx(0.92275, abs=5e-6)
    assert replace(TUTORIAL, k_factor=2.0, filter_efficiency=0.5).factor == TUTORIAL.factor


@pytest.mark.parametrize(
    "change",
    [
        {"sum_of_weights": 0.0},
        {"k_factor": -1.0},
        {"filter_efficiency": 1.5},
        {"k_factor": math.nan},
    ],
)
def test_factors_that_cannot_be(change):
    with pytest.raises(InputError):
        replace(TUTORIAL, **change)


def test_scaling_moves_contents_and_squared_weights(tmp_path):
    raw = read_spectrum(toy.signal(tmp_path), "h_mjj")
    path = tmp_path / "scaled.root"
    scale_histogram(tmp_path / "signal.root", "h_mjj", TUTORIAL, path, "h_scaled")
    found = read_spectrum(path, "h_scaled")
    np.testing.assert_allclose(found.sumw, TUTORIAL.factor * raw.sumw, rtol=1e-14)
    np.testing.assert_allclose(found.sumw2, TUTORIAL.factor**2 * raw.sumw2, rtol=1e-14)
    assert found.note["luminosity"] == TUTORIAL.luminosity
    assert found.title == raw.title
    with pytest.raises(InputError, match="scaled already"):
        scale_histogram(path, "h_scaled", TUTORIAL, tmp_path / "again.root")
    with pytest.raises(InputError, match="is the input"):
        scale_histogram(path, "h_scaled", TUTORIAL, path)


def archived(tmp_path):
    file = toy.archive(tmp_path)
    return Archive(read_spectrum(file, "data"), read_spectrum(file, "background"))


def scaled_signal(tmp_path):
    toy.signal(tmp_path)
    path = tmp_path / "scaled.root"
    return scale_histogram(tmp_path / "signal.root", "h_mjj", TUTORIAL, path)


def test_interpreting_never_scales(tmp_path):
    signal = scaled_signal(tmp_path)
    model = workspace(archived(tmp_path), signal, BackgroundUncertainty())
    assert model["channels"][0]["samples"][0]["data"] == signal.values.tolist()


def test_the_limit_halves_for_twice_the_signal(tmp_path):
    archive, signal = archived(tmp_path), scaled_signal(tmp_path)
    one = interpret(archive, signal, scan_points=0).limit
    two = interpret(archive, signal.scaled(2.0, "twice"), scan_points=0).limit
    assert one.observed == pytest.approx(2 * two.observed, rel=1e-4)


def test_the_limit_is_that_of_pyhf(tmp_path):
    import pyhf

    archive, signal = archived(tmp_path), scaled_signal(tmp_path)
    found = interpret(archive, signal, scan_points=0).limit
    model = pyhf.simplemodels.uncorrelated_background(
        signal.values.tolist(),
        archive.background.values.tolist(),
        np.sqrt(archive.background.variances).tolist(),
    )
    data = archive.data.values.tolist() + model.config.auxdata
    bounds = [(0.0, 50.0), *model.config.suggested_bounds()[1:]]
    cls = pyhf.infer.hypotest(found.observed, data, model, par_bounds=bounds, test_stat="qtilde")
    assert float(cls) == pytest.approx(0.05, abs=5e-4)


def test_the_background_model_moves_the_limit_and_is_stored(tmp_path):
    archive, signal = archived(tmp_path), scaled_signal(tmp_path)
    limits = {}
    for text in ("none", "statistical", "relative:0.05"):
        model = BackgroundUncertainty.read(text)
        limits[text] = interpret(archive, signal, uncertainty=model, scan_points=0).limit
        assert limits[text].model["background_uncertainty"] == str(model)
    assert limits["statistical"].expected[2] > 1.2 * limits["none"].expected[2]
    assert limits["relative:0.05"].expected[2] > 1.02 * limits["none"].expected[2]


@pytest.mark.parametrize(
    "text", ["", "relative", "relative:0", "relative:x", "relative:1.5", "none:1"]
)
def test_background_models_that_are_none(text):
    with pytest.raises(InputError, match="expected none, statistical"):
        BackgroundUncertainty.read(text)


def test_another_luminosity_is_told(tmp_path, caplog):
    archive, signal = archived(tmp_path), scaled_signal(tmp_path)
    assert interpret(archive, signal, scan_points=0).warnings == ()
    other = replace(archive, luminosity=36_000.0)
    (warning,) = interpret(other, signal, scan_points=0).warnings
    assert "140.1 /fb" in warning
    assert "36 /fb" in warning
    assert warning in caplog.text


def changed(one, index, value):
    sumw = one.sumw.copy()
    sumw[index + 1] = value
    return replace(one, sumw=sumw)


def test_what_cannot_be_compared_is_refused_first(tmp_path):
    archive, signal = archived(tmp_path), scaled_signal(tmp_path)
    cases = [
        (archive, replace(signal, edges=signal.edges + 1.0), "20 bins from 1 to 501"),
        (replace(archive, background=changed(archive.background, 3, 0.0)), signal, "in bin 3"),
        (replace(archive, background=changed(archive.background, 3, -2.0)), signal, "in bin 3"),
        (replace(archive, data=changed(archive.data, 4, -1.0)), signal, "not negative"),
        (archive, changed(signal, 4, -1.0), "a negative bin"),
        (archive, signal.scaled(0.0, "none"), "no event"),
    ]
    for there, new, message in cases:
        with pytest.raises(InputError, match=message):
            interpret(there, new)


def test_files_that_cannot_be_read(tmp_path):
    path = toy.archive(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_spectrum(tmp_path / "nothing.root", "data")
    with pytest.raises(InputError, match="Did you mean"):
        read_spectrum(path, "dta")
    cut = tmp_path / "cut.root"
    cut.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UnreadableFile, match="whole ROOT file"):
        read_spectrum(cut, "data")
    with pytest.raises(InputError, match="histogram of one axis"):
        read_spectrum(path, "hepflow")
    bad = toy.spectrum("bad", np.full(20, np.nan))
    write_spectra(tmp_path / "bad.root", [bad], {})
    with pytest.raises(InputError, match="not finite in bin 0"):
        read_spectrum(tmp_path / "bad.root", "bad")


def test_the_two_commands(tmp_path, monkeypatch, capsys):
    toy.archive(tmp_path)
    toy.signal(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = "scale --input signal.root --histogram h_mjj --output scaled.root --json scale.json"
    sizes = ["--cross-section", "44.873 fb", "--luminosity", "140.1 /fb"]
    assert main([*words.split(), *sizes, "--sum-of-weights", "6813.0258"]) == 0
    assert json.loads((tmp_path / "scale.json").read_text())["factor"] == pytest.approx(
        0.92275, abs=5e-6
    )
    words = (
        "interpret --filedata archive.root --histdata data --filebkg archive.root "
        "--histbkg background --filesig scaled.root --histsig h_mjj --outputfile out/scan.png "
        "--plotfile out/spectrum.png --workspace out/workspace.json"
    )
    assert main(words.split()) == 0
    limit = json.loads((tmp_path / "out" / "limit.json").read_text())
    assert limit["cls_at_observed"] == pytest.approx(0.05, abs=1e-4)
    assert limit["model"]["background_uncertainty"].startswith("statistical")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "limit.json", "scan.png", "spectrum.png", "workspace.json",
    }  # fmt: skip
    assert "Upper limit" in capsys.readouterr().out
    assert main(words.replace("scan.png", "scan.txt").split()) == 2

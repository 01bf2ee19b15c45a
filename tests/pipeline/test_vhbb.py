"""The example of the VHbb chain: three commands, yadage, packtivity and Snakemake agree."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hepflow.reinterpretation.spectra import read_spectrum

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "vhbb"
BIN = Path(sys.executable).parent
MADE = ("inputdata", "outputs", ".snakemake", "_packtivity", "__pycache__")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder, *targets):
    """Call make as a user does, with the programs of this environment."""
    variables = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["make", *targets],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A copy of the example with its inputs."""
    folder = tmp_path_factory.mktemp("example") / "vhbb"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(*MADE))
    make(folder)
    return folder


@pytest.fixture(scope="module")
def by_hand(example):
    """What the three commands print; the results are in ``outputs/run``."""
    return make(example, "run")


def numbers(path):
    """All that a result says in numbers."""
    content = json.loads(path.read_text())
    kept = ("observed", "expected", "cls_at_observed", "scan")
    return list(_flat([content[name] for name in kept]))


def _flat(value):
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    elif isinstance(value, int | float):
        yield value


def test_the_inputs(example):
    import uproot

    with uproot.open(example / "inputdata/signal.root") as file:
        weights = file["Events/genWeight"].array(library="np").astype(np.float64)
        known = file["Runs/genEventSumw"].array(library="np")
    assert weights.sum() == pytest.approx(6813.0258, abs=1e-3)
    assert known.sum() == weights.sum()
    archive = example / "inputdata/archive.root"
    background, data = (read_spectrum(archive, name) for name in ("background", "data"))
    assert background.note["luminosity"] == 140_100.0
    np.testing.assert_array_equal(background.edges, 25.0 * np.arange(21))
    inside = 50_000 * (1 - math.exp(-500 / 150))
    assert background.values.sum() == pytest.approx(inside, abs=5 * math.sqrt(inside))
    expected = 50_000 * (np.exp(-background.edges[:-1] / 150) - np.exp(-background.edges[1:] / 150))
    for counts in (background.values, data.values):
        assert np.sum((counts - expected) ** 2 / expected) < 80  # 20 or 40 expected
    assert not np.array_equal(background.values, data.values)


def test_the_same_seed_gives_the_same_inputs(example, tmp_path):
    words = [BIN / "python", example / "make_inputs.py", tmp_path]
    subprocess.run(words, check=True, timeout=60)
    one, other = (
        read_spectrum(folder / "archive.root", "data")
        for folder in (example / "inputdata", tmp_path)
    )
    np.testing.assert_array_equal(one.sumw, other.sumw)


def test_the_three_commands(example, by_hand):
    assert "sum of weights 6813.0258" in by_hand
    assert "0.922748" in by_hand
    raw = read_spectrum(example / "outputs/run/skimmed.root", "h_mjj")
    scaled = read_spectrum(example / "outputs/run/scaled.root", "h_mjj")
    factor = 44.873 * 140.1 / 6813.0258
    np.testing.assert_allclose(scaled.sumw, raw.sumw * factor, rtol=1e-12)
    mean = np.average((raw.edges[1:] + raw.edges[:-1]) / 2, weights=raw.values)
    assert 115 < mean < 135
    limit = json.loads((example / "outputs/run/limit.json").read_text())
    assert limit["cls_at_observed"] == pytest.approx(0.05, abs=1e-4)
    assert limit["warnings"] == []


def test_the_selection_is_what_numpy_says(example, by_hand):
    """Two b jets, and the mass of the leading two, computed without hepflow."""
    import awkward as ak
    import uproot

    names = ["pt", "eta", "phi", "mass", "btagDeepFlavB"]
    with uproot.open(example / "inputdata/signal.root") as file:
        read = file["Events"].arrays([f"Jet_{name}" for name in names] + ["genWeight"])
    jets = {name: read[f"Jet_{name}"] for name in names}
    good = (jets["pt"] > 25) & (abs(jets["eta"]) < 2.5) & (jets["btagDeepFlavB"] > 0.6)
    enough = ak.num(jets["pt"][good]) >= 2
    pt, eta, phi, mass = (
        ak.to_numpy(jets[name][good][enough][:, :2]).astype(np.float64) for name in names[:4]
    )
    momenta = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])
    energy = np.sqrt((momenta**2).sum(axis=0) + mass**2).sum(axis=1)
    mjj = np.sqrt(energy**2 - (momenta.sum(axis=2) ** 2).sum(axis=0))
    weights = ak.to_numpy(read["genWeight"][enough]).astype(np.float64)
    raw = read_spectrum(example / "outputs/run/skimmed.root", "h_mjj")
    expected, _ = np.histogram(mjj, raw.edges, weights=weights)
    # Single events may lie at the other side of an edge in another precision.
    np.testing.assert_allclose(raw.values, expected, rtol=1e-9, atol=2 * weights.max())
    assert raw.sumw.sum() == pytest.approx(weights.sum(), rel=1e-9)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("target", "package", "where"),
    [
        ("yadage", "yadage", "yadage/interpretation"),
        pytest.param("packtivity", "packtivity", "packtivity", marks=pytest.mark.nightly),
        ("snakemake", "snakemake", "snakemake"),
        ("workflow", "hepflow", "workflow/interpretation"),
    ],
)
def test_all_engines_give_the_same_limit(target, package, where, example, by_hand):
    pytest.importorskip(package, reason=f"{package} is not installed")
    make(example, target)
    found = example / "outputs" / where
    one, other = numbers(found / "limit.json"), numbers(example / "outputs/run/limit.json")
    assert len(one) > 40
    assert one == pytest.approx(other, rel=1e-6, abs=1e-12)
    for name in ("spectrum.png", "limit_scan.png"):
        assert (found / name).read_bytes().startswith(b"\x89PNG")

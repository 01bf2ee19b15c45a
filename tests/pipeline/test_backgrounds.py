"""The example of backgrounds, whose truth is known: the blocks of its page, and what they leave."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.analysis import Analysis
from hepflow.histograms import read_histograms
from hepflow.samples import backgrounds_truth as truth
from hepflow.samples.backgrounds import PRIMARY, describe_backgrounds, prepare_backgrounds
from tests.builders import itself, make_skims, manager_of, observable
from tests.pipeline.test_tutorial import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "backgrounds.md"
SIZE = 0.5
ST = np.array([100, 200, 300, 400, 500, 650, 850, 1100, 2000], dtype=np.float64)
YEARS = tuple(truth.LUMINOSITY)

pytestmark = [pytest.mark.slow, pytest.mark.campaign]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def sample(cache):
    return prepare_backgrounds(cache / "samples", SIZE)


@pytest.fixture(scope="module")
def page(cache, sample, tmp_path_factory):
    """Folder of the example after all blocks of its page, and what was shown."""
    folder = tmp_path_factory.mktemp("page")
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    more = {"PATH": binaries, "HEPFLOW_CACHE_DIR": str(cache), "COLUMNS": "200",
            "HEPFLOW_BACKGROUNDS_SIZE": str(SIZE)}  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("test_tutorial.py")), str(PAGE)],
        cwd=folder,
        env={**kept, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return folder / "my_backgrounds", done.stdout


@pytest.fixture(scope="module")
def histograms(page):
    """Of the last block, in which the signal region is blind."""
    return read_histograms(page[0] / "outputs" / "histograms" / "histograms.zip")


def recorded(sample):
    """All data once, by run and event number, independent of the framework."""
    names = ["run", "luminosityBlock", "event", "MET_pt", "Muon_pt", "Muon_pfRelIso04_all",
             "Jet_pt", "Jet_btag", "Truth_process"]  # fmt: skip
    files = [str(sample.files[name, year].path) + ":Events" for year in YEARS for name in PRIMARY]
    events = uproot.concatenate(files, names)
    numbers = np.stack([np.asarray(events[name]).astype(np.int64) for name in names[:3]])
    _, first = np.unique(numbers, axis=1, return_index=True)
    return events[np.sort(first)], len(events)


def nonprompt_in(events, *, tagged):
    """S_T of the injected nonprompt muons in a region of the fit."""
    muons = events.Muon_pt > 55
    pt = ak.fill_none(ak.firsts(events.Muon_pt[muons]), 0.0)
    isolation = ak.fill_none(ak.firsts(events.Muon_pfRelIso04_all[muons]), 9.0)
    jets = events.Jet_pt > 30
    has_tag = ak.any(jets & (events.Jet_btag > 0.5), axis=1)
    chosen = (
        (events.Truth_process == truth.DATA_ORDER.index("nonprompt"))
        & (ak.sum(muons, axis=1) == 1)
        & (isolation < truth.ISOLATED)
        & (events.MET_pt > 50)
        & (has_tag == tagged)
    )
    total = pt + ak.sum(events.Jet_pt[jets], axis=1) + events.MET_pt
    return np.asarray(total[chosen])


def test_all_blocks_of_the_page_are_run():
    assert {language for _, language, _ in blocks(PAGE)} <= {"shell", "python", ""}
    assert len([one for one in blocks(PAGE) if one[1]]) == 7


@pytest.mark.parametrize(("channel", "tagged"), [("SR", False), ("CR_top", True)])
def test_the_estimate_is_the_injected_yield(sample, histograms, channel, tagged):
    injected = nonprompt_in(recorded(sample)[0], tagged=tagged)
    found = histograms.blocks[channel, "st", "nonprompt"]
    nominal = found.template()
    sources = ("nonprompt_transfer", "lumi", "wjets_xs", "muon_id_2017", "muon_id_2018")
    shifts = [found.template(f"{name}_up").sumw - nominal.sumw for name in sources]
    total, moved = nominal.sumw.sum(), sum(one.sum() ** 2 for one in shifts)
    spread = np.sqrt(nominal.sumw2.sum() + moved + len(injected))
    assert abs(total - len(injected)) < 3 * spread
    assert spread < 0.25 * total  # else the test could not fail
    counts = np.histogram(injected, ST)[0]
    variance = nominal.variances + counts + sum(one[1:-1] ** 2 for one in shifts)
    # A bin without events in the sideband has no variance: it is one event uncertain.
    variance = np.maximum(variance, 1.0)
    assert (np.abs(nominal.values - counts) < 4 * np.sqrt(variance)).all()


def test_the_nuisance_of_the_factor_has_the_size_that_the_sidebands_give(page, histograms):
    def counted(channel):
        there = {
            name: histograms.template(channel, "st", name) for name in ("data", "ttbar", "wjets")
        }
        rest = there["data"].sumw - there["ttbar"].sumw - there["wjets"].sumw
        return rest.sum(), sum(one.sumw2.sum() for one in there.values())

    (top, above), (bottom, below) = counted("low_met"), counted("low_met_sideband")
    relative = np.sqrt(above / top**2 + below / bottom**2)
    workspace = json.loads((page[0] / "outputs" / "statistics" / "workspace.json").read_text())
    for channel in workspace["channels"]:
        (own,) = [one for one in channel["samples"] if one["name"] == "nonprompt"]
        sizes = {one["name"]: one["data"] for one in own["modifiers"] if one["type"] == "normsys"}
        expected = {"hi": 1 + relative, "lo": 1 / (1 + relative)}
        assert sizes["nonprompt_transfer"] == pytest.approx(expected)
        assert sizes["lumi"]["hi"] < 1 < sizes["lumi"]["lo"]  # more is subtracted
        assert sizes["nonprompt_closure"] == pytest.approx({"hi": 1.05, "lo": 0.95})
    assert top / bottom == pytest.approx(truth.TRANSFER, rel=4 * (relative + 0.05))


def test_the_page_shows_factor_closure_and_fit(page):
    shown = page[1]
    factor, spread = map(float, re.findall(r"factor ([\d.]+) \+- ([\d.]+)", shown)[0])
    assert abs(factor - truth.TRANSFER) < 4 * spread + 0.05 * factor
    ratios = re.findall(r"(\w+): estimated / true = ([\d.]+) \+- ([\d.]+)", shown)
    assert [name for name, _, _ in ratios] == ["SR", "CR_top"]
    for _, ratio, uncertainty in ratios:
        assert abs(float(ratio) - 1) < 3 * float(uncertainty) < 0.4
    best, error = map(float, re.findall(r"Best fit of signal_norm +(\S+) \+- (\S+)", shown)[0])
    assert abs(best) < 3 * error  # there is no signal in the data
    assert re.search(r"Upper limit on signal_norm \(95 % CL\)  observed [\d.]+", shown)


def test_an_event_of_two_primary_datasets_counts_once(sample, page, histograms):
    events, entries = recorded(sample)
    (shown,) = re.findall(r"data: (\d+) different events", page[1])
    assert int(shown) == len(events) < entries - 500
    # In a region without simulation of nonprompt muons, bin by bin.
    muons = events.Muon_pt > 55
    pt = ak.fill_none(ak.firsts(events.Muon_pt[muons]), 0.0)
    isolation = ak.fill_none(ak.firsts(events.Muon_pfRelIso04_all[muons]), 9.0)
    low, high = truth.NOT_ISOLATED
    chosen = (ak.sum(muons, axis=1) == 1) & (isolation > low) & (isolation < high)
    chosen = chosen & (events.MET_pt < 30)
    total = pt + ak.sum(events.Jet_pt[events.Jet_pt > 30], axis=1) + events.MET_pt
    counts = np.histogram(np.asarray(total[chosen]), ST)[0]
    assert histograms.template("low_met_sideband", "st", "data").values.tolist() == counts.tolist()


def test_a_blind_signal_region_has_the_same_prediction(page, histograms):
    assert histograms.processes("SR", "st") == ("signal", "ttbar", "wjets", "nonprompt")
    (shown,) = re.findall(r"nonprompt in SR: \[([^]]+)\]", page[1])  # of the run before
    seen = [float(one) for one in shown.split()]
    assert histograms.template("SR", "st", "nonprompt").values.round(1).tolist() == seen


# -- inclusive sample and slices ---------------------------------------------------------

HT = [0.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0, 1000.0]


def below(ht):
    return ht < truth.SLICES[0]


def spectrum(folder, sample, *, keep):
    """Spectrum of the generator's HT of W + jets, both years, without any selection."""
    requirement = {"keep": {"function": below, "use": [("LHE", "HT")]}} if keep else {}

    def part(name, year, **more):
        one = sample.files[name, year]
        return {"name": name, "files": [str(one.path)], "cross_section": one.cross_section, **more}

    names = ("wjets", "wjets_ht100to300", "wjets_ht300")
    config = {
        "general": {
            "lumi": dict(sample.luminosity),
            "output_dir": str(folder / "out"),
            "cache_dir": str(folder / "cache"),
            "run_statistics": False,
        },
        "datasets": {
            "datasets": [
                {
                    "name": f"w_{year}",
                    "process": "wjets",
                    "year": year,
                    "slices": [
                        part(name, year, **(requirement if name == "wjets" else {}))
                        for name in names
                    ],
                }
                for year in YEARS
            ]
        },
        "preprocess": {"branches": {"event": ["genWeight"], "LHE": ["HT"]}},
        "channels": [
            {
                "name": "all",
                "observables": [observable("ht", HT, itself, [("LHE", "HT")])],
                "fit_observable": "ht",
            }
        ],
        "plotting": {"enabled": False},
        "execution": {"backend": "inprocess"},
    }
    found = Analysis(config, make_skims(config), manager_of(config)).fill_histograms()
    return found.template("all", "ht", "wjets"), found.cutflows


def test_inclusive_sample_and_slices_together_are_the_true_spectrum(tmp_path, sample):
    found, flows = spectrum(tmp_path / "kept", sample, keep=True)
    total = truth.PROCESSES["wjets"].cross_section * sum(sample.luminosity.values())
    expected = -total * np.diff(truth.wjets_survival(HT))
    pulls = (found.values - expected) / np.sqrt(found.variances)
    assert (np.abs(pulls) < 4).all()
    assert np.sqrt(found.variances[2:] / expected[2:] ** 2).max() < 0.1  # else it says nothing
    for (_, dataset), flow in flows.items():
        assert flow.names == ("skimmed", "kept", "corrected")
        inclusive = dataset.endswith("_wjets__nominal")
        assert (flow.counts[1] < flow.counts[0]) == inclusive, dataset


def test_without_that_events_count_twice(tmp_path, sample):
    found, _ = spectrum(tmp_path / "all", sample, keep=False)
    total = truth.PROCESSES["wjets"].cross_section * sum(sample.luminosity.values())
    expected = -total * np.diff(truth.wjets_survival(HT))
    assert found.values[:2] == pytest.approx(expected[:2], rel=0.05)
    ratio = found.values[2:].sum() / expected[2:].sum()
    assert ratio == pytest.approx(2.0, rel=0.1)


def test_the_size_of_the_sample_is_that_of_the_example(cache, sample):
    assert describe_backgrounds(cache / "samples", SIZE) == sample

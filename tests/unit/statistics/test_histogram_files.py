"""Models from files of histograms, made here or elsewhere."""

from __future__ import annotations

import logging
import zipfile

import hist
import numpy as np
import pytest
import uproot

from hepflow.errors import InputError, UnreadableFile, WorkspaceError
from hepflow.histograms import read_histograms, write_histograms
from hepflow.statistics import StatisticsSpec, build_workspace
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.histogram_files import chosen_observables, workspace_of_histograms
from hepflow.statistics.histogram_reading import observables_of, read_histogram_file
from hepflow.statistics.spec import ShapeSpec
from tests.unit.statistics.models import PROCESSES, histograms, spec

EDGES = np.array([0.0, 1.0, 3.0])
FACTORS = {"signal": "mu", "ttbar": "ttbar_norm"}


def weighted(values, variances=None):
    """A histogram with squared weights."""
    made = hist.Hist(hist.axis.Variable(EDGES), storage=hist.storage.Weight())
    made.view()["value"] = values
    made.view()["variance"] = values if variances is None else variances
    return made


def elsewhere(path, changes=None):
    """A file as another program writes it: one channel, signal and background, data."""
    content = {
        "SR__mass__signal": weighted([1.0, 5.0]),
        "SR__mass__tt": weighted([30.0, 10.0], [3.0, 1.0]),
        "SR__mass__tt__jes_up": weighted([33.0, 11.0]),
        "SR__mass__tt__jes_down": weighted([27.0, 9.0]),
        "SR__mass__data": (np.array([32.0, 14.0]), EDGES),
        **(changes or {}),
    }
    with uproot.recreate(path) as file:
        for key, one in content.items():
            if one is not None:
                file[key] = one
    return path


def modifiers(workspace, sample):
    """Modifiers of one sample by type and name."""
    found = next(one for one in workspace["channels"][0]["samples"] if one["name"] == sample)
    return {(one["type"], one["name"]): one["data"] for one in found["modifiers"]}


def test_a_model_from_a_file_of_another_program(tmp_path):
    path = elsewhere(tmp_path / "h.root", {"other": weighted([1.0, 1.0])})
    workspace = workspace_of_histograms(path, signal=["signal"])
    assert workspace["observations"] == [{"name": "SR", "data": [32.0, 14.0]}]
    assert workspace["measurements"][0]["config"]["poi"] == "mu"
    found = modifiers(workspace, "tt")
    assert found["staterror", "staterror_SR"] == pytest.approx([3**0.5, 1.0])
    assert found["normsys", "jes"] == pytest.approx({"hi": 1.1, "lo": 0.9})
    assert found["histosys", "jes"]["hi_data"] == pytest.approx([30.0, 10.0])
    assert ("normfactor", "mu") in modifiers(workspace, "signal")
    assert ("normfactor", "mu") not in found


def test_the_model_of_a_run_can_be_had_from_its_files(tmp_path):
    filled = histograms()
    root, lossless = write_histograms(filled, tmp_path)
    here: StatisticsSpec = spec(
        shapes=(ShapeSpec("jes", PROCESSES), ShapeSpec("btag", PROCESSES)), measurement="hepflow"
    )
    expected = build_workspace(filled, here, generate(filled, here, root, tmp_path))
    sizes = {
        "lumi": dict.fromkeys(PROCESSES, 0.025),
        "wjets_xs": {"wjets": 0.2},
    }
    for path in (root, lossless):
        found = workspace_of_histograms(path, signal=FACTORS, normalisations=sizes)
        assert found["channels"] == expected["channels"]
        assert found["observations"] == expected["observations"]


def test_both_kinds_of_file_hold_the_same(tmp_path):
    root, lossless = write_histograms(histograms(), tmp_path)
    one, other = read_histogram_file(root), read_histogram_file(lossless)
    assert one.axes == other.axes
    assert one.data_processes == other.data_processes == {"data"}
    filled = read_histograms(lossless)
    for key, block in filled.blocks.items():
        for found in (one, other):
            for name in block.variations:
                np.testing.assert_array_equal(
                    found.blocks[key].template(name).sumw, block.template(name).sumw
                )
                np.testing.assert_array_equal(
                    found.blocks[key].template(name).sumw2, block.template(name).sumw2
                )


def test_uncertainties_of_a_yield(tmp_path):
    path = elsewhere(tmp_path / "h.root")
    sizes = {"lumi": {"tt": 0.02, "signal": 0.02}, "xs": {"tt": 0.1, "signal": 0.2}}
    workspace = workspace_of_histograms(path, signal=["signal"], normalisations=sizes)
    assert modifiers(workspace, "tt")["normsys", "lumi"] == {"hi": 1.02, "lo": 0.98}
    assert modifiers(workspace, "tt")["normsys", "xs_tt"] == pytest.approx({"hi": 1.1, "lo": 0.9})
    assert modifiers(workspace, "signal")["normsys", "xs_signal"]["hi"] == pytest.approx(1.2)
    with pytest.raises(InputError, match=r"'lumi' has the size 2\. Expected a"):
        workspace_of_histograms(path, signal=["signal"], normalisations={"lumi": {"tt": 2.0}})
    with pytest.raises(InputError, match=r"no process 'ttt'\. Did you mean 'tt'"):
        workspace_of_histograms(path, signal=["signal"], normalisations={"xs": {"ttt": 0.1}})


def test_a_histogram_without_squared_weights_counts_events(tmp_path):
    path = elsewhere(tmp_path / "h.root", {"SR__mass__tt": (np.array([30.0, 10.0]), EDGES)})
    template = read_histogram_file(path).template("SR", "mass", "tt")
    assert template.variances.tolist() == [30.0, 10.0]


def test_folders_of_the_file_do_not_matter(tmp_path):
    path = tmp_path / "h.root"
    with uproot.recreate(path) as file:
        file["a/SR__mass__tt"] = weighted([1.0, 2.0])
        file["b/SR__mass__data"] = weighted([1.0, 2.0])
    assert set(read_histogram_file(path).blocks) == {("SR", "mass", "tt"), ("SR", "mass", "data")}
    with uproot.recreate(path) as file:
        file["a/SR__mass__tt"] = weighted([1.0, 2.0])
        file["b/SR__mass__tt"] = weighted([1.0, 2.0])
    with pytest.raises(WorkspaceError, match="have the same key in two folders"):
        read_histogram_file(path)


def test_the_signal_must_be_named_and_there(tmp_path):
    path = elsewhere(tmp_path / "h.root")
    with pytest.raises(InputError, match="Name it with --signal: signal, tt"):
        workspace_of_histograms(path, signal=[])
    with pytest.raises(InputError, match=r"no process 'sgnal'\. Did you mean 'signal'"):
        workspace_of_histograms(path, signal=["sgnal"])


def test_observables_that_must_be_named(tmp_path):
    path = elsewhere(tmp_path / "h.root", {"SR__pt__tt": weighted([1.0, 2.0])})
    assert observables_of(path) == {"SR": ("mass", "pt")}
    with pytest.raises(InputError, match=r"'SR' has several observables: mass, pt\. Name"):
        workspace_of_histograms(path, signal=["signal"])
    workspace = workspace_of_histograms(path, signal=["signal"], observables={"SR": "mass"})
    assert len(workspace["channels"]) == 1
    with pytest.raises(InputError, match=r"no observable 'mas' in channel 'SR'\. Did you mean"):
        workspace_of_histograms(path, signal=["signal"], observables={"SR": "mas"})
    with pytest.raises(InputError, match=r"no channel 'CR'\. Valid: SR"):
        workspace_of_histograms(path, signal=["signal"], observables={"CR": "mass"})
    assert chosen_observables({"a": ["x"], "b": ["y", "z"]}, {"b": "z"}, "f") == {
        "a": "x",
        "b": "z",
    }


def test_data_must_be_there(tmp_path):
    path = elsewhere(tmp_path / "h.root", {"SR__mass__data": None})
    with pytest.raises(WorkspaceError, match=r"no data in channel 'SR': expected the key "):
        workspace_of_histograms(path, signal=["signal"])
    workspace = workspace_of_histograms(path, signal=["signal"], data="tt")
    assert workspace["observations"][0]["data"] == [30.0, 10.0]


def test_bin_edges_must_agree(tmp_path):
    path = elsewhere(tmp_path / "h.root", {"SR__mass__w": (np.ones(3), np.arange(4.0))})
    with pytest.raises(
        WorkspaceError, match=r"different bin edges \(3 bins from 0 to 3 and 2 bins"
    ):
        read_histogram_file(path)


def test_a_variation_needs_its_nominal_histogram(tmp_path):
    path = elsewhere(tmp_path / "h.root", {"SR__mass__tt": None})
    with pytest.raises(WorkspaceError, match="SR__mass__tt is missing, of which jes_down"):
        read_histogram_file(path)


def test_other_keys(tmp_path, caplog):
    path = elsewhere(tmp_path / "h.root", {"mass_tt": weighted([1.0, 2.0])})
    with caplog.at_level(logging.WARNING):
        assert observables_of(path) == {"SR": ("mass",)}
    assert "left out, as no key of the form" in caplog.text
    with uproot.recreate(path) as file:
        file["mass_tt"] = weighted([1.0, 2.0])
        file["SR__mass__tt__jes"] = weighted([1.0, 2.0])
    with pytest.raises(WorkspaceError, match="its keys are mass_tt, SR__mass__tt__jes"):
        observables_of(path)
    with uproot.recreate(path) as file:
        file["note"] = "no histogram"
    with pytest.raises(WorkspaceError, match="it holds no histogram of one axis"):
        observables_of(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UnreadableFile, match="is not there"):
        read_histogram_file(tmp_path / "h.root")
    for name in ("h.root", "h.zip"):
        (tmp_path / name).write_bytes(b"no such file")
        with pytest.raises(UnreadableFile, match="the histograms cannot be read"):
            read_histogram_file(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        archive.writestr("other.json", "{}")
    with pytest.raises(UnreadableFile, match="cannot be read"):
        observables_of(tmp_path / "h.zip")

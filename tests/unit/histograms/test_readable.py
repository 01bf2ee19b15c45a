"""What other programs read in the files of histograms is what we have in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import zipfile
from importlib.util import find_spec

import boost_histogram as bh
import hist
import numpy as np
import pytest
import uproot

from hepflow.histograms import histogram_key, write_histograms
from hepflow.statistics import read_cabinetry_config, write_cabinetry_config
from tests.unit.statistics.models import histograms, spec

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
FOUND = histograms()  # a flow of its own on both sides, and weights: variance is not the value
TEMPLATES = {
    histogram_key(*key, name): (FOUND.axes[key[:2]], block.template(name))
    for key, block in FOUND.blocks.items()
    for name in block.variations
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_histograms(FOUND, tmp_path_factory.mktemp("histograms"))


def test_the_example_can_tell_what_is_lost():
    for _, template in TEMPLATES.values():
        assert (template.sumw[[0, -1]] != 0).all()
    assert not np.array_equal(
        *(getattr(TEMPLATES["sr__mass__ttbar"][1], n) for n in ("sumw", "sumw2"))
    )


def test_uproot_reads_values_variances_and_flow(files):
    with uproot.open(files[0]) as file:
        assert set(file.keys(cycle=False)) == set(TEMPLATES)
        for name, (axis, template) in TEMPLATES.items():
            assert file[name].classname == "TH1D"
            values, edges = file[name].to_numpy(flow=True)
            assert np.array_equal(values, template.sumw)
            assert np.array_equal(edges[1:-1], axis.edges)
            assert np.array_equal(file[name].variances(flow=True), template.sumw2)


def test_hist_reads_the_root_file(files):
    with uproot.open(files[0]) as file:
        for name, (axis, template) in TEMPLATES.items():
            found = file[name].to_hist()
            assert isinstance(found, hist.Hist)
            assert found.storage_type is bh.storage.Weight
            assert np.array_equal(found.values(flow=True), template.sumw)
            assert np.array_equal(found.variances(flow=True), template.sumw2)
            np.testing.assert_allclose(found.axes[0].edges, axis.edges, rtol=1e-15)
            assert found.axes[0].label == axis.label


def test_cabinetry_collects_the_same_yields(files, tmp_path):
    from cabinetry import model_utils, templates, workspace

    path = tmp_path / "statistics" / "cabinetry_config.yaml"
    write_cabinetry_config(FOUND, spec(), path, files[0])
    config = read_cabinetry_config(path)
    templates.collect(config)
    templates.postprocess(config)
    model, data = model_utils.model_and_data(workspace.build(config), include_auxdata=False)
    observed = model_utils.prediction(model)
    for channel, per_sample in zip(model.config.channels, observed.model_yields, strict=True):
        for sample, yields in zip(model.config.samples, per_sample, strict=True):
            template = TEMPLATES[f"{channel}__mass__{sample}"][1]
            np.testing.assert_allclose(yields, template.sumw[1:-1], rtol=1e-12)
    expected = [TEMPLATES[f"{channel}__mass__data"][1].sumw[1:-1] for channel in ("cr", "sr")]
    order = [("cr", "sr").index(one) for one in model.config.channels]
    np.testing.assert_array_equal(data, np.concatenate([expected[i] for i in order]))


def test_uhi_reads_the_lossless_file_alone(files):
    """In a process that has no hepflow."""
    code = """
        import sys, zipfile
        import hist, uhi.io.zip
        with zipfile.ZipFile(sys.argv[1]) as archive:
            found = hist.Hist(uhi.io.zip.read(archive, "sr__mass"))
        one = found[:, "ttbar", "jes_up"]
        print(repr([one.values(flow=True).tolist(), one.variances(flow=True).tolist()]))
        print(list(found.axes.name), "hepflow" in sys.modules)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(files[1])],
        capture_output=True,
        text=True,
        check=True,
    )
    numbers, rest = run.stdout.splitlines()
    template = TEMPLATES["sr__mass__ttbar__jes_up"][1]
    assert numbers == repr([template.sumw.tolist(), template.sumw2.tolist()])
    assert rest == "['observable', 'process', 'variation'] False"


def test_every_histogram_of_the_lossless_file_is_whole(files):
    import uhi.io.zip

    with zipfile.ZipFile(files[1]) as archive:
        for channel, observable in FOUND.axes:
            found = hist.Hist(uhi.io.zip.read(archive, f"{channel}__{observable}"))
            for process in found.axes["process"]:
                template = TEMPLATES[f"{channel}__{observable}__{process}"][1]
                nominal = found[:, process, "nominal"]
                assert np.array_equal(nominal.values(flow=True), template.sumw)
                assert np.array_equal(nominal.variances(flow=True), template.sumw2)


@pytest.mark.skipif(find_spec("ROOT") is None, reason="no ROOT here (the wheel is named `root`)")
def test_root_itself_reads_the_same(files):
    """In a process of its own: ROOT takes over signals and the interpreter's exit."""
    code = """
        import json, sys
        import ROOT
        ROOT.gROOT.SetBatch(True)
        file = ROOT.TFile.Open(sys.argv[1])
        found = {}
        for key in file.GetListOfKeys():
            one = key.ReadObj()
            bins = range(one.GetNbinsX() + 2)
            found[key.GetName()] = [
                [one.GetBinContent(i) for i in bins],
                [one.GetBinError(i) for i in bins],
                [one.GetXaxis().GetBinLowEdge(i) for i in bins[1:]],
            ]
        print(json.dumps(found))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(files[0])],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert set(found) == set(TEMPLATES)
    for name, (axis, template) in TEMPLATES.items():
        values, errors, edges = found[name]
        assert values == template.sumw.tolist()
        np.testing.assert_allclose(errors, np.sqrt(template.sumw2), rtol=1e-15)
        np.testing.assert_allclose(edges, axis.edges, rtol=1e-15)

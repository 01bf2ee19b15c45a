"""However the work is cut, ordered and spread, the histograms are the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from analysis.nondiff import NonDiffAnalysis
from hepflow.execution import make_executor
from tests.pipeline import built_in

DATASETS = ("ttbar_semilep__nominal", "data")  # two that are quick to fill


def assert_same(mine, theirs, datasets=DATASETS):
    """Compare raw histograms: counts exactly, weights to 1e-12 of the sum of absolute weights."""
    assert list(mine.axes) == list(theirs.axes)
    keys = [key for key in theirs.blocks if key[2] in datasets]
    assert {key[2] for key in keys} == set(datasets)
    for key in keys:
        found, expected = mine.blocks[key], theirs.blocks[key]
        assert found.variations == expected.variations
        for left, right in ((found.sumw, expected.sumw), (found.sumw2, expected.sumw2)):
            # at most the sum of absolute weights, since those of a bin may cancel
            total = np.abs(right).sum(axis=1, keepdims=True)
            assert total.min() > 0
            assert (np.abs(left - right) <= (0.0 if key[2] == "data" else 1e-12) * total).all(), key
    for key in [key for key in theirs.cutflows if key[1] in datasets]:
        found, expected = mine.cutflows[key], theirs.cutflows[key]
        assert found.names == expected.names
        assert found.counts.tolist() == expected.counts.tolist()
        np.testing.assert_allclose(found.sumw, expected.sumw, rtol=1e-12)
    for name in datasets:
        left, right = mine.ledger.totals(name), theirs.ledger.totals(name)
        assert left.nevts == right.nevts
        assert left.sum_weights == pytest.approx(right.sum_weights, rel=1e-12)


def assert_identical(mine, theirs, datasets=DATASETS):
    """Compare to the last bit."""
    assert_same(mine, theirs, datasets)
    for key in [key for key in theirs.blocks if key[2] in datasets]:
        assert np.array_equal(mine.blocks[key].sumw, theirs.blocks[key].sumw), key
        assert np.array_equal(mine.blocks[key].sumw2, theirs.blocks[key].sumw2), key


def changed(config, folder, **execution):
    """Return the configuration for two processes, with folders of its own: nothing is reused."""
    own = copy.deepcopy(config)
    own["general"] |= {
        "output_dir": str(folder / "out"),
        "cache_dir": str(folder / "cache"),
        "processes": ["ttbar_semilep", "data"],
    }
    own["execution"] |= execution
    return own


def analysis_of(run, skims=None, **general):
    """Return an analysis of the same skims in which nothing is filled yet."""
    config = copy.deepcopy(run.config)
    config["general"] |= {
        "processes": ["ttbar_semilep", "data"],
        "read_from_cache": False,
        **general,
    }
    chosen = {name: run.skims[name] for name in DATASETS} if skims is None else skims
    return NonDiffAnalysis(config, chosen, run.analysis.output_manager)


@pytest.mark.parametrize("chunk_size", [1200, 2200])
def test_any_chunk_size(small_run, tmp_path, chunk_size):
    config = changed(small_run.config, tmp_path)
    config["preprocess"]["skimming"]["chunk_size"] = chunk_size
    run = built_in.fill(config)
    name = "ttbar_semilep__nominal"
    assert len(run.skims[name]) > len(small_run.skims[name])
    assert_same(run.analysis.raw, small_run.analysis.raw)


def test_any_order_of_files_and_two_workers(small_run, small_sample, tmp_path):
    config = changed(small_run.config, tmp_path, backend="loky", workers=2)
    for entry in config["datasets"]["datasets"]:
        files = small_sample.datasets[entry["name"]].files
        assert len(files) > 1
        entry["files"] = [str(path) for path in reversed(files)]
    run = built_in.fill(config)
    assert_identical(run.analysis.raw, small_run.analysis.raw)


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_one_worker_elsewhere(small_run, backend, request):
    arguments = {"backend": backend, "workers": 1}
    if backend == "dask":
        arguments = {"backend": backend, "scheduler": request.getfixturevalue("cluster")}
    analysis = analysis_of(small_run, skims={"data": small_run.skims["data"]}, processes=["data"])
    with make_executor(**arguments) as executor:
        analysis.fill_histograms(executor)
    assert_identical(analysis.raw, small_run.analysis.raw, datasets=("data",))


@pytest.fixture
def cluster():
    """Address of a Dask cluster of one worker process."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as running:
        yield running.scheduler_address


def test_parts_processed_in_any_order(small_run):
    analysis = analysis_of(small_run)
    pairs = [pair for name in DATASETS for pair in small_run.skims[name]]
    for i in np.random.default_rng(3).permutation(len(pairs)):
        analysis.process(*pairs[i])
    assert_identical(analysis.raw, small_run.analysis.raw)
    mine = analysis.histograms["SR"]["zprime_mass"]
    theirs = small_run.analysis.histograms["SR"]["zprime_mass"]
    for variation in mine.axes["variation"]:
        cell = (slice(None), "ttbar_semilep", variation)
        np.testing.assert_array_equal(mine[cell].values(flow=True), theirs[cell].values(flow=True))


def test_a_part_processed_again_replaces_the_first(small_run):
    analysis = analysis_of(small_run)
    pairs = list(small_run.skims["data"])
    for events, metadata in [(pairs[0][0][:10], pairs[0][1]), *pairs, pairs[-1]]:
        analysis.process(events, metadata)
    assert_identical(analysis.raw, small_run.analysis.raw, datasets=("data",))


@pytest.mark.parametrize("stacked", [1, 1500])
def test_blocks_of_object_variations_of_any_size(small_run, monkeypatch, stacked):
    monkeypatch.setattr("hepflow.analysis.stack.STACK_EVENTS", stacked)
    name = "ttbar_semilep__nominal"
    analysis = analysis_of(small_run, {name: small_run.skims[name][:1]})
    reference = analysis_of(small_run, {name: small_run.skims[name][:1]})
    events, metadata = small_run.skims[name][0]
    assert len(events) > 150
    analysis.process(events, metadata)
    monkeypatch.undo()
    reference.process(events, metadata)
    assert_identical(analysis.raw, reference.raw, datasets=(name,))


def test_without_systematics_nominal_is_the_same(small_run):
    analysis = analysis_of(small_run, run_systematics=False)
    for name in DATASETS:
        for events, metadata in small_run.skims[name]:
            analysis.process(events, metadata)
    for key, block in analysis.raw.blocks.items():
        expected = small_run.analysis.raw.blocks[key]
        assert block.variations == ("nominal",)
        assert np.array_equal(block.sumw[0], expected.sumw[0])
        assert np.array_equal(block.sumw2[0], expected.sumw2[0])
    assert {key[2] for key in analysis.raw.blocks} == set(DATASETS)
    flows = small_run.analysis.raw.cutflows
    for key, flow in analysis.raw.cutflows.items():
        assert flow.counts.tolist() == flows[key].counts.tolist()

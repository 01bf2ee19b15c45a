"""The analysis as a whole: parts in any order, reuse where nothing changed, nothing twice."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import signal
import subprocess
import sys

import cloudpickle
import numpy as np
import pytest

from hepflow.analysis import Analysis, AnalysisSpec, batches
from hepflow.analysis.results import incomplete_data, remarks_on
from hepflow.errors import CorrectionError, MissingArtifact, NormalisationError, UserFunctionError
from hepflow.execution import make_executor
from hepflow.histograms import read_histograms
from hepflow.skimming import process_workitems_with_skimming
from tests.builders import (
    cut_columns,
    event_correction,
    jet_scale,
    make_metadata,
    make_skims,
    manager_of,
    scale_node,
    tiny_config,
    toy_columns,
    toy_inputs,
    two_jets,
    write_corrections,
    write_nano,
)
from tests.unit.analysis.reference import PILEUP

WEIGHTS = toy_columns(250)["genWeight"].astype(np.float64)


def corrections(tmp_path, values=PILEUP):
    node = scale_node("pu", "nTrueInt", [0, 20, 40, 60], values, "error")
    return [event_correction(write_corrections(tmp_path / "pu.json", node)), jet_scale()]


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"), corrections=corrections(tmp_path))


def build(config, kind=Analysis):
    return kind(config, make_skims(config), manager_of(config))


def same(left, right, exact=True):
    assert left.blocks.keys() == right.blocks.keys()
    for key, block in left.blocks.items():
        other = right.blocks[key]
        assert block.variations == other.variations
        limit = 0.0 if exact else 1e-12 * np.abs(block.sumw).sum()
        assert np.abs(block.sumw - other.sumw).max() <= limit
        assert np.abs(block.sumw2 - other.sumw2).max() <= (
            0.0 if exact else 1e-12 * block.sumw2.sum()
        )
    for key, flow in left.cutflows.items():
        assert flow.counts.tolist() == right.cutflows[key].counts.tolist()


def ht(histograms):
    """Sums of weights of all variations of one observable."""
    return histograms.blocks["SR", "ht", "mc"].sumw


def pairs(analysis):
    return list(itertools.chain.from_iterable(analysis.processed_datasets.values()))


# -- parts -------------------------------------------------------------------------------


def test_the_same_part_again_replaces_the_first(config):
    analysis = build(config)
    for events, metadata in pairs(analysis):
        analysis.process(events, metadata)
    once = analysis.histogram_set
    for events, metadata in pairs(analysis):
        analysis.process(events, metadata)
    same(analysis.histogram_set, once)
    events, metadata = pairs(analysis)[0]
    analysis.process(events[:0], metadata)  # a retry that saw nothing
    assert analysis.histogram_set.ledger.totals("mc__nominal") == once.ledger.totals("mc__nominal")
    assert ht(analysis.histogram_set).sum() != ht(once).sum()


def test_parts_in_any_order_give_the_same_bits(config):
    analysis = build(config)
    whole = analysis.fill_histograms()
    given = pairs(analysis)
    for order in itertools.islice(itertools.permutations(given), 0, None, 7):
        other = Analysis(config, analysis.processed_datasets, manager_of(config))
        for events, metadata in order:
            other.process(events, metadata)
        same(other.histogram_set, whole)


def test_the_size_of_the_chunks_does_not_matter(config):
    whole = build(config).fill_histograms()
    for size in (17, 1000):
        config["preprocess"]["skimming"]["chunk_size"] = size
        same(build(config).fill_histograms(), whole, exact=False)


def test_what_was_processed_so_far_is_normalised_to_its_own_sum(config):
    analysis = build(config)
    skim = analysis.processed_datasets["mc__nominal"]
    analysis.process(*skim[0])
    ledger = analysis.histogram_set.ledger
    assert ledger.totals("mc__nominal").nevts == 75
    raw = analysis.raw.blocks["SR", "muon_pt", "mc__nominal"].sumw
    found = analysis.histogram_set.blocks["SR", "muon_pt", "mc"].sumw
    assert found == pytest.approx(raw * 1000.0 / WEIGHTS[:75].sum())
    assert ledger.fraction("mc__nominal") == 0.3  # 75 of the 250 events of both files


def test_nothing_processed_is_an_empty_view(config):
    assert Analysis(config, {}, manager_of(config)).histogram_set.blocks == {}


def test_filling_starts_anew_and_single_parts_start_anew_too(config):
    analysis = build(config)
    analysis.fill_histograms()
    events, metadata = analysis.processed_datasets["data"][0]
    analysis.process(events, metadata)
    assert analysis.histogram_set.ledger.datasets() == ("data",)
    assert analysis.histogram_key() is None
    analysis.fill_histograms()
    assert analysis.histogram_set.ledger.datasets() == ("data", "mc__nominal")


def test_pairs_that_are_no_skim_can_be_filled(config):
    analysis = build(config)
    plain = {name: list(skim) for name, skim in analysis.processed_datasets.items()}
    found = Analysis(config, plain, manager_of(config)).fill_histograms()
    same(found, analysis.fill_histograms())


def test_two_slices_of_a_process_add_up_with_their_own_scales(tmp_path):
    columns = toy_columns(250)
    datasets = []
    for i, (cut, section) in enumerate((((0, 100), 7.0), ((100, 250), 2.0))):
        write_nano(tmp_path / f"{i}.root", cut_columns(columns, *cut))
        one = {"name": f"w{i}", "process": "w", "files": [str(tmp_path / f"{i}.root")]}
        datasets.append({**one, "cross_section": section})
    config = tiny_config(tmp_path, datasets)
    both = build(config).fill_histograms()
    parts = []
    for one in datasets:
        alone = tiny_config(tmp_path / one["name"], [one])
        parts.append(build(alone).fill_histograms())
    assert both.processes("SR", "ht") == ("w",)
    expected = sum(part.template("SR", "ht", "w").sumw for part in parts)
    assert both.template("SR", "ht", "w").sumw == pytest.approx(expected)


# -- reuse -------------------------------------------------------------------------------


@pytest.fixture
def filled_parts(monkeypatch):
    """Names of the parts that are filled, not reused."""
    seen = []
    real = batches.fill_batch

    def counting(analysis, batch):
        seen.extend(task.part.path for task in batch.tasks)
        return real(analysis, batch)

    monkeypatch.setattr(batches, "fill_batch", counting)
    return seen


def fills(config, seen, kind=Analysis):
    seen.clear()
    build(config, kind).fill_histograms()
    return len(seen)


def test_the_second_time_nothing_is_filled(config, filled_parts):
    assert fills(config, filled_parts) == 4
    assert fills(config, filled_parts) == 0
    config["general"]["read_from_cache"] = False
    assert fills(config, filled_parts) == 4


def three_jets(jets):
    import awkward as ak

    return ak.num(jets, axis=1) >= 3


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["channels"][0]["observables"][0].update(binning="0,200,11"),
        lambda c: c["channels"][0]["selection"]["cuts"][0].update(function=three_jets),
        lambda c: c["general"].update(weight_mode="sign"),
        lambda c: c["general"].update(run_systematics=False),
        lambda c: c["corrections"][0].update(out_of_range="clamp"),
        lambda c: c["good_object_masks"].update(analysis=[]),
    ],
)
def test_what_the_histograms_depend_on_fills_them_anew(config, filled_parts, change):
    fills(config, filled_parts)
    change(config)
    assert fills(config, filled_parts) == 4


def test_fewer_channels_are_reused(config, filled_parts):
    fills(config, filled_parts)
    config["general"]["channels"] = ["CR"]
    assert fills(config, filled_parts) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["general"].update(lumi=7.0),
        lambda c: c["datasets"]["datasets"][0].update(cross_section=3.0),
        lambda c: c["datasets"]["datasets"][0].update(k_factor=3.0),
        lambda c: c["channels"][0]["observables"][0].update(label="another [GeV]"),
    ],
)
def test_what_acts_later_fills_nothing(config, filled_parts, change):
    fills(config, filled_parts)
    before = build(config).fill_histograms()
    change(config)
    assert fills(config, filled_parts) == 0
    after = build(config).fill_histograms()
    differs = not np.array_equal(ht(before), ht(after))
    assert differs or after.axes["SR", "muon_pt"].label == "another [GeV]"


def test_a_changed_correction_file_fills_anew(tmp_path, config, filled_parts):
    fills(config, filled_parts)
    before = build(config).fill_histograms()
    corrections(tmp_path, {**PILEUP, "nominal": [1.0, 1.0, 1.0]})
    assert fills(config, filled_parts) == 4
    after = build(config).fill_histograms()
    assert not np.array_equal(ht(before), ht(after))


class Overridden(Analysis):
    def event_weights(self, events, dataset, variations):
        found = super().event_weights(events, dataset, variations)
        return {name: 2.0 * weight for name, weight in found.items()}


class WithAttribute(Analysis):
    factor = 1.0

    def event_weights(self, events, dataset, variations):
        found = super().event_weights(events, dataset, variations)
        return {name: self.factor * weight for name, weight in found.items()}


def test_a_subclass_with_another_step_is_not_answered_from_the_cache(config, filled_parts):
    plain = build(config).fill_histograms()
    assert fills(config, filled_parts, Overridden) == 4
    double = build(config, Overridden).fill_histograms()
    assert ht(double) == pytest.approx(2 * ht(plain))


def test_an_attribute_that_is_set_on_an_analysis_is_part_of_the_key(config):
    plain = build(config, WithAttribute).fill_histograms()
    other = build(config, WithAttribute)
    other.factor = 3.0
    assert ht(other.fill_histograms()) == pytest.approx(3 * ht(plain))


def test_files_left_out_are_noticed_also_with_histograms_from_the_cache(
    tmp_path, config, filled_parts
):
    data = config["datasets"]["datasets"][1]
    config["datasets"]["datasets"] = [data]
    config["corrections"] = []
    first = build(config)
    complete = first.fill_histograms()
    first.save()
    assert incomplete_data(complete) == {}
    assert remarks_on(complete) == ()
    write_nano(tmp_path / "in" / "data_2.root", toy_columns(40, 3, data=True))
    data["files"] = [str(tmp_path / "in" / "data*.root")]
    config["general"]["max_files"] = 1
    filled_parts.clear()
    analysis = build(config)
    found = analysis.fill_histograms()
    assert filled_parts == []  # the same part, from the cache
    assert incomplete_data(found) == {"data": 0.5}
    assert remarks_on(found) == ("50 % of data",)
    analysis.save()
    assert incomplete_data(read_stored(config)) == {"data": 0.5}


def read_stored(config):
    return read_histograms(manager_of(config).get_histograms_dir() / "histograms.zip")


def test_what_an_interrupted_run_filled_is_kept(config, filled_parts, monkeypatch):
    counting = batches.fill_batch

    def failing(analysis, batch):
        if any(task.part.metadata["is_data"] for task in batch.tasks):
            raise UserFunctionError("channels[0]: broken")
        return counting(analysis, batch)

    monkeypatch.setattr(batches, "fill_batch", failing)
    with pytest.raises(UserFunctionError, match="filling histograms: 1 of 4 failed"):
        build(config).fill_histograms()
    assert len(filled_parts) == 3
    monkeypatch.setattr(batches, "fill_batch", counting)
    assert fills(config, filled_parts) == 1


def test_a_broken_file_of_the_cache_is_made_anew(config, filled_parts):
    fills(config, filled_parts)
    for path in (manager_of(config).get_cache_dir() / "histograms" / "merged").glob("*.pkl"):
        path.write_bytes(path.read_bytes()[:-50])
    assert fills(config, filled_parts) == 4


# -- what travels ------------------------------------------------------------------------


def test_a_worker_gets_the_specification_alone(config):
    analysis = build(config)
    sent = analysis.__getstate__()
    assert list(sent) == ["spec"]
    assert isinstance(sent["spec"], AnalysisSpec)
    other = cloudpickle.loads(cloudpickle.dumps(analysis))
    pair = analysis.processed_datasets["mc__nominal"][0]
    assert np.array_equal(
        other.process_chunk(*pair).blocks["SR", "ht", "mc__nominal"].sumw,
        analysis.process_chunk(*pair).blocks["SR", "ht", "mc__nominal"].sumw,
    )
    assert not hasattr(other, "config")


CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@pytest.fixture
def scheduler(tmp_path):
    (tmp_path / "cluster.py").write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, "cluster.py"], cwd=tmp_path, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        yield process.stdout.readline().strip()
        os.killpg(process.pid, signal.SIGKILL)


def on(config, executor):
    found = make_metadata(config)
    skims = process_workitems_with_skimming(
        found.workitems, config, manager_of(config), found.fileset, executor=executor
    )
    return Analysis(config, skims, manager_of(config)).fill_histograms(executor)


def test_several_processes_give_the_same_bits(tmp_path, config):
    here = build(config).fill_histograms()
    config["general"]["output_dir"] = str(tmp_path / "loky")
    config["general"]["cache_dir"] = str(tmp_path / "loky_cache")
    with make_executor("loky", workers=2) as executor:
        same(on(config, executor), here)


def test_a_dask_cluster_gives_the_same_bits(tmp_path, config, scheduler):
    here = build(config).fill_histograms()
    config["general"]["output_dir"] = str(tmp_path / "dask")
    config["general"]["cache_dir"] = str(tmp_path / "dask_cache")
    with make_executor("dask", scheduler=scheduler) as executor:
        same(on(config, executor), here)


# -- the chain ---------------------------------------------------------------------------


def test_the_stored_histograms_are_read_back(config):
    analysis = build(config)
    made = analysis.run_analysis_chain()
    assert made.statistics is None
    assert made.plots == ()
    config["general"]["run_histogramming"] = False
    back = Analysis(config, {}, manager_of(config)).run_analysis_chain()
    same(back.histograms, made.histograms)
    assert back.histograms.ledger == made.histograms.ledger


def test_stored_histograms_that_are_not_there_are_an_error(config):
    config["general"]["run_histogramming"] = False
    with pytest.raises(MissingArtifact, match=r"histograms\.zip is not there"):
        Analysis(config, {}, manager_of(config)).run_analysis_chain()


def test_a_change_after_filling_is_written(config, caplog):
    caplog.set_level(logging.INFO, logger="hepflow.journal")
    build(config).run_analysis_chain()
    path = manager_of(config).get_histograms_dir() / "histograms.zip"
    first = path.read_bytes()
    build(config).run_analysis_chain()
    assert path.read_bytes() == first
    told = [record.getMessage() for record in caplog.records]
    assert [one.split(" (")[0] for one in told if one.startswith("normalisation")] == [
        "normalisation: ran",
        "normalisation: reused",
    ]
    config["datasets"]["datasets"][0]["cross_section"] = 20.0
    build(config).run_analysis_chain()
    assert path.read_bytes() != first


def test_the_configuration_is_validated_again(config):
    from hepflow.errors import ConfigurationError
    from hepflow.schema import Config

    valid = Config(**config)
    valid.channels[0].observables[0].binning.append(-5.0)
    with pytest.raises(ConfigurationError, match=r"channels\[0\]\.observables\[0\]\.binning"):
        Analysis(valid, {}, manager_of(config))


def test_missing_files_of_corrections_are_noticed_at_once(config):
    config["corrections"][0]["file"] = "gone.json"
    with pytest.raises(CorrectionError, match=r"corrections\[0\].*gone\.json"):
        Analysis(config, {}, manager_of(config))


def test_runs_trees_normalise_where_they_are_chosen(tmp_path):
    columns = toy_columns(100)
    total = float(columns["genWeight"].astype(np.float64).sum())
    write_nano(tmp_path / "a.root", columns, runs=[total, total, total])
    one = {"name": "mc", "files": [str(tmp_path / "a.root")], "cross_section": 10.0}
    scaled = {}
    for source in ("events", "runs"):
        config = tiny_config(tmp_path / source, [{**one, "sumw_source": source}])
        scaled[source] = build(config).fill_histograms().blocks["SR", "ht", "mc"].sumw
    assert scaled["events"] == pytest.approx(3 * scaled["runs"])
    analysis = build(config)
    events, metadata = analysis.processed_datasets["mc__nominal"][0]
    with pytest.raises(NormalisationError, match="60 of 100 events"):
        analysis.process(events, {**metadata, "entrystop": 60, "part_nevts": 60})


def test_specifications_are_frozen(config):
    spec = AnalysisSpec.from_config(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.weight_mode = "sign"
    assert two_jets is spec.channels[0].selection.cuts[0].function

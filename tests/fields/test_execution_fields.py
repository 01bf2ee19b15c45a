"""Fields of the section ``execution``, and what happens to input that cannot be processed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hepflow.analysis import AnalysisSpec, EventLoop
from hepflow.errors import ConfigurationError, IncompleteInput, UnreadableFile
from hepflow.pipeline import run
from tests.builders import make_skims, observable, write_nano
from tests.fields.project import (
    DATA,
    MC,
    data_columns,
    inputs,
    itself,
    make_config,
    one_less,
    one_more,
    real,
    simulation,
    values,
)

# -- where the work runs -----------------------------------------------------------------


def leave_pid(x, folder):
    """Skim that tells which process it ran in."""
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(0.05)
    return x > -1.0


CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@pytest.fixture
def scheduler(tmp_path):
    """Address of a cluster of one worker."""
    (tmp_path / "cluster.py").write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, "cluster.py"], cwd=tmp_path, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        yield process.stdout.readline().strip()
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def processes(tmp_path):
    """Processes that skim 8 parts."""

    def skim(**execution):
        folder = tmp_path / f"pids_{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        config = make_config(tmp_path, general={"analysis": "skip", "read_from_cache": False})
        config["execution"] = execution
        config["preprocess"]["skimming"] = {
            "function": leave_pid, "use": [("event", "x")], "chunk_size": 1,
            "static_kwargs": {"folder": str(folder)},
        }  # fmt: skip
        run(config)
        return {int(path.name) for path in folder.iterdir()}

    return skim


@pytest.mark.field("execution.backend", "execution.workers")
def test_the_backend_runs_the_work_on_its_processes(processes):
    assert processes(backend="inprocess") == {os.getpid()}
    for workers in (1, 2):
        found = processes(backend="loky", workers=workers)
        assert len(found) == workers
        assert os.getpid() not in found


@pytest.mark.field("execution.backend", "execution.scheduler")
def test_a_cluster_is_found_at_its_address(processes, scheduler):
    found = processes(backend="dask", scheduler=scheduler)
    assert len(found) == 1
    assert os.getpid() not in found


def die_twice(x, folder):
    """Skim that kills its process the first two times."""
    tries = len(list(Path(folder).iterdir()))
    (Path(folder) / str(tries)).touch()
    if tries < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x > -1.0


@pytest.mark.field("preprocess.skimming.max_retries")
def test_a_part_whose_worker_died_is_tried_again(tmp_path):
    config = make_config(tmp_path, general={"analysis": "skip"})
    config["execution"] = {"workers": 1}
    for retries in (0, 2):
        folder = tmp_path / f"tries_{retries}"
        folder.mkdir()
        config["preprocess"]["skimming"] = {
            "function": die_twice, "use": [("event", "x")], "max_retries": retries,
            "static_kwargs": {"folder": str(folder)},
        }  # fmt: skip
        run(config)
        # without retries parts of it are tried, and it turns out that nothing is wrong with them
        assert (len(list(folder.iterdir())) == 3) is bool(retries)


class Counting(EventLoop):
    """Counts the blocks of object variations."""

    blocks = 0

    def mask_objects(self, events):
        Counting.blocks += 1
        return super().mask_objects(events)


@pytest.mark.field("execution.memory_limit")
def test_less_memory_means_more_blocks_and_the_same_numbers(tmp_path):
    source = {"name": "jes", "type": "object", "up_function": one_more, "down_function": one_less,
              "use": [("Jet", "pt")], "target": ("Jet", "pt")}  # fmt: skip
    config = make_config(tmp_path, systematics=[source])
    config["channels"][0]["observables"].append(
        observable("pt", "0,120,4", itself, [("Jet", "pt")])
    )
    (events, metadata) = make_skims(config)["mc__nominal"][0]
    rows = {}
    for limit, blocks in ((None, 2), (1.0, 2), (1e-9, 3), (1.1 * events.nbytes * 4e-9, 3)):
        config["execution"]["memory_limit"] = limit
        Counting.blocks = 0
        raw = Counting(AnalysisSpec.from_config(config)).process_chunk(events, metadata)
        assert Counting.blocks == blocks
        rows[limit] = raw.blocks["SR", "pt", "mc__nominal"].sumw.tolist()
    assert all(one == rows[None] for one in rows.values())


@pytest.mark.field("execution.one_pass")
def test_histograms_are_filled_while_reading(tmp_path):
    here = inputs(tmp_path / "in")
    config = make_config(tmp_path, [simulation(here), real(here)])
    config["execution"]["one_pass"] = True
    config["preprocess"]["skimming"] = {"chunk_size": 3}
    found = run(config).result.histograms
    assert not (tmp_path / "out" / "skimmed").exists()
    assert (values(found), values(found, process="data")) == (MC, DATA)
    config["execution"]["one_pass"] = False
    two = run(config).result.histograms
    assert (tmp_path / "out" / "skimmed" / "mc__nominal").is_dir()
    assert (values(two), values(two, process="data")) == (MC, DATA)


@pytest.mark.field("execution.retry_wait")
def test_a_failed_read_is_tried_again_after_a_wait_that_doubles(tmp_path, monkeypatch):
    from hepflow.metadata_extractor import generator

    inspect, waits, tries = generator.inspect_file, [], []

    def fails_twice(task):
        tries.append(task)
        if len(tries) % 3:
            raise TimeoutError("no answer")
        return inspect(task)

    monkeypatch.setattr(generator, "inspect_file", fails_twice)
    clock = SimpleNamespace(sleep=waits.append)  # other threads go on with the real one
    monkeypatch.setattr("hepflow.execution.retrying.time", clock)
    config = make_config(tmp_path, general={"analysis": "skip", "read_from_cache": False})
    config["preprocess"]["skimming"] = {"max_retries": 2}
    for wait, expected in ((0.25, [0.25, 0.5]), (0, [0, 0])):
        config["execution"]["retry_wait"] = wait
        waits.clear()
        run(config)
        assert waits == expected
    config["execution"]["retry_wait"] = -1
    with pytest.raises(ConfigurationError, match=r"execution\.retry_wait"):
        run(config)


# -- input that cannot be processed ------------------------------------------------------


@pytest.fixture
def broken(tmp_path):
    """A configuration in which one of two files of `mc` is no ROOT file; `w` is complete."""
    here = inputs(tmp_path / "own")
    (here / "broken.root").write_bytes(b"junk" * 100)
    mc = simulation(here, files=[str(here / "mc.root"), str(here / "broken.root")])
    return make_config(tmp_path, [mc, {**simulation(here), "name": "w"}])


@pytest.mark.field("execution.on_missing")
def test_input_that_cannot_be_read_fails_or_is_left_out(broken):
    broken["execution"]["on_missing"] = "fail"
    with pytest.raises(UnreadableFile, match=r"broken\.root"):
        run(broken)
    broken["execution"] |= {"on_missing": "rescale", "missing_limit": 0.5}
    found = run(broken).result.histograms
    assert values(found) == MC  # normalised to what was processed
    assert values(found, process="w") == MC
    broken["execution"] |= {"on_missing": "drop_dataset", "missing_limit": 0.05}
    found = run(broken)
    assert found.result.histograms.processes("SR", "x") == ("w",)
    assert values(found.result.histograms, process="w") == MC
    assert any("mc" in one for one in found.remarks)


@pytest.mark.field("execution.missing_limit")
def test_a_dataset_that_lost_more_than_the_limit_stops_the_run(broken):
    broken["execution"]["on_missing"] = "rescale"  # one of two files is half of the events
    with pytest.raises(IncompleteInput, match=r"(?s)5 %.*mc__nominal: 50 % is lost.*broken\.root"):
        run(broken)
    broken["execution"]["missing_limit"] = 0.49
    with pytest.raises(IncompleteInput, match="missing_limit"):
        run(broken)
    broken["execution"]["missing_limit"] = 0.5
    assert values(run(broken).result.histograms) == MC


@pytest.mark.field("general.lumi_table", "execution.on_missing")
def test_the_luminosity_is_that_of_the_blocks_that_were_processed(tmp_path):
    here = inputs(tmp_path / "own")
    write_nano(here / "data.root", data_columns(0.5, 1.5, 1.5, 2.5))  # blocks 1 to 4
    (here / "broken.root").write_bytes(b"junk" * 100)
    data = real(here, files=[str(here / "data.root"), str(here / "broken.root")])
    table = {"1": {str(block): 0.5 for block in range(1, 9)}}  # 4 /pb in all
    (here / "lumi.json").write_text(json.dumps(table))
    (here / "certified.json").write_text(json.dumps({"1": [[1, 8]]}))
    general = {"lumifile": str(here / "certified.json")}
    config = make_config(tmp_path, [simulation(here), data], general=general)
    config["execution"] |= {"on_missing": "rescale", "missing_limit": 0.5}
    found = run(config)
    assert values(found.result.histograms) == MC
    assert found.remarks  # data is not complete
    config["general"]["lumi_table"] = str(here / "lumi.json")
    found = run(config).result.histograms
    assert values(found, process="data") == DATA
    assert values(found) == [one / 2 for one in MC]

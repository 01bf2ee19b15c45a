"""Jobs, their join, and faults: clear messages, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hepflow.errors import ConfigurationError, FileListError, InputError, StorageError
from hepflow.execution import make_executor
from hepflow.inference.records import Benchmark, EventTable, Parameter
from hepflow.inference.workflow import jobs as jobs_module
from hepflow.inference.workflow.physics import make_events
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.tables import JobEvents, join, read_job, write_job
from hepflow.schema import Study
from tests.unit.inference.workflow.small import study

RNG = np.random.default_rng(1)


def table(weights, origin=0, x=None):
    n = len(weights)
    return EventTable(
        (Parameter("a", -1, 1),),
        (Benchmark("sm", (0.0,)), Benchmark("up", (1.0,))),
        ("x",),
        RNG.random((n, 1)) if x is None else x,
        np.asarray(weights, dtype=float),
        np.full(n, origin),
        provenance={"generator": "test"},
    )


def mixed(n, origin):
    """Unweighted events of exp(-x) (sm, 2 pb) or 2 exp(-2x) (up, 3 pb), with both weights."""
    rate = 1.0 + origin
    x = RNG.exponential(1 / rate, n)
    densities = np.stack([2 * np.exp(-x), 3 * 2 * np.exp(-2 * x)], axis=1)
    own = (2.0, 3.0)[origin]
    weights = densities / densities[:, [origin]] * own / n
    return JobEvents(table(weights, origin, x[:, None]), origin, n, own)


def test_a_job_is_read_as_it_was_written(tmp_path):
    job = JobEvents(table([[1.0, 2.0], [3.0, 4.0]]), 0, 5, 2.5, {"cutflow": [{"name": "c"}]})
    write_job(tmp_path / "a.npz", job)
    found = read_job(tmp_path / "a.npz")
    assert (found.origin, found.generated, found.cross_section) == (0, 5, 2.5)
    assert found.notes == job.notes
    np.testing.assert_array_equal(found.table.weights, job.table.weights)
    assert found.table.benchmarks == job.table.benchmarks
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    with pytest.raises(StorageError, match="not the events of a job"):
        read_job(tmp_path / "b.npz")


def test_joined_weights_add_up_to_the_cross_sections():
    found = join([mixed(4000, 0), mixed(2000, 1), mixed(2000, 1)], seed=1)
    assert found.weights.sum(axis=0) == pytest.approx([2.0, 3.0], rel=0.02)
    mean = found.weights[:, 1] @ found.x[:, 0] / found.weights[:, 1].sum()
    assert mean == pytest.approx(0.5, rel=0.03)
    assert found.weights.max() < 4 * 3.0 / 8000  # no event weighs much


def test_files_are_joined_by_their_numbers_of_events():
    one = JobEvents(table([[1.0, 1.0]] * 3, -1), -1, 3, 3.0)
    two = JobEvents(table([[3.0, 3.0]], -1), -1, 1, 3.0)
    assert join([one, two], seed=1).weights.sum(axis=0) == pytest.approx([3.0, 3.0])
    other = JobEvents(replace(two.table, observables=("y",)), -1, 1, 3.0)
    with pytest.raises(InputError, match="input 2 has other observables"):
        join([one, other], seed=1)
    other = JobEvents(replace(two.table, parameters=(Parameter("b", 0, 1),)), -1, 1, 3.0)
    with pytest.raises(InputError, match="input 2 has other parameters"):
        join([one, other], seed=1)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (lambda w: np.where(np.arange(len(w))[:, None] == 1, np.nan, w), "nan in event 1"),
        (lambda w: -w, "add up to -"),
    ],
)
def test_weights_that_cannot_be_used_name_the_job_and_keep_the_others(
    bad, told, tmp_path, monkeypatch
):
    real = jobs_module.SOURCES["drell_yan"]

    def source(job):
        found = real(job)
        if job.name != "sm_0":
            return found
        return replace(found, table=replace(found.table, weights=bad(found.table.weights)))

    monkeypatch.setitem(jobs_module.SOURCES, "drell_yan", source)
    spec = PhysicsSpec.of(study(tmp_path, events=30))
    with pytest.raises(InputError, match=told) as caught:
        make_events(spec, tmp_path, make_executor("inprocess"), reuse=True)
    assert "benchmark sm, job 1 of 1" in str(caught.value)
    assert "5 of 6 finished and are kept" in str(caught.value)
    assert not (tmp_path / "events.h5").exists()
    monkeypatch.setitem(jobs_module.SOURCES, "drell_yan", real)
    assert make_events(spec, tmp_path, make_executor("inprocess"), reuse=True).made == 1


def test_benchmarks_that_do_not_span_the_model_are_refused_with_what_is_missing():
    points = {"sm": {}, "a": {"C_LL": 1}, "b": {"C_LL": -1}, "c": {"C_RR": 1}, "d": {"C_RR": -1}}
    with pytest.raises(InputError, match="C_LL C_RR"):
        PhysicsSpec.of(Study(inference={"benchmarks": points}))


def test_expressions_are_read_before_anything_is_computed():
    wrong = {
        "observables": [
            {"name": "x", "expression": "mu[0].ptt"},
            {"name": "y", "expression": "1+"},
        ],
        "cuts": [{"name": "c", "expression": "nothing > 3"}],
    }
    with pytest.raises(ConfigurationError) as caught:
        PhysicsSpec.of(Study(inference=wrong))
    paths = [one.path for one in caught.value.problems]
    assert paths == [f"inference.{one}.expression" for one in
                     ("observables[0]", "observables[1]", "cuts[0]")]  # fmt: skip
    assert "Did you mean 'pt'" in str(caught.value)


def test_a_detector_cuts_and_functions_change_the_events(tmp_path):
    cuts = [{"name": "central", "expression": "abs(mu[0].eta) < 1"}]
    spec = PhysicsSpec.of(study(tmp_path, events=100, cuts=cuts, jobs=2,
                                detector={"kind": "parametrised"}))  # fmt: skip
    found = make_events(spec, tmp_path, make_executor("inprocess"), reuse=True)
    assert 0 < found.summary["events"] < found.summary["events_generated"] == 600
    assert found.summary["cutflow"][0] == {"name": "all events", "events": 600}
    assert found.summary["cutflow"][-1]["events"] == found.summary["events"]
    assert found.jobs == 12


def test_files_that_are_not_there(tmp_path):
    process = {"source": "lhe", "files": [str(tmp_path / "*.lhe")]}
    own = {"process": process, "observables": [{"name": "n", "expression": "len(j)"}]}
    with pytest.raises(FileListError, match="no file matches"):
        list(jobs_module.jobs_of(PhysicsSpec.of(Study(inference=own)), tmp_path))
    (tmp_path / "a.lhe").touch()
    process["files"] = [str(tmp_path / "a.lhe"), str(tmp_path / "*.lhe")]
    with pytest.raises(FileListError, match="twice"):
        list(jobs_module.jobs_of(PhysicsSpec.of(Study(inference=own)), tmp_path))
    trees = {"source": "delphes_trees", "files": [str(tmp_path / "a.lhe")],
             "weights_files": [str(tmp_path / "b.*")]}  # fmt: skip
    for name in ("b.1", "b.2"):
        (tmp_path / name).touch()
    with pytest.raises(FileListError, match="2 for 1 files"):
        list(jobs_module.jobs_of(PhysicsSpec.of(Study(inference={**own, "process": trees})),
                                 Path(tmp_path)))  # fmt: skip

"""What cannot work is told before anything is computed, and what is old is told at all."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

pytest.importorskip("h5py", reason="needs the extra sbi")

from hepflow.errors import FileListError, InputError, UnreadableFile
from hepflow.execution import make_executor
from hepflow.inference import needs
from hepflow.inference.event_file import read_events, write_events
from hepflow.inference.physics.drell_yan import DrellYan
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.records import Benchmark, EventTable, Parameter
from hepflow.inference.workflow import running
from hepflow.inference.workflow.ground import EvaluationSpec, read_observed, refuse_unusable
from hepflow.inference.workflow.physics import EVENTS, made_otherwise, make_events, take_events
from hepflow.inference.workflow.sources import files_of
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.supplied import Supply
from hepflow.inference.workflow.tables import JobEvents, count_cutflow, join
from hepflow.keys import make_key
from hepflow.output_manager import OutputDirectoryManager
from tests.unit.inference.workflow.small import study

NAMES = ("mass", "rapidity", "cos_theta")


@pytest.fixture(scope="module")
def table():
    return DrellYan().table(60, BENCHMARKS, 1)


@pytest.mark.parametrize("columns", [{}, {"rapidity": np.zeros(2)}, {"mass": np.zeros((3, 2))}])
def test_observed_events_with_columns_that_are_no_numbers_of_events(tmp_path, columns):
    length = 3 if columns else 0
    path = tmp_path / "data.npz"
    np.savez(path, **{**{name: np.zeros(length) for name in NAMES}, **columns})
    with pytest.raises(InputError, match=r"one number of each event.*rapidity \("):
        read_observed(str(path), NAMES)


def test_observed_events_that_are_no_numbers(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, **{name: np.array(["a"]) for name in NAMES})
    with pytest.raises(UnreadableFile, match="not of numbers"):
        read_observed(str(path), NAMES)


@pytest.mark.parametrize("wrong", ["x", "nan", "inf"])
def test_observed_events_that_are_not_finite_are_refused_before_training(table, tmp_path, wrong):
    data = tmp_path / "data.csv"
    data.write_text(f"{','.join(NAMES)}\n91,0,0.5\n92,1,{wrong}\n")
    own = study(tmp_path, evaluation={"data": "observed", "observed": str(data)})
    with pytest.raises(InputError, match=r"1 of 2 events .* first cos_theta of event 2"):
        refuse_unusable(table, EvaluationSpec.of(own))


def test_events_of_skims_are_written_in_random_order(table, tmp_path):
    spec = PhysicsSpec.of(study(tmp_path))
    rising = table.select(np.argsort(table.x[:, 0]))
    take_events(Supply(rising, make_key("skims", cuts=1)), spec, tmp_path, reuse=True)
    written = read_events(tmp_path / EVENTS)
    assert sorted(written.x[:, 0]) == pytest.approx(rising.x[:, 0])
    assert written.weights.sum(axis=0) == pytest.approx(rising.weights.sum(axis=0))
    first = written.x[: len(table) // 2, 0]
    assert (first > np.median(rising.x[:, 0])).mean() > 0.2
    assert (first < np.median(rising.x[:, 0])).mean() > 0.2


def test_evaluations_that_would_fail_are_refused_before_training(table, tmp_path):
    source = {"source": "event_file", "files": ["events.h5"]}
    own = study(tmp_path, process=source, evaluation={"histogram": {"observables": ["mas"]}})
    with pytest.raises(InputError, match=r"'mas' is no observable.*Did you mean 'mass'"):
        refuse_unusable(table, EvaluationSpec.of(own))
    data = tmp_path / "data.npz"
    np.savez(data, mass=np.ones(3))
    own = study(tmp_path, evaluation={"data": "observed", "observed": str(data)})
    with pytest.raises(InputError, match="no column 'rapidity'"):
        refuse_unusable(table, EvaluationSpec.of(own))


def test_files_that_are_named_are_there_before_anything_runs(tmp_path):
    own = study(tmp_path, evaluation={"data": "observed", "observed": "none.csv"})
    with pytest.raises(UnreadableFile, match=r"evaluation\.observed: there is no file none\.csv"):
        running.run_study(own, "run")
    for action in ("ml", "plot"):
        with pytest.raises(UnreadableFile, match=r"--events: there is no file none\.h5"):
            running.run_study(study(tmp_path), action, events="none.h5")
    assert not (tmp_path / "inference").exists()
    spec = PhysicsSpec.of(study(tmp_path, process={"source": "event_file", "files": ["none.h5"]}))
    with pytest.raises(FileListError, match=r"process\.files: there is no file 'none\.h5'"):
        files_of(spec)


def test_a_cutflow_of_jobs_of_which_one_has_a_requirement_more(table):
    def job(**steps):
        rows = tuple({"name": name, "events": events} for name, events in steps.items())
        return JobEvents(table, 0, 10, 1.0, {"cutflow": rows})

    jobs = [job(every=10, cut=8), job(every=10, cut=9, has_x=7)]
    assert count_cutflow(jobs) == {"every": 20, "cut": 17, "has_x": 15}
    nothing = [
        dataclasses.replace(one, table=table.select(np.zeros(len(table), bool)))
        for one in (job(every=10, cut=4, has_x=0), job(every=10, cut=0))
    ]
    with pytest.raises(InputError, match=r"none of 20 events is left, none after 'has_x'"):
        join(nothing, 1)


def test_events_of_other_settings_are_told(tmp_path, caplog):
    own = study(tmp_path, events=40)
    folder = tmp_path / "inference"
    spec = PhysicsSpec.of(own)
    with make_executor("inprocess") as executor:
        make_events(spec, folder, executor, reuse=True)
    assert not made_otherwise(spec, folder)
    other = study(tmp_path, events=40, seed=8)
    bench = running.Bench(other, OutputDirectoryManager(tmp_path), None)
    with caplog.at_level(logging.WARNING):
        running._tell_of_others(bench, None)
    assert "was made with other settings (changed: jobs, seed)" in caplog.text
    missing = dataclasses.replace(spec, files=("none.h5",))
    assert not made_otherwise(missing, folder)
    (folder / f".{EVENTS}.key.json").unlink()
    assert not made_otherwise(PhysicsSpec.of(other), folder)


def test_events_of_skims_with_another_range_are_written_again(table, tmp_path):
    supply, spec = Supply(table, make_key("skims")), PhysicsSpec.of(study(tmp_path))
    assert take_events(supply, spec, tmp_path, reuse=True).made == 1
    assert take_events(supply, spec, tmp_path, reuse=True).made == 0
    wider = tuple(dataclasses.replace(one, high=9.0) for one in spec.parameters)
    other = dataclasses.replace(spec, parameters=wider)
    assert take_events(supply, other, tmp_path, reuse=True).made == 1


def test_an_event_file_of_another_run_can_be_given(table, tmp_path):
    write_events(tmp_path / "events.h5", table)
    bench = running.Bench(study(tmp_path), OutputDirectoryManager(tmp_path), None)
    assert running.event_file(bench, str(tmp_path / "events.h5")) == tmp_path / "events.h5"


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.npz", b"PK\x03\x04 and no more"), ("b.npz", b"?"), ("c.csv", b"a,b\n1\n")],
)
def test_a_file_that_is_neither_table_nor_arrays_is_told(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="expected a CSV file with a header, or an npz"):
        read_observed(str(path), NAMES)


def test_a_package_that_is_not_there_is_told_with_what_brings_it(monkeypatch):
    def absent(name):
        raise ImportError(f"no {name}")

    monkeypatch.setattr(needs.importlib, "import_module", absent)
    with pytest.raises(InputError, match=r"'h5py' is needed .* pip install 'hepflow\[sbi\]'"):
        needs.need("h5py")


def test_columns_of_a_table_have_its_shape():
    x, weights, none = np.zeros((2, 1)), np.ones((2, 1)), np.full(2, -1)
    sm = Benchmark("sm", (0.0,))
    with pytest.raises(ValueError, match=r"weights has shape \(1, 1\); expected \(2, 1\)"):
        EventTable((Parameter("a", -1, 1),), (sm,), ("x",), x, weights[:1], none)

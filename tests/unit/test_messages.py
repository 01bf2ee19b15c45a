"""Messages that no other test comes to, of modules on the lower floors."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Annotated

import awkward as ak
import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from hepflow import datasets, normalisation
from hepflow.errors import (
    ConfigurationError,
    ExecutionError,
    InputError,
    NormalisationError,
    StorageError,
    UnreadableFile,
)
from hepflow.events import open_file
from hepflow.execution.pool import PoolExecutor
from hepflow.metadata_extractor import files
from hepflow.pipeline import run
from hepflow.records import HistogramSet, Ledger
from hepflow.samples import build
from hepflow.schema.problems import problems_of, unknown_key
from tests.unit.schema.examples import valid


def raising(error):
    def function(*_, **__):
        raise error

    return function


# -- schema ----------------------------------------------------------------------------------


def problems(annotation, value):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(annotation).validate_python(value)
    return [str(one) for one in problems_of(caught.value, annotation, "here")]


def test_what_pydantic_says_in_its_own_words():
    (told,) = problems(Annotated[int, Field(multiple_of=2)], 3)
    assert told == "here: input should be a multiple of 2, but got 3."


def test_a_field_without_description_is_missing():
    class Other(BaseModel):
        size: int

    assert problems(Other, {}) == ["here.size: missing."]


def test_a_key_of_what_has_none():
    assert str(unknown_key(int, "size", "here.size")) == "here.size: unknown key."


def test_no_dataset_is_left():
    config = SimpleNamespace(
        general=SimpleNamespace(processes=["signal"]), datasets=SimpleNamespace(datasets=[])
    )
    with pytest.raises(ConfigurationError, match=r"general.processes: no dataset is left\."):
        datasets.expand_datasets(config)


def test_a_run_takes_a_class():
    with pytest.raises(InputError, match=r"expected a subclass of hepflow\.analysis\.Analysis"):
        run(valid(), dict)


# -- input files -----------------------------------------------------------------------------


def test_a_corrupted_tree_of_runs():
    columns = SimpleNamespace(kind="ROOT", runs_sum=raising(OSError("short read")))
    file = open_file.OpenFile("a.root", "Events", columns, {})
    with pytest.raises(UnreadableFile, match=r"a\.root, tree Runs: cannot be read as"):
        _ = file.runs_sum


def test_a_corrupted_remote_parquet_file(monkeypatch):
    monkeypatch.setattr(open_file, "open_parquet", raising(ValueError("no footer")))
    with pytest.raises(UnreadableFile, match=r"cannot be read as Parquet.*no footer"):
        open_file._open_remote_parquet("https://host/a.parquet")


def test_no_url_of_a_file_can_be_read(monkeypatch):
    def unreadable(path, *_):
        raise UnreadableFile(f"{path}: no answer.")

    monkeypatch.setattr(files, "open_tree", unreadable)
    task = SimpleNamespace(
        path="root://one//a.root",
        alternatives=("root://two//a.root",),
        tree="Events",
        branch_map={},
    )
    with pytest.raises(UnreadableFile, match=r"one//a\.root: no answer\.\nroot://two//a\.root: no"):
        files._open_one(task)


def test_weights_that_are_lists():
    file = SimpleNamespace(
        filename="a.root",
        names={"genWeight"},
        num_entries=2,
        read=lambda *_: {"genWeight": ak.Array([[1.0], []])},
    )
    with pytest.raises(NormalisationError, match=r"'genWeight' is of type 2 \* var \* float64"):
        files._sum_of_events(file, "genWeight", "mc__nominal")


def test_a_sum_of_weights_that_is_not_finite():
    totals = SimpleNamespace(sum_for=lambda _: float("nan"), nevts=1)
    with pytest.raises(NormalisationError, match="weight_mode 'sign' is nan"):
        normalisation.denominator(
            SimpleNamespace(key="ttbar", sumw_source="events"),
            SimpleNamespace(totals=lambda _: totals),
            "sign",
        )


# -- workers, records, samples ---------------------------------------------------------------


def test_workers_that_cannot_be_started(monkeypatch):
    no_room = raising(OSError(errno.EAGAIN, "Resource temporarily unavailable"))
    monkeypatch.setattr("loky.get_reusable_executor", no_room)
    with pytest.raises(ExecutionError, match=r"cannot start 2 worker processes: .*unavailable"):
        PoolExecutor(workers=2)._get_pool()


def test_a_part_counts_once():
    key = ("ttbar", "a.root", 0, 10)
    ledger = Ledger({key: None})
    with pytest.raises(ValueError, match="is in both histograms"):
        Ledger.merged([ledger, ledger])
    one = HistogramSet({}, {}, {}, frozenset(), {}, ledger, {})
    with pytest.raises(ValueError, match="is in both histograms"):
        _ = one + one


def test_a_sample_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    lock = build._locked(tmp_path / "file" / "sample")
    with pytest.raises(StorageError, match="the built-in sample cannot be made in"), lock:
        pass


def test_a_sample_on_a_full_disk(tmp_path, monkeypatch):
    full_disk = raising(OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(build, "write_file", full_disk)
    monkeypatch.setattr(build.generate, "generator", lambda *_: None)
    monkeypatch.setattr(build.generate, "record", lambda *_: None)
    job = SimpleNamespace(
        path=tmp_path / "a.root",
        sample=None,
        dataset=None,
        index=0,
        events=None,
        luminosity=1.0,
        files=1,
    )
    with pytest.raises(StorageError, match=r"a.root cannot be written: No space left on device\."):
        build.make_file(job)

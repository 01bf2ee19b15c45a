"""A search with as many work items as are wanted, as the metadata step leaves it, and no work.

The metadata step itself writes the files in the output folder; only what a worker would have
found in each input file is made up, as there are thousands of files.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import awkward as ak
import numpy as np
import uproot

from hepflow.analysis import Analysis
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import HepflowError
from hepflow.execution import Outcome
from hepflow.metadata_extractor import FileTask, work_steps
from hepflow.pipeline import make_output_manager, make_skims
from hepflow.records import FileInfo, PartCounts
from hepflow.schema import Config
from hepflow.skimming.making import PartRecord, SkimTask

DATASETS = 5
ITEMS_OF_FILE = 50
CHUNK = 1000  # events of a work item
_EVENTS = 100  # that really are in the one file of each dataset


class Handed(HepflowError):
    """The last stage has handed over its work: here the measurement ends."""

    def __init__(self, label: str, items: int) -> None:
        super().__init__(f"{label}: {items} items")
        self.items = items


class NoWork:
    """An executor that does nothing: each item of the first stages has a result at once.

    Attributes
    ----------
    handed : dict
        Number of items by label.
    """

    workers = 2

    def __init__(self) -> None:
        self.handed: dict[str, int] = {}

    def map(
        self,
        function: Callable[[Any], Any],  # noqa: ARG002 - as of every executor
        items: Iterable[Any],
        *,
        label: str,
        ahead: bool = False,  # noqa: ARG002
        probe: bool = False,  # noqa: ARG002
    ) -> Iterator[Outcome]:
        """Yield what a worker would return; raise `Handed` where histograms are to be filled."""
        count = 0
        for count, item in enumerate(items, 1):
            if isinstance(item, FileTask):
                yield Outcome(count - 1, item, info_of(item))
            elif isinstance(item, SkimTask):
                yield Outcome(count - 1, item, record_of(item))
        self.handed[label] = count
        if "histograms" in label:
            raise Handed(label, count)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        """Return the executor."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is open."""


def run_without_work(config: dict[str, Any], *, one_pass: bool = False) -> dict[str, int]:
    """Do what a run does until histograms are filled; return the items of each stage."""
    valid = Config.of({**config, "execution": {"one_pass": one_pass}})
    folders, executor = make_output_manager(valid), NoWork()
    skims = make_skims(valid, folders, executor, ConfigurableDatasetManager(valid.datasets))
    with suppress(Handed):
        Analysis(valid, skims, folders).fill_histograms(executor)
    return executor.handed


def info_of(task: FileTask) -> FileInfo:
    """What could be in a file."""
    events = ITEMS_OF_FILE * CHUNK
    return FileInfo(
        dataset=task.dataset,
        path=task.path,
        tree=task.tree,
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, task.path)),
        nevts=events,
        steps=work_steps(events, task.chunk_size),
        sum_weights=0.1 * events,
        runs_sum=None if task.weight_branch is None else 0.1 * events,
    )


def record_of(task: SkimTask) -> PartRecord:
    """What could come of a work item."""
    item = task.item
    counts = PartCounts(
        dataset=item.dataset,
        file=item.filename,
        entrystart=item.entrystart,
        entrystop=item.entrystop,
        nevts=item.entrystop - item.entrystart,
        sum_weights=0.1 * (item.entrystop - item.entrystart),
        sum_signs=0.1 * (item.entrystop - item.entrystart),
    )
    name = task.path.rpartition("/")[2]
    digest = 4 * name.rpartition("_")[2][:16]
    return PartRecord(name, item.fileuuid, counts, 300, 20_000, digest, 1)


def names(datasets: int) -> tuple[str, ...]:
    """Names of so many datasets."""
    return ("signal", *(f"background_{i}" for i in range(datasets - 2)), "data")


def write_files(folder: Path, items: int, datasets: int = DATASETS) -> int:
    """Write the input files, all of a dataset links to one; return how many work items they give.

    Raises
    ------
    ValueError
        Fewer items than one file of each dataset has.
    """
    each = items // (ITEMS_OF_FILE * datasets)
    if not each:
        raise ValueError(f"{items} items: expected {ITEMS_OF_FILE * datasets} or more")
    for name in names(datasets):
        (folder / name).mkdir(parents=True, exist_ok=True)
        first = folder / name / "00000.root"
        _write_root(first)
        for number in range(1, each):
            os.link(first, first.with_name(f"{number:05}.root"))
    return each * ITEMS_OF_FILE * datasets


def _write_root(path: Path) -> None:
    counts = np.full(_EVENTS, 2)
    jets = ak.unflatten(np.full(2 * _EVENTS, 50.0, np.float32), counts)
    columns = {
        "trigger": np.ones(_EVENTS, np.bool_),
        "MET_pt": np.full(_EVENTS, 60.0, np.float32),
        "Jet_pt": jets,
        "nJet": counts.astype(np.int32),
        "genWeight": np.full(_EVENTS, 0.1, np.float32),
    }
    types = {name: np.asarray(one).dtype for name, one in columns.items() if name != "Jet_pt"}
    del types["nJet"]
    with uproot.recreate(path) as file:
        file.mktree("Events", {**types, "Jet_pt": "var * float32"}, counter_name=lambda _: "nJet")
        file["Events"].extend(columns)


def write_parts(folder: Path) -> int:
    """Make the parts that the manifests of a run know, as holes of their size; return how many."""
    count = 0
    for manifest in (folder / "out" / "skimmed").glob("*/manifest.json"):
        for part in json.loads(manifest.read_bytes())["parts"]:
            path = manifest.with_name(part["name"])
            with path.open("xb") as file:
                file.truncate(part["size"])
            os.utime(path, ns=(part["mtime_ns"], part["mtime_ns"]))
            count += 1
    return count


def configuration(folder: Path, datasets: int = DATASETS) -> dict[str, Any]:
    """Configuration of the search."""
    return {
        "general": {
            "lumi": 100.0,
            "output_dir": str(folder / "out"),
            "cache_dir": str(folder / "cache"),
        },
        "datasets": {"datasets": [_dataset(folder, name) for name in names(datasets)]},
        "preprocess": {
            "branches": {"event": ["trigger"], "MET": ["pt"], "Jet": ["pt"]},
            "mc_branches": {"event": ["genWeight"]},
            "skimming": {"function": keep, "use": [("event", "trigger")], "chunk_size": CHUNK},
        },
        "channels": [
            _channel("SR", "signal", many),
            _channel("CR", "control", few),
        ],
        "systematics": [{"name": "size", "type": "normalisation", "size": 0.1}],
        "statistics": {
            "poi": "mu",
            "norm_factors": [{"name": "mu", "processes": ["signal"], "bounds": (0.0, 20.0)}],
        },
        "plotting": {"enabled": False, "signal_processes": ["signal"]},
    }


def _dataset(folder: Path, name: str) -> dict[str, Any]:
    # to look for repeated events is work of its own
    data = {"is_data": True, "duplicates": "keep"}
    kind = data if name == "data" else {"cross_section": 1.0}
    return {"name": name, "directory": str(folder / name), **kind}


def _channel(name: str, kind: str, function: Callable[..., Any]) -> dict[str, Any]:
    met = {"name": "met", "binning": "0,200,4", "function": itself, "use": [("MET", "pt")]}
    return {
        "name": name,
        "kind": kind,
        "selection": {"function": function, "use": [("Jet", None)]},
        "observables": [met],
        "fit_observable": "met",
    }


def keep(trigger: Any) -> Any:
    """Events that triggered."""
    return trigger


def many(jets: Any) -> Any:
    """At least two jets."""
    return ak.num(jets, axis=1) > 1


def few(jets: Any) -> Any:
    """At most one jet."""
    return ak.num(jets, axis=1) <= 1


def itself(values: Any) -> Any:
    """A column as it is."""
    return values

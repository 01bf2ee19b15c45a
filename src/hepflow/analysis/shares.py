"""How much of the luminosity was processed, where data is incomplete and a table tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hepflow.errors import InputError, StorageError
from hepflow.execution import Executor
from hepflow.execution.failures import raise_failures, separated
from hepflow.keys import stable_hash
from hepflow.lumi_mask import Ranges, load_certified
from hepflow.luminosity import (
    FileBlocks,
    LumiTable,
    ProcessedData,
    check_years_apart,
    load_table,
    luminosity_fraction,
    processed_blocks,
    read_blocks,
)
from hepflow.records import Dataset, Ledger, WorkItem
from hepflow.schema import Config
from hepflow.storage import file_stamp, private_folder, read_part, sha256_file, write_part

FORMAT = 1
Files = dict[tuple[str, str], FileBlocks]  # by dataset and file


@dataclass(frozen=True)
class BlockTask:
    """A file of data whose luminosity blocks are wanted, and where they are kept."""

    dataset: str
    file: str
    tree: str
    path: str
    branch_map: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.dataset}: {self.file}"

    @property
    def stage(self) -> str:
        """For records of failures."""
        return "luminosity"

    @property
    def work(self) -> WorkItem:
        """The file as a whole."""
        return WorkItem(self.dataset, self.file, self.tree, 0, 0, "")


def find_blocks(task: BlockTask) -> FileBlocks:
    """Read the blocks of a file and keep them. Runs on workers."""
    found = read_blocks(task.file, task.tree, task.branch_map)
    content = {"codes": found.codes, "counts": found.counts, "listed": found.listed}
    write_part(task.path, {"format": FORMAT, **content})
    return found


def table_digest(config: Config) -> str | None:
    """SHA-256 of ``general.lumi_table``; None where it is not given.

    Raises
    ------
    InputError
        If there is no such file.
    """
    file = config.general.lumi_table
    if file is None:
        return None
    if not Path(file).is_file():
        raise InputError(f"general.lumi_table: there is no file {file}. Give the path of one.")
    return sha256_file(file)


def usable_table(
    config: Config, datasets: Mapping[str, Dataset], digests: Mapping[str, str]
) -> LumiTable | None:
    """Table that incomplete data would be scaled with; None where that is not wanted.

    Parameters
    ----------
    datasets
        By key.
    digests
        Certified list -> SHA-256.

    Raises
    ------
    InputError
        If there is no such file, or it is no table of luminosity.
    NormalisationError
        If certified lists do not tell the years of its blocks apart.
    """
    digest = table_digest(config)
    if digest is None or config.execution.on_missing != "rescale":
        return None
    table = load_table(str(config.general.lumi_table), digest)
    lists: dict[str, list[Ranges | None]] = {}
    for one in datasets.values():
        if one.is_data:
            lists.setdefault(one.year or "", []).append(_certified(one, digests))
    check_years_apart(table, lists)
    return table


def luminosity_shares(
    config: Config,
    datasets: Mapping[str, Dataset],
    digests: Mapping[str, str],
    ledger: Ledger,
    executor: Executor,
    cache: Path,
) -> dict[str, float]:
    """Fraction of its year's luminosity that was processed, by dataset of incomplete data.

    Parameters
    ----------
    datasets
        By key.
    digests
        Certified list -> SHA-256.
    ledger
        What was processed.
    cache
        Folder where the blocks of files are kept.

    Returns
    -------
    dict
        For all data of each year of which data is incomplete; empty without a table.

    Raises
    ------
    InputError
        If the table cannot be used.
    NormalisationError
        If it does not tell the luminosity of what was processed.
    """
    data = {key: one for key, one in datasets.items() if one.is_data}
    missing = ledger.incomplete(data)
    table = usable_table(config, datasets, digests) if missing else None
    if table is None:
        return {}
    lists = {key: _certified(one, digests) for key, one in data.items()}
    by_year: dict[str, list[str]] = {}
    for key, one in data.items():
        by_year.setdefault(one.year or "", []).append(key)
    # Of a year without any data nothing can be said: its data stays incomplete.
    years = {
        year: keys
        for year, keys in by_year.items()
        if missing.keys() & set(keys) and any(ledger.parts_of(key) for key in keys)
    }
    wanted = [data[key] for keys in years.values() for key in keys]
    files = _blocks_of(wanted, ledger, executor, cache)
    return {
        key: share
        for year, keys in years.items()
        for share in [_share(table, keys, lists, ledger, files)]
        for key in keys
    }


def _certified(dataset: Dataset, digests: Mapping[str, str]) -> Ranges | None:
    file = dataset.lumi_mask
    return None if file is None else load_certified(file, digests[file])


def _share(
    table: LumiTable,
    keys: Sequence[str],
    lists: Mapping[str, Ranges | None],
    ledger: Ledger,
    files: Files,
) -> float:
    """Fraction of the luminosity of a year's datasets."""
    found = []
    for key in keys:
        ranges: dict[str, list[tuple[int, int]]] = {}
        for part in ledger.parts_of(key):
            ranges.setdefault(part.file, []).append((part.entrystart, part.entrystop))
        blocks = processed_blocks((files[key, file], done) for file, done in ranges.items())
        found.append(ProcessedData(key, *blocks, lists[key]))
    return luminosity_fraction(table, found, [lists[key] for key in keys])


def _blocks_of(
    datasets: Sequence[Dataset], ledger: Ledger, executor: Executor, cache: Path
) -> Files:
    """Blocks of all files of which something was processed, read or found in the cache."""
    folder = private_folder(cache)
    tasks = [
        BlockTask(one.key, file, one.tree_name, str(folder / _name(file, one)), one.branch_map)
        for one in datasets
        for file in dict.fromkeys(part.file for part in ledger.parts_of(one.key))
    ]
    found = {(one.dataset, one.file): _stored(Path(one.path)) for one in tasks}
    todo = [one for one in tasks if found[one.dataset, one.file] is None]
    doing = "reading luminosity blocks"
    done, failed = separated(executor.map(find_blocks, todo, label=doing) if todo else ())
    found |= {(one.item.dataset, one.item.file): one.value for one in done}
    raise_failures(failed, doing, of=len(tasks))
    return {key: blocks for key, blocks in found.items() if blocks is not None}


def _name(file: str, dataset: Dataset) -> str:
    # A file at a URL is taken as unchanged, as its metadata is.
    known = [FORMAT, file, file_stamp(file), dataset.tree_name, dict(dataset.branch_map)]
    return f"{stable_hash(known)}.pkl"


def _stored(path: Path) -> FileBlocks | None:
    try:
        stored = read_part(path)
        return FileBlocks(*(np.asarray(stored[name]) for name in ("codes", "counts", "listed")))
    except (StorageError, KeyError):
        return None  # read again from the file


def scaled_luminosity(
    luminosity: Mapping[str, float], shares: Mapping[str, float], datasets: Mapping[str, Dataset]
) -> dict[str, float]:
    """Luminosity [1/pb] by year, of incomplete data what was processed of it."""
    by_year = {datasets[key].year or "": share for key, share in shares.items()}
    if "" in luminosity:  # one number: there is but one year, named or not
        by_year[""] = next(iter(by_year.values()), 1.0)
    return {year: value * by_year.get(year, 1.0) for year, value in luminosity.items()}


def scaled_datasets(
    datasets: Sequence[Dataset], luminosity: Mapping[str, float]
) -> tuple[Dataset, ...]:
    """Datasets whose simulation is normalised to this luminosity [1/pb] by year."""
    return tuple(
        one
        if one.luminosity is None
        else replace(one, luminosity=luminosity["" if "" in luminosity else one.year or ""])
        for one in datasets
    )

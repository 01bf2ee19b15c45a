"""Expand the configuration to one record per normalisation group, and find their files."""

from __future__ import annotations

import glob
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from hepflow.errors import ConfigurationError, FileListError, InputError, Problem, did_you_mean
from hepflow.records import Dataset
from hepflow.schema import Config, DatasetEntry, Datasets

_log = logging.getLogger(__name__)
T = TypeVar("T")
_SHOWN = 5  # files that a message names


def dataset_key(entry: DatasetEntry) -> str:
    """Key of the normalisation group: data by its name, simulation with its variation."""
    return entry.name if is_data(entry) else f"{entry.name}__{entry.variation}"


def is_data(entry: DatasetEntry) -> bool:
    """Whether an entry is collision data: its field, or the name ``data`` without the field."""
    return entry.name == "data" if entry.is_data is None else entry.is_data


def process_of(entry: DatasetEntry) -> str:
    """Process that an entry belongs to."""
    return entry.process or entry.name


def expand_datasets(config: Config) -> tuple[Dataset, ...]:
    """One record for each normalisation group, without looking at the disk.

    Raises
    ------
    ConfigurationError
        If no dataset is left.
    """
    wanted = config.general.processes
    found = [
        _dataset(config, entry)
        for entry in config.datasets.datasets
        if wanted is None or process_of(entry) in wanted
    ]
    if not found:
        raise ConfigurationError([Problem("general.processes", "no dataset is left.")])
    return tuple(found)


def _dataset(config: Config, entry: DatasetEntry) -> Dataset:
    data = is_data(entry)
    general = config.general
    return Dataset(
        key=dataset_key(entry),
        name=entry.name,
        process=process_of(entry),
        variation=entry.variation,
        is_data=data,
        year=entry.year,
        cross_section=None if data else entry.cross_section,
        luminosity=None if data else luminosity_of(general.lumi, entry.year),
        k_factor=entry.k_factor,
        filter_efficiency=entry.filter_efficiency,
        tree_name=entry.tree_name or config.datasets.effective_tree_name,
        weight_branch=None if data else entry.weight_branch or general.weight_branch,
        sumw_source=entry.sumw_source,
        lumi_mask=(entry.lumi_mask or general.lumifile) if data else None,
    )


def luminosity_of(lumi: float | Mapping[str, float], year: str | None) -> float:
    """Luminosity [1/pb] of a year."""
    return lumi[year or ""] if isinstance(lumi, Mapping) else lumi


def luminosity_by_year(config: Config) -> dict[str, float]:
    """Luminosity [1/pb] by year; under the key "" where the configuration names no year."""
    lumi = config.general.lumi
    return dict(lumi) if isinstance(lumi, Mapping) else {"": lumi}


def resolve_files(entry: DatasetEntry) -> list[str]:
    """Find all files of an entry: sorted, each once, all there.

    Raises
    ------
    FileListError
        If a listing is missing or empty, a glob matches nothing, a local file does not exist,
        or a file is repeated.
    """
    where = f"dataset {entry.name!r}"
    if entry.directory is not None:
        files = _files_in(entry.directory, entry.file_pattern, where)
    else:
        files = [file for text in entry.files or () for file in _files_of(text, where)]
    if not files:
        raise FileListError(f"{where}: the list of files is empty.")
    times = Counter(map(_identity, files))
    repeated = sorted({file for file in files if times[_identity(file)] > 1})
    if repeated:
        raise FileListError(
            f"{where}: listed more than once: {_some(repeated)}. Its events would count twice; "
            "name each file once."
        )
    missing = [file for file in files if not _is_remote(file) and not Path(file).is_file()]
    if missing:
        raise FileListError(
            f"{where}: {len(missing)} of {len(files)} files do not exist: {_some(missing)}. "
            "Check the listing or the directory."
        )
    return sorted(files)


def _files_in(directory: str, pattern: str, where: str) -> list[str]:
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise FileListError(f"{where}: there is no directory {directory}.")
    listings = sorted(folder.glob("*.txt"))
    if listings:
        return [file for listing in listings for file in _read_listing(listing, where)]
    found = [str(path) for path in folder.glob(pattern)]
    if not found:
        raise FileListError(f"{where}: no file in {directory} matches {pattern!r}.")
    return found


def _files_of(text: str, where: str) -> list[str]:
    if _is_remote(text):
        return [text]
    path = Path(text).expanduser()
    if path.suffix == ".txt":
        if not path.is_file():
            raise FileListError(
                f"{where}: there is no listing {text}. Expected a text file with one path a line; "
                "check `files` of the dataset."
            )
        return _read_listing(path, where)
    if glob.has_magic(text):
        found = glob.glob(str(path), recursive=True)  # noqa: PTH207 - patterns may be absolute
        if not found:
            raise FileListError(f"{where}: no file matches {text!r}.")
        return found
    return [str(path)]


def _read_listing(listing: Path, where: str) -> list[str]:
    """One path or URL a line; relative ones start at the listing; ``#`` begins a comment."""
    try:
        text = listing.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise FileListError(
            f"{where}: the listing {listing} cannot be read: {reason}. Expected one path a line."
        ) from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    entries = [line for line in lines if line]
    if not entries:
        raise FileListError(
            f"{where}: the listing {listing} is empty. Expected one path a line; list the files, "
            "or leave the dataset out."
        )
    return [one if _is_remote(one) else os.path.normpath(listing.parent / one) for one in entries]


def _is_remote(file: str) -> bool:
    return "://" in file


def _identity(file: str) -> str:
    """The same for two ways to write one path, links included."""
    return file if _is_remote(file) else str(Path(file).resolve())


def _some(files: Sequence[str]) -> str:
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return ", ".join(files[:_SHOWN]) + more


class ConfigurableDatasetManager:
    """The configured datasets, by process.

    Parameters
    ----------
    datasets
        Section ``datasets`` of a validated configuration.

    Attributes
    ----------
    datasets : dict
        Entries by dataset name.
    """

    def __init__(self, datasets: Datasets) -> None:
        self.section = datasets
        self._prepared = False
        self.datasets: dict[str, DatasetEntry] = {}
        for i, entry in enumerate(datasets.datasets):
            if entry.name in self.datasets:
                path = f"datasets.datasets[{i}].name"
                raise ConfigurationError([Problem(path, f"the name {entry.name!r} is repeated.")])
            self.datasets[entry.name] = entry

    def prepare(self) -> None:
        """Make or fetch the files, where the configuration says how; once for this manager."""
        if self.section.prepare is not None and not self._prepared:
            self.section.prepare()
        self._prepared = True

    def list_processes(self) -> list[str]:
        """Names of all processes, in the order of the configuration."""
        return list(dict.fromkeys(process_of(entry) for entry in self.datasets.values()))

    def validate_process(self, process: str) -> bool:
        """Whether there is such a process."""
        return process in self.list_processes()

    def entries(self, process: str) -> list[DatasetEntry]:
        """Datasets of a process.

        Raises
        ------
        InputError
            If there is no such process.
        """
        found = [entry for entry in self.datasets.values() if process_of(entry) == process]
        if not found:
            hint = did_you_mean(process, self.list_processes())
            raise InputError(f"there is no process {process!r}. {hint}")
        return found

    def get_cross_section(self, process: str) -> float | dict[str, float | None] | None:
        """Cross-section [pb] (None for data); a mapping by dataset key where there are several."""
        return _one_or_all({dataset_key(one): one.cross_section for one in self.entries(process)})

    def get_dataset_directory(self, process: str) -> Path | dict[str, Path | None] | None:
        """Directory of the files (None where files are listed one by one)."""
        return _one_or_all(
            {
                dataset_key(one): Path(one.directory) if one.directory else None
                for one in self.entries(process)
            }
        )

    def get_tree_name(self, process: str) -> str | dict[str, str]:
        """Tree with the events."""
        names = {
            dataset_key(one): one.tree_name or self.section.effective_tree_name
            for one in self.entries(process)
        }
        return next(iter(names.values())) if len(set(names.values())) == 1 else names

    def get_cross_section_map(self) -> dict[str, float | dict[str, float | None] | None]:
        """Cross-sections [pb] by process."""
        return {process: self.get_cross_section(process) for process in self.list_processes()}

    def get_files(self, process: str) -> list[str]:
        """Files of a process, sorted within each dataset, after ``max_files``."""
        return [file for one in self.entries(process) for file in self.files_of(one)]

    def files_of(self, entry: DatasetEntry) -> list[str]:
        """Files of one dataset, after ``max_files``."""
        return resolve_files(entry)[: self.section.effective_max_files]


def _one_or_all(found: dict[str, T]) -> T | dict[str, T]:
    return next(iter(found.values())) if len(found) == 1 else found

"""Expand the configuration to one record per normalisation group, and find their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from hepflow.errors import ConfigurationError, InputError, Problem, did_you_mean
from hepflow.events import EVENT_ID
from hepflow.file_lists import find_files
from hepflow.records import WHERE_KNOWN, Dataset
from hepflow.remote import is_remote
from hepflow.schema import Config, DatasetEntry, Datasets, Functor

T = TypeVar("T")
NOMINAL = "nominal"


@dataclass(frozen=True)
class Group:
    """One normalisation group of an entry: what shares a year and a slice."""

    entry: DatasetEntry
    slice: str  # "" where the entry has none
    year: str | None
    cross_section: float | None  # [pb]; None for data
    k_factor: float
    filter_efficiency: float
    directories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    keep: Functor | None = None  # which of its events count; None: all
    stem: str = ""  # name of the entry, with slice and year where it has several

    @property
    def key(self) -> str:
        """Key of the group: data by its name, simulation with its variation."""
        return self.stem if self.is_data else f"{self.stem}__{self.entry.variation}"

    @property
    def is_data(self) -> bool:
        """Whether it is collision data."""
        return bool(self.entry.is_data)

    @property
    def process(self) -> str:
        """Process that it belongs to."""
        return process_of(self.entry)


def process_of(entry: DatasetEntry) -> str:
    """Process that an entry belongs to."""
    return entry.process or entry.name


def groups_of(entry: DatasetEntry) -> tuple[Group, ...]:
    """Split an entry into its normalisation groups.

    Directories, cross-sections and years are zipped; directories that share the year and have
    no cross-section of their own are one sample. A year or slice becomes part of the key where
    the entry has several.

    Examples
    --------
    >>> one = DatasetEntry(name="w", directory=["a", "b"], cross_section=[1, 2], year="2016")
    >>> [(group.key, group.cross_section) for group in groups_of(one)]
    [('w_0__nominal', 1.0), ('w_1__nominal', 2.0)]
    """
    parts = _slices(entry) if entry.slices else _zipped(entry)
    years = len({part.year for part in parts}) > 1
    return tuple(
        replace(
            part,
            stem="_".join(
                [entry.name, *([part.slice] if part.slice else []), *([part.year or ""] * years)]
            ),
        )
        for part in parts
    )


def _slices(entry: DatasetEntry) -> list[Group]:
    slices = entry.slices or []
    years = _for_each(entry.year, len(slices))
    return [
        Group(
            entry=entry,
            slice=one.name,
            year=one.year or year,
            cross_section=one.cross_section,
            k_factor=one.k_factor or entry.k_factor,
            filter_efficiency=one.filter_efficiency or entry.filter_efficiency,
            directories=(one.directory,) if one.directory else (),
            files=tuple(one.files or ()),
            keep=one.keep or entry.keep,
        )
        for one, year in zip(slices, years, strict=True)
    ]


def _zipped(entry: DatasetEntry) -> list[Group]:
    """Groups of directories, cross-sections and years that go side by side."""
    directories = _listed(entry.directory)
    length = max(1, len(directories), len(_listed(entry.cross_section)), len(_listed(entry.year)))
    sliced = isinstance(entry.cross_section, list) and len(entry.cross_section) > 1
    years = _for_each(entry.year, length)
    sections = _for_each(entry.cross_section, length)
    numbers: Counter[str | None] = Counter()
    found: dict[tuple[str | None, int], Group] = {}
    for i in range(length):
        place = (years[i], numbers[years[i]] if sliced else 0)
        numbers[years[i]] += 1
        group = found.get(place) or Group(
            entry=entry,
            slice="",
            year=years[i],
            cross_section=sections[i],
            k_factor=entry.k_factor,
            filter_efficiency=entry.filter_efficiency,
            files=tuple(entry.files or ()),
            keep=entry.keep,
        )
        folder = directories[i : i + 1] if len(directories) > 1 else directories
        found[place] = replace(group, directories=(*group.directories, *folder))
    several = {year for year, count in numbers.items() if sliced and count > 1}
    return [
        replace(group, slice=str(number)) if year in several else group
        for (year, number), group in found.items()
    ]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _for_each(value: Any, length: int) -> list[Any]:
    """One value for each of several; a single one stands for all."""
    values = _listed(value) or [None]
    return values * length if len(values) == 1 else values


def all_groups(entries: Sequence[DatasetEntry]) -> tuple[Group, ...]:
    """Normalisation groups of several entries, in order."""
    return tuple(group for entry in entries for group in groups_of(entry))


def expand_datasets(config: Config) -> tuple[Dataset, ...]:
    """One record for each normalisation group, without looking at the disk.

    Raises
    ------
    ConfigurationError
        If no dataset is left.
    """
    wanted = config.general.processes
    entries = [
        entry for entry in config.datasets.datasets if wanted is None or process_of(entry) in wanted
    ]
    if not entries:
        raise ConfigurationError([Problem("general.processes", "no dataset is left.")])
    groups = all_groups(entries)
    return tuple(_dataset(config, group, groups) for group in groups)


def _dataset(config: Config, group: Group, groups: Sequence[Group]) -> Dataset:
    entry, general = group.entry, config.general
    data = group.is_data
    return Dataset(
        key=group.key,
        name=entry.name,
        process=group.process,
        variation=entry.variation,
        is_data=data,
        year=group.year,
        cross_section=None if data else group.cross_section,
        luminosity=None if data else luminosity_of(general.lumi, group.year),
        k_factor=group.k_factor,
        filter_efficiency=group.filter_efficiency,
        tree_name=entry.tree_name or config.datasets.effective_tree_name,
        weight_branch=None if data else entry.weight_branch or general.weight_branch,
        sumw_source=entry.sumw_source,
        lumi_mask=(entry.lumi_mask or general.lumifile) if data else None,
        slice=group.slice,
        branch_map=dict(entry.branch_map),
        replaces=_replaced(group, groups),
        duplicates=_duplicates(config, entry, groups) if data else "keep",
    )


def _replaced(group: Group, groups: Sequence[Group]) -> tuple[str, ...]:
    """Keys of the nominal groups whose place an alternative sample takes, of its year."""
    entry = group.entry
    if entry.variation == NOMINAL:
        return ()
    return tuple(
        one.key
        for one in groups
        if one.entry.variation == NOMINAL
        and one.year == group.year
        and one.process == group.process
        and (entry.replaces is None or one.entry.name in entry.replaces)
    )


def _duplicates(config: Config, entry: DatasetEntry, groups: Sequence[Group]) -> str:
    """What happens to repeated events: by default each counts once.

    Files of a single dataset need not number their events, unless the configuration says so.
    """
    if entry.duplicates is not None:
        return entry.duplicates
    asked = set(EVENT_ID) <= set(config.preprocess.branches.get("event", []))
    compared = [one for one in groups if one.is_data and one.entry.duplicates != "keep"]
    return "once" if asked or len(compared) > 1 else WHERE_KNOWN


def luminosity_of(lumi: float | Mapping[str, float], year: str | None) -> float:
    """Luminosity [1/pb] of a year."""
    return lumi[year or ""] if isinstance(lumi, Mapping) else lumi


def luminosity_by_year(config: Config) -> dict[str, float]:
    """Luminosity [1/pb] by year; under the key "" where the configuration names no year."""
    lumi = config.general.lumi
    return dict(lumi) if isinstance(lumi, Mapping) else {"": lumi}


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

    def groups(self, process: str) -> tuple[Group, ...]:
        """Normalisation groups of a process.

        Raises
        ------
        InputError
            If there is no such process.
        """
        return all_groups(self.entries(process))

    def get_cross_section(self, process: str) -> float | dict[str, float | None] | None:
        """Cross-section [pb] (None for data); a mapping by dataset key where there are several."""
        return _one_or_all({one.key: one.cross_section for one in self.groups(process)})

    def get_dataset_directory(self, process: str) -> Any:
        """Directory of the files (None where files are listed one by one).

        Returns
        -------
        Path (text for a URL), a list of these, None, or a mapping of these by dataset key where
        there are several.
        """
        return _one_or_all({one.key: _paths(one.directories) for one in self.groups(process)})

    def get_tree_name(self, process: str) -> str | dict[str, str]:
        """Tree with the events."""
        names = {
            one.key: one.entry.tree_name or self.section.effective_tree_name
            for one in self.groups(process)
        }
        return next(iter(names.values())) if len(set(names.values())) == 1 else names

    def get_cross_section_map(self) -> dict[str, float | dict[str, float | None] | None]:
        """Cross-sections [pb] by process."""
        return {process: self.get_cross_section(process) for process in self.list_processes()}

    def get_files(self, process: str) -> list[str]:
        """Files of a process, sorted within each dataset, after ``max_files``."""
        return [file for one in self.groups(process) for file in self.files_of(one)]

    def files_of(self, group: Group) -> list[str]:
        """Files of one normalisation group, after ``max_files``."""
        return self.all_files_of(group)[: self.section.effective_max_files]

    def all_files_of(self, group: Group) -> list[str]:
        """Files of one normalisation group, those left out by ``max_files`` included.

        Raises
        ------
        FileListError
            If files are missing or listed twice.
        """
        return find_files(
            f"dataset {group.stem!r}",
            directories=group.directories,
            files=group.files,
            pattern=group.entry.file_pattern,
            redirectors=group.entry.redirectors or (),
            must_exist=self.section.on_missing == "fail",
        )


def _paths(directories: tuple[str, ...]) -> Path | str | list[Path | str] | None:
    """Folders as paths; a URL stays a text."""
    paths = [one if is_remote(one) else Path(one) for one in directories]
    return paths if len(paths) > 1 else next(iter(paths), None)


def _one_or_all(found: dict[str, T]) -> T | dict[str, T]:
    return next(iter(found.values())) if len(found) == 1 else found

"""Do one item of a run again that failed, in this process and without writing anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from hepflow.analysis import Analysis
from hepflow.analysis.batches import checked_chunk
from hepflow.datasets import ConfigurableDatasetManager, all_groups, expand_datasets
from hepflow.errors import InputError, did_you_mean
from hepflow.events import open_tree
from hepflow.failed import FailedItem
from hepflow.file_lists import alternatives
from hepflow.luminosity import read_blocks
from hepflow.metadata_extractor.files import FileTask, inspect_file
from hepflow.pipeline import make_output_manager
from hepflow.records import Cutflow, Dataset, WorkItem
from hepflow.remote import identity, is_remote, shown
from hepflow.schema import Config
from hepflow.skimming.counting import Counting, counted_ids
from hepflow.skimming.parts import LivePart
from hepflow.skimming.select import select_events
from hepflow.skimming.spec import SkimSpec
from hepflow.skimming.totals import item_metadata


@dataclass(frozen=True)
class ReplayResult:
    """What an item gave that works by now."""

    failed: FailedItem  # what was done again; its entry range may be a part of the recorded one
    n_read: int  # events
    n_selected: int | None  # events that pass the skim; None for work on whole files
    sum_weights: float | None  # generator weights of all events read (data: events)
    cutflows: Mapping[str, Cutflow]  # by channel; of the histograms only
    seconds: float  # [s] wall clock


@dataclass(frozen=True)
class _Work:
    """What an item is done with."""

    config: Config
    dataset: Dataset
    item: WorkItem  # with the file as it is opened
    analysis: type[Analysis]

    def spec(self) -> SkimSpec:
        """The selection of this dataset."""
        return SkimSpec.from_config(self.config).only(self.dataset.key)

    def part(self) -> LivePart:
        """The entry range as a part that is read live; what is repeated in it is not left out."""
        return LivePart(self.spec(), self.item, _metadata(self.dataset, self.item), "")


@dataclass(frozen=True)
class _Counts:
    n_read: int
    n_selected: int | None = None
    sum_weights: float | None = None
    cutflows: Mapping[str, Cutflow] | None = None


def replay(
    failed: FailedItem,
    config: Config | Mapping[str, Any],
    analysis: type[Analysis] | None = None,
) -> ReplayResult:
    """Do again exactly what failed. Events are read from the input file, nothing is written.

    Parameters
    ----------
    failed
        As `hepflow.failed.read_failed` reads it.
    config
        Configuration, which may have been repaired since; it is validated again.
    analysis
        Class whose steps fill histograms; default `Analysis`.

    Returns
    -------
    ReplayResult
        It works by now.

    Raises
    ------
    Exception
        Whatever the stage raises: the same as in the run, as long as nothing was repaired. An
        exception in the user's code is its cause.
    InputError
        If the configuration has no such dataset, or the file ends before the entry range.
    """
    valid = Config.of(config)
    dataset = _dataset_of(failed, valid)
    item = WorkItem(
        dataset=dataset.key,
        filename=_file_of(failed, valid),
        treename=failed.treename or dataset.tree_name,
        entrystart=failed.entrystart,
        entrystop=failed.entrystop,
        fileuuid=failed.fileuuid,
        usermeta=failed.usermeta,
    )
    work = _Work(valid, dataset, item, analysis or Analysis)
    started = time.perf_counter()
    if not failed.whole_file:
        _check_range(work)
    counts = _STAGES[failed.stage](work)
    return ReplayResult(
        failed=failed,
        n_read=counts.n_read,
        n_selected=counts.n_selected,
        sum_weights=counts.sum_weights,
        cutflows=counts.cutflows or {},
        seconds=time.perf_counter() - started,
    )


def narrowed(failed: FailedItem, start: int, stop: int) -> FailedItem:
    """The same item with a part of its entry range.

    Raises
    ------
    InputError
        If it is no part of it, or the item is a whole file.
    """
    if failed.whole_file:
        raise InputError(f"{failed.stage} looks at the whole file: there are no entries to choose.")
    if not failed.entrystart <= start < stop <= failed.entrystop:
        raise InputError(
            f"entries {start} to {stop} are no part of what failed, expected a range within "
            f"{failed.entrystart}:{failed.entrystop}."
        )
    return replace(failed, entrystart=start, entrystop=stop)


# -- what the record names -------------------------------------------------------------------


def _dataset_of(failed: FailedItem, config: Config) -> Dataset:
    known = {dataset.key: dataset for dataset in expand_datasets(config)}
    if failed.dataset not in known:
        hint = did_you_mean(failed.dataset, known)
        raise InputError(
            f"the configuration has no dataset {failed.dataset!r}, in which something failed. "
            f"{hint} Give the configuration of that run (--config)."
        )
    return known[failed.dataset]


def _file_of(failed: FailedItem, config: Config) -> str:
    """The file as it is opened: credentials of a URL stand in the configuration only."""
    if not is_remote(failed.file):
        return failed.file
    manager = ConfigurableDatasetManager(config.datasets)
    groups = [one for one in all_groups(config.datasets.datasets) if one.key == failed.dataset]
    for group in groups:
        for file in manager.all_files_of(group):
            urls = (file, *alternatives(file, group.entry.redirectors or ()))
            known = {identity(url): url for url in urls}
            if failed.file in known:
                return known[failed.file]
    if "?" not in failed.file:
        return failed.file  # taken off the list since, and perhaps open to all
    raise InputError(
        f"{failed.file} is not among the files of {failed.dataset!r} in the configuration, where "
        "its full URL stands. Give the configuration of the run that failed (--config)."
    )


def _check_range(work: _Work) -> None:
    """Make sure that the file has these entries; what cannot be opened fails in the stage."""
    item = work.item
    file = open_tree(item.filename, item.treename, work.dataset.branch_map)
    same = item.fileuuid in {"", file.uuid}  # another file is told by the stage
    if same and file.num_entries < item.entrystop:
        raise InputError(
            f"{shown(item.filename)}: has {file.num_entries:,} entries, but {item.entrystart} to "
            f"{item.entrystop} failed. It is not the file of that run."
        )


def _metadata(dataset: Dataset, item: WorkItem) -> dict[str, Any]:
    """What the stage knew of the range, as of today."""
    own = {
        "dataset": dataset.key,
        "process": dataset.process,
        "variation": dataset.variation,
        "year": dataset.year,
        "is_data": dataset.is_data,
        "xsec": dataset.cross_section,
    }
    mine = item_metadata(replace(item, usermeta={}))
    return {**item.usermeta, **own, **mine}


# -- the stages ------------------------------------------------------------------------------


def _metadata_again(work: _Work) -> _Counts:
    item, section = work.item, work.config.datasets
    entry = next(one for one in section.datasets if one.name == work.dataset.name)
    info = inspect_file(
        FileTask(
            dataset=item.dataset,
            path=item.filename,
            tree=item.treename,
            weight_branch=work.dataset.weight_branch,
            chunk_size=section.effective_chunk_size,
            branch_map=dict(work.dataset.branch_map),
            alternatives=alternatives(item.filename, entry.redirectors or ()),
        )
    )
    return _Counts(info.nevts, sum_weights=info.sum_weights)


def _skim_again(work: _Work) -> _Counts:
    events, counts = select_events(work.spec(), work.dataset, work.item)
    return _Counts(counts.nevts, len(events), counts.sum_weights)


def _duplicates_again(work: _Work) -> _Counts:
    counting = Counting.of(SkimSpec.from_config(work.config), work.dataset)
    counted = counted_ids(work.part(), counting)
    return _Counts(work.item.entrystop - work.item.entrystart, counted.count)


def _histograms_again(work: _Work) -> _Counts:
    analysis = work.analysis(work.config, {}, make_output_manager(work.config)).on_worker()
    events, metadata = work.part().load()
    raw = checked_chunk(analysis.process_chunk(events, metadata), metadata)
    flows = {channel: flow for (channel, _), flow in raw.cutflows.items()}
    return _Counts(metadata["part_nevts"], len(events), metadata["part_sum_weights"], flows)


def _luminosity_again(work: _Work) -> _Counts:
    item = work.item
    blocks = read_blocks(item.filename, item.treename, work.dataset.branch_map)
    return _Counts(int(blocks.counts.sum()))


_STAGES: Final[Mapping[str, Callable[[_Work], _Counts]]] = {
    "metadata": _metadata_again,
    "skim": _skim_again,
    "duplicates": _duplicates_again,
    "histograms": _histograms_again,
    "luminosity": _luminosity_again,
}

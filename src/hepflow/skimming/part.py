"""Skim one work item. Runs on workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from hepflow.errors import StorageError
from hepflow.records import PartCounts, WorkItem
from hepflow.skimming.select import select_events
from hepflow.skimming.spec import SkimSpec
from hepflow.storage import pack_array, read_part, write_part

FORMAT = 1


@dataclass(frozen=True)
class SkimTask:
    """One part to make."""

    item: WorkItem
    path: str  # where the part goes; its name holds the key
    reuse: bool  # whether a whole part that is there already is taken

    @property
    def file(self) -> str:
        """Input file."""
        return self.item.filename

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.item.dataset}: {self.file}, {self.item.entrystart} to {self.item.entrystop}"


@dataclass(frozen=True)
class PartRecord:
    """What is known about a part on disk, as its dataset's manifest holds it."""

    name: str  # file name in the dataset's folder
    uuid: str  # of the input file
    counts: PartCounts
    n_selected: int
    size: int  # [bytes]
    mtime_ns: int  # [ns] time of the last change; another one: the part is verified before use
    reused: bool = False  # whether it was there already


def skim_item(spec: SkimSpec, task: SkimTask) -> PartRecord:
    """Make one part, or take the whole one that is there.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the input cannot be read.
    UserFunctionError
        If the selection raises or returns something else than one value for each event.
    """
    path = Path(task.path)
    if task.reuse and path.exists():
        found = _found_part(path, task.item)
        if found is not None:
            return found
    dataset = spec.datasets[task.item.dataset]
    events, counts = select_events(spec, dataset, task.item)
    payload = {
        "format": FORMAT,
        "counts": asdict(counts),
        "uuid": task.item.fileuuid,
        "events": pack_array(events),
    }
    write_part(path, payload)
    return _record(path, task.item, counts, len(events))


def _record(
    path: Path, item: WorkItem, counts: PartCounts, n_selected: int, *, reused: bool = False
) -> PartRecord:
    status = path.stat()
    return PartRecord(
        name=path.name,
        uuid=item.fileuuid,
        counts=counts,
        n_selected=n_selected,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        reused=reused,
    )


def _found_part(path: Path, item: WorkItem) -> PartRecord | None:
    """A part that an interrupted run left; None where it is broken and must be made anew."""
    try:
        payload = read_part(path)
    except StorageError:
        return None
    if payload.get("format") != FORMAT:
        return None
    counts = PartCounts(**payload["counts"])
    if counts.item_key != item.item_key:
        return None
    return _record(path, item, counts, payload["events"]["length"], reused=True)

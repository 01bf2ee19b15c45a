"""Skim one work item. Runs on workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from hepflow.errors import StorageError
from hepflow.keys import Key, stable_hash
from hepflow.records import PartCounts, WorkItem
from hepflow.skimming.formats import format_of
from hepflow.skimming.select import select_events
from hepflow.skimming.spec import SkimSpec, part_identity
from hepflow.storage import sha256_file


@dataclass(frozen=True)
class SkimTask:
    """One part to make."""

    item: WorkItem
    path: str  # where the part goes; its name holds the key, its suffix the format
    reuse: bool  # whether a whole part that is there already is taken
    sha256: str | None = None  # of the part that is there, where a manifest knows it

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
    sha256: str  # of the file's bytes
    mtime_ns: int  # [ns] time of the last change; another one: the part is verified before use
    reused: bool = False  # whether it was there already


def item_identity(item: WorkItem, key: Key) -> str:
    """Digest of all that the events of a work item depend on; not of how they are kept."""
    return stable_hash({"key": key.digest, **part_identity(item)})


def part_name(item: WorkItem, key: Key, suffix: str) -> str:
    """File name of a part: readable, and different where anything that it depends on differs."""
    digest = item_identity(item, key)[:16]
    stem = "".join(c if c.isalnum() or c in "_-" else "_" for c in Path(item.filename).stem)
    return f"{stem[:60]}_{item.entrystart}-{item.entrystop}_{digest}{suffix}"


def skim_item(spec: SkimSpec, task: SkimTask) -> PartRecord:
    """Make one part, or take the whole one that is there.

    Raises
    ------
    UnreadableFile, MissingTree, MissingBranch
        If the input cannot be read.
    UserFunctionError
        If the selection raises or returns something else than one value for each event.
    StorageError
        If the format of parts cannot hold a branch, or the part cannot be written.
    """
    path = Path(task.path)
    if task.reuse and path.exists():
        found = _found_part(path, task)
        if found is not None:
            return found
    dataset = spec.datasets[task.item.dataset]
    events, counts = select_events(spec, dataset, task.item)
    header = {
        "counts": asdict(counts),
        "uuid": task.item.fileuuid,
        "tree": task.item.treename or dataset.tree_name,
        "branches": {name: list(events[name].fields) for name in events.fields},
        "n_selected": len(events),
    }
    format_of(path).write(path, events, header)
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
        sha256=sha256_file(path),
        mtime_ns=status.st_mtime_ns,
        reused=reused,
    )


def _found_part(path: Path, task: SkimTask) -> PartRecord | None:
    """A part that an interrupted run left; None where it is broken and must be made anew."""
    try:
        if task.sha256 is not None and sha256_file(path) != task.sha256:
            return None
        events, header = format_of(path).read(path, None)
    except StorageError:
        return None
    counts = PartCounts(**header["counts"])
    if counts.item_key != task.item.item_key:
        return None
    return _record(path, task.item, counts, len(events), reused=True)

"""Skim one work item. Runs on workers."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from hepflow.errors import StorageError
from hepflow.keys import Key
from hepflow.records import PartCounts, WorkItem
from hepflow.skimming.formats import format_of
from hepflow.skimming.select import read_everything, select_events
from hepflow.skimming.spec import STAGE, SkimSpec
from hepflow.storage import as_record, sha256_bytes, sha256_file


@dataclass(frozen=True, slots=True)
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

    @property
    def stage(self) -> str:
        """For records of failures."""
        return STAGE

    @property
    def work(self) -> WorkItem:
        """The entry range."""
        return self.item

    @property
    def entries(self) -> tuple[int, int]:
        """First entry, and the one after the last."""
        return self.item.entrystart, self.item.entrystop

    @property
    def identity(self) -> str:
        """Digest of the entry range and of what is done with it: it is in the part's name."""
        return f"{STAGE} {Path(self.path).stem}"

    def narrowed(self, start: int, stop: int) -> Self:
        """The same work on some of the entries, to try it: it has no part of its own."""
        item = replace(self.item, entrystart=start, entrystop=stop)
        return replace(self, item=item, path=f"{self.path}:{start}-{stop}")


@dataclass(frozen=True, slots=True)
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
    """Digest of all that the events of a work item depend on; not of how they are kept.

    The input is identified by the file's own uuid, the digest that the metadata step took of it
    (work items of others have none) and the entry range. There may be a million work items: one
    digest of one text, in which the length of each part stands before it.
    """
    dataset, file, uuid, tree = item.dataset, item.filename, item.fileuuid, item.treename
    text = (
        f"{key.digest} {len(dataset)}:{dataset} {len(file)}:{file} {len(uuid)}:{uuid} {tree!r} "
        f"{item.entrystart} {item.entrystop}"
    )
    content = item.usermeta.get("file_digest")
    if content:
        text = f"{text} {content}"
    return sha256_bytes(text.encode("utf-8", "surrogatepass"))


def part_name(item: WorkItem, key: Key, suffix: str) -> str:
    """File name of a part: readable, and different where anything that it depends on differs."""
    digest = item_identity(item, key)[:16]
    return f"{_stem(item.filename)}_{item.entrystart}-{item.entrystop}_{digest}{suffix}"


@functools.lru_cache(maxsize=16)  # the work items of a file come one after the other
def _stem(filename: str) -> str:
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in Path(filename).stem)[:60]


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


def probe_item(spec: SkimSpec, task: SkimTask) -> None:
    """Read and select the entry range of a task, and keep nothing. Raises what `skim_item` does."""
    dataset = spec.datasets[task.item.dataset]
    read_everything(spec, dataset, task.item)
    select_events(spec, dataset, task.item)


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
    try:
        counts = as_record(PartCounts, header.get("counts"), str(path))
    except StorageError:
        return None
    if counts.item_key != task.item.item_key:
        return None
    return _record(path, task.item, counts, len(events), reused=True)

"""Columns of a TTree or an RNTuple."""

from __future__ import annotations

import difflib
import functools
import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.errors import MissingTree, UnreadableFile
from hepflow.events.ahead import ReadAhead
from hepflow.events.baskets import Baskets
from hepflow.events.decompression import bound_decompression
from hepflow.events.failures import ROOT, named
from hepflow.events.foreign import READS, foreign_format
from hepflow.events.opening import only_branches, quicken_opening, without_collection
from hepflow.events.rows import Mask, chosen
from hepflow.events.tree_record import TreeRecord
from hepflow.remote import is_remote

_RUNS = "Runs"
_TABLES = {"TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple"}
_FOLDERS = {"TDirectory", "TDirectoryFile"}
_SUMS_OF_WEIGHTS = ("genEventSumw", "genEventSumw_")


@dataclass(frozen=True)
class TreeColumns:
    """Columns of a TTree."""

    directory: Any  # of uproot, with the tree
    name: str  # of the tree there
    record: TreeRecord | None  # None where uproot reads the tree as a whole
    names: frozenset[str]
    num_entries: int
    uuid: str
    kind: str = ROOT

    def tree_with(self, names: Collection[str]) -> Any:
        """Tree of uproot that has at least these branches."""
        found = None if self.record is None else self.record.tree_with(names)
        return self._whole if found is None else found

    @functools.cached_property
    def _whole(self) -> Any:
        with without_collection():
            return self.directory[self.name]

    @functools.cached_property
    def _ahead(self) -> ReadAhead:
        return ReadAhead(self._read_range, self._ends_of)

    @property
    def selective(self) -> bool:
        """Whether to read some of the entries takes less time than to read all."""
        return self._baskets is not None

    def read(
        self, names: Sequence[str], start: int, stop: int, mask: Mask | None = None
    ) -> dict[str, Any]:
        """Read branches; the next entry range is not decompressed a second time."""
        found = {} if self._baskets is None else self._baskets.read(names, start, stop, mask)
        rest = [name for name in names if name not in found]
        found |= chosen(self._ahead.read(rest, start, stop), mask) if rest else {}
        return {name: found[name] for name in names}

    @functools.cached_property
    def _baskets(self) -> Baskets | None:
        """Quick way to columns of numbers; None where the file is not of this machine."""
        file = self.directory.file
        if is_remote(str(file.file_path)):
            return None
        # that of the source is absolute: the folder in which this runs may be another one by now
        return Baskets(self.tree_with, file.source, str(file.source.file_path))

    def _ends_of(self, names: Sequence[str]) -> list[int]:
        """Entries where a basket of each of the branches ends, ascending."""
        wanted = frozenset(names)
        branches = self.tree_with(wanted).branches
        found = [set(one.entry_offsets) for one in branches if one.name in wanted]
        return sorted(set.intersection(*found)) if found else []

    def _read_range(self, names: Sequence[str], start: int, stop: int) -> dict[str, Any]:
        """Read branches in one go: their baskets are fetched together."""
        wanted = frozenset(names)
        tree = self.tree_with(wanted)
        with only_branches(tree, wanted):
            arrays = tree.arrays(
                # not by expression: names such as lep.pt would be taken for Python
                filter_branch=lambda branch: branch.name in wanted and branch.parent is tree,
                entry_start=start,
                entry_stop=stop,
                library="ak",
                how=dict,
            )
        return {name: arrays[name] for name in names}

    def title(self, name: str) -> str:
        """Title of a branch; one that only repeats its name and type says nothing."""
        return str(self.tree_with([name])[name].title or "")

    def runs_sum(self) -> float | None:
        """Sum of weights of the Runs tree beside it."""
        return sum_of_runs(self.directory.file.root_directory)

    def digest(self) -> str:
        """Digest of the tree's own record, which lists sizes and places of all baskets.

        It was read when the tree was opened.
        """
        if self.record is not None:
            return _digest(self.record.key, [self.record.content])
        return _digest(self._whole.parent, [self._whole.chunk.raw_data])


@dataclass(frozen=True)
class NtupleColumns:
    """Columns of an RNTuple; fields of a record are presented like those of a TTree."""

    ntuple: Any
    fields: Mapping[str, str]  # flat name -> path of the field
    counters: Mapping[str, str]  # nMuon -> path of a field with one entry an object
    num_entries: int
    uuid: str
    kind: str = ROOT
    selective: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Flat names."""
        return frozenset({*self.fields, *self.counters})

    def read(
        self, names: Sequence[str], start: int, stop: int, mask: Mask | None = None
    ) -> dict[str, Any]:
        """Read field by field: `arrays` looks at all fields of the RNTuple, which takes seconds."""
        return chosen({name: self._one(name, start, stop) for name in names}, mask)

    def _one(self, name: str, start: int, stop: int) -> Any:
        import awkward as ak

        path = self.fields.get(name)
        if path is not None:
            return self.ntuple[path].array(entry_start=start, entry_stop=stop)
        return ak.num(self.ntuple[self.counters[name]].array(entry_start=start, entry_stop=stop))

    def title(self, name: str) -> str:
        """Description of a field."""
        path = self.fields.get(name, "").split(".")[0]
        records = self.ntuple.header.field_records
        found = (one.field_desc for one in records if one.field_name == path and one.field_desc)
        return str(next(found, ""))

    def runs_sum(self) -> float | None:
        """Sum of weights of the Runs RNTuple beside it."""
        return sum_of_runs(self.ntuple.file.root_directory)

    def digest(self) -> str:
        """Digest of the footer and of the lists of pages, which have their sizes and places."""
        members, source = self.ntuple.all_members, self.ntuple.file.source
        places = [(members["fSeekFooter"], members["fNBytesFooter"])]
        for group in self.ntuple.footer.cluster_group_records:
            where = group.page_list_link.locator
            places.append((where.offset, where.num_bytes))
        found = (source.chunk(start, start + length).raw_data for start, length in places)
        return _digest(self.ntuple.parent, found)


def open_root(filename: str, treename: str) -> TreeColumns | NtupleColumns:
    """Open a TTree or an RNTuple of a ROOT file.

    Raises
    ------
    UnreadableFile
        If the file is of a format whose events are no plain columns.
    MissingTree
        If it has no such tree; the message names those that it has.
    Exception
        One of `read_errors`, if it is missing, truncated or not a ROOT file.
    """
    import uproot

    bound_decompression()
    quicken_opening()
    root_file = uproot.open(filename, array_cache=None)  # entry ranges are read once
    classes = names_in(root_file)
    names = set(classes)
    foreign = foreign_format(root_file, treename, names)
    if foreign is not None:
        raise UnreadableFile(
            f"{named(filename)}: this is {foreign.name} (tree {foreign.tree!r}, {foreign.tells}). "
            f"{READS}"
        )
    columns = _columns(root_file, treename) if treename in names else None
    if columns is None:
        raise MissingTree(
            f"{named(filename)}: there is no tree {treename!r}. {_trees_there(classes, treename)}"
        )
    return columns


def names_in(root_file: Any) -> dict[str, str]:
    """Class of all that a file holds, by name; what lies in folders is ``folder/name``.

    Raises
    ------
    ValueError
        A folder is in itself: uproot would look into it for ever.
    """
    found: dict[str, str] = {}
    todo, seen = [("", root_file)], {root_file.fSeekKeys}
    while todo:
        where, folder = todo.pop()
        for name, kind in folder.iterclassnames(recursive=False, cycle=False):
            found.setdefault(f"{where}{name}", kind)
            if kind in _FOLDERS:
                inner = folder[name]
                if inner.fSeekKeys in seen:
                    raise ValueError(f"the folder {where}{name} is in itself")
                seen.add(inner.fSeekKeys)
                todo.append((f"{where}{name}/", inner))
    return found


def _trees_there(classes: Mapping[str, str], wanted: str) -> str:
    """Names of the TTrees and RNTuples, without histograms and the like; the nearest first."""
    tables = sorted(name for name, kind in classes.items() if kind in _TABLES)
    if not tables:
        return "The file has no tree at all."
    near = difflib.get_close_matches(wanted, tables, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}The file has: {', '.join(tables)}."


def _columns(directory: Any, name: str) -> TreeColumns | NtupleColumns | None:
    """Columns of what has the tree's name; None where it is no table, such as a histogram."""
    import uproot

    record = TreeRecord.of(directory, name)
    if record is not None:
        tree = record.tree_with(())
        if any(branch.num_entries == tree.num_entries for branch in tree.branches):
            return _tree_columns(directory, name, tree, record)
    with without_collection():
        found = directory[name]
    if isinstance(found, uproot.behaviors.TTree.TTree):
        entries = found.num_entries
        if found.branches and all(one.num_entries != entries for one in found.branches):
            raise ValueError(f"the tree says that it has {entries} events, its branches differ")
        return _tree_columns(directory, name, found, None)
    if isinstance(found, uproot.behaviors.RNTuple.RNTuple):
        fields, counters = _flat_fields(found)
        return NtupleColumns(found, fields, counters, int(found.num_entries), str(found.file.uuid))
    return None


def _tree_columns(directory: Any, name: str, tree: Any, record: TreeRecord | None) -> TreeColumns:
    names = frozenset(tree.keys(recursive=False)) if record is None else record.names
    uuid = str(tree.file.uuid)
    return TreeColumns(directory, name, record, names, int(tree.num_entries), uuid)


def _digest(key: Any, contents: Iterable[Any]) -> str:
    """Digest of what a file says of its tree; its key has the place and the time of writing."""
    known = (key.file.fEND, key.fSeekKey, key.fNbytes, key.fDatime)
    digest = hashlib.sha256(repr(tuple(map(int, known))).encode())
    for content in contents:
        digest.update(content)
    return digest.hexdigest()[:16]


def _flat_fields(ntuple: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Fields and counters by the names that a TTree of the same events has.

    Two layouts are in use: ROOT's importer writes ``Muon_pt`` and ``nMuon`` (projections of an
    anonymous collection), CMSSW a collection ``Muon`` with a field ``pt``. The records of the
    header tell all names; to ask uproot's fields one by one takes seconds.
    """
    from uproot.const import RNTupleFieldRole

    records = ntuple.field_records
    inside: dict[int, list[int]] = {}
    for i, record in enumerate(records):
        inside.setdefault(record.parent_field_id, []).append(i)
    plain: dict[str, str] = {}
    nested: dict[str, str] = {}
    counters: dict[str, str] = {}
    for i, top in enumerate(records):
        name = top.field_name
        if top.parent_field_id != i or name.startswith("_collection"):
            continue
        is_list = top.struct_role == RNTupleFieldRole.COLLECTION
        holder = inside[i][-1] if is_list else i
        if records[holder].struct_role != RNTupleFieldRole.RECORD:
            plain[name] = name
            continue
        members = [records[j].field_name for j in inside.get(holder, ()) if j != holder]
        nested |= {f"{name}_{member}": f"{name}.{member}" for member in members}
        if is_list and members:
            counters[f"n{name}"] = f"{name}.{members[0]}"
    fields = {**nested, **plain}
    return fields, {name: path for name, path in counters.items() if name not in fields}


def sum_of_runs(root_directory: Any) -> float | None:
    """Sum of ``genEventSumw`` over all rows of Runs; None where there is none."""
    if _RUNS not in root_directory.keys(recursive=False, cycle=False):
        return None
    runs = root_directory[_RUNS]
    known = runs.keys(recursive=False)
    for name in _SUMS_OF_WEIGHTS:
        if name in known:
            return math.fsum(np.asarray(runs[name].array(library="np"), dtype=np.float64))
    return None

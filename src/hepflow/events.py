"""Columns of a file -> event record with Lorentz vectors. Knows file formats, nothing else does."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hepflow.errors import MissingBranch, MissingTree, UnreadableFile, did_you_mean
from hepflow.records import WorkItem

Branches = Mapping[str, Sequence[str]]  # object -> branches; "event" holds those without an object
EVENT = "event"
# jetIdx, electronIdx3SJ, muonIdxG, genPartIdxMother
_INDEX_COLUMN = re.compile(r"^(?P<stem>[A-Za-z0-9]+?)Idx(Mother)?[A-Z0-9]*$")
_HEAD = 20  # bytes of a ROOT file up to and with its size
_LARGE_FILES = 1_000_000  # added to the version of files whose size has 8 bytes
_FETCH_AGAIN = "Fetch it again or take it off the list."
_SPECIAL_COLLECTIONS = {"sv": "SV", "genJetAK8": "GenJetAK8", "fatJet": "FatJet"}


def branch_name(collection: str, field: str) -> str:
    """Name in the file: ``Muon_pt``, or the field alone for ``event``."""
    return field if collection == EVENT else f"{collection}_{field}"


def merge_branches(*plans: Branches) -> dict[str, tuple[str, ...]]:
    """Union of several sets of branches, in order of appearance."""
    merged: dict[str, dict[str, None]] = {}
    for plan in plans:
        for collection, fields in plan.items():
            merged.setdefault(collection, {}).update(dict.fromkeys(fields))
    return {collection: tuple(fields) for collection, fields in merged.items()}


def branches_of(use: Iterable[tuple[str, str | None]], available: Branches) -> Branches:
    """Branches that columns need: one, or all that are configured for the object."""
    needed: dict[str, tuple[str, ...]] = {}
    for collection, field in use:
        fields = tuple(available.get(collection, ())) if field is None else (field,)
        needed = merge_branches(needed, {collection: fields})
    return needed


@functools.cache
def behaviour() -> dict[Any, Any]:
    """Lorentz vectors: coffea's for objects, scikit-hep's for missing momentum."""
    import vector.backends.awkward
    from coffea.nanoevents.methods import vector as coffea_vector

    return {**vector.backends.awkward.behavior, **coffea_vector.behavior}


def record_name(fields: Iterable[str]) -> str | None:
    """Name of the behaviour that fits the fields of an object; None for a plain record."""
    have = set(fields)
    if {"pt", "eta", "phi", "mass"} <= have:
        return "PtEtaPhiMCandidate" if "charge" in have else "PtEtaPhiMLorentzVector"
    if {"pt", "phi"} <= have and "eta" not in have:
        return "Momentum2D"
    return None


def open_tree(filename: str, treename: str) -> Any:
    """Open a tree of a ROOT file.

    Raises
    ------
    UnreadableFile
        If the file is missing, truncated or not a ROOT file.
    MissingTree
        If it has no such tree; the message names those that it has.
    """
    import uproot

    if "://" not in filename:
        _check_whole(Path(filename), filename)
    try:
        root_file = uproot.open(filename)
        names = set(root_file.keys(cycle=False))
        tree = root_file[treename] if treename in names else None
    except _read_errors() as error:
        raise UnreadableFile(_unreadable(filename, error)) from error
    if tree is None:
        hint = did_you_mean(treename, names)
        raise MissingTree(f"{filename}: there is no tree {treename!r}. {hint}")
    return tree


def _check_whole(path: Path, filename: str) -> None:
    """Compare the size of a local file with the one in its header.

    A file that lacks its last bytes can be read up to there: its loss would go unnoticed.
    """
    if not path.exists():
        raise UnreadableFile(f"{filename}: there is no such file. Check the list of the dataset.")
    try:
        with path.open("rb") as file:
            head = file.read(20)
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableFile(f"{filename}: cannot be read: {error.strerror}.") from error
    if size == 0:
        raise UnreadableFile(f"{filename}: cannot be read as ROOT: it is empty. {_FETCH_AGAIN}")
    if head[:4] != b"root":
        raise UnreadableFile(
            f"{filename}: cannot be read as ROOT: it begins with {head[:4]!r}, not b'root'. "
            "Take it off the list."
        )
    whole = _size_in_header(head)
    if whole is None or size < whole:
        known = "" if whole is None else f" of {whole:,}"
        raise UnreadableFile(
            f"{filename}: cannot be read as ROOT: it is truncated, {size:,}{known} bytes. "
            f"{_FETCH_AGAIN}"
        )


def _size_in_header(head: bytes) -> int | None:
    """Size of a ROOT file [byte] as its header has it; None where the header is cut."""
    if len(head) < _HEAD:
        return None
    version = int.from_bytes(head[4:8], "big")
    stop = 20 if version >= _LARGE_FILES else 16
    return int.from_bytes(head[12:stop], "big")


def _unreadable(filename: str, error: BaseException) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"{filename}: cannot be read as ROOT ({type(error).__name__}: {first}). "
        f"It is corrupted or of another format. {_FETCH_AGAIN}"
    )


def _read_errors() -> tuple[type[BaseException], ...]:
    """What uproot raises for missing, truncated or corrupted files."""
    import struct
    import zlib

    import uproot

    return (
        OSError,
        ValueError,
        IndexError,
        AssertionError,
        NotImplementedError,
        TypeError,
        AttributeError,
        KeyError,
        RuntimeError,
        struct.error,
        zlib.error,
        uproot.deserialization.DeserializationError,
    )


def check_branches(tree: Any, branches: Branches, filename: str, wanted_by: str) -> None:
    """Make sure that the tree has all branches.

    Raises
    ------
    MissingBranch
        It names the branch, who wants it, and the nearest name that the file has.
    """
    names = set(tree.keys(recursive=False))
    for collection, fields in branches.items():
        for field in fields:
            name = branch_name(collection, field)
            if name not in names:
                hint = did_you_mean(name, names)
                raise MissingBranch(
                    f"{filename}: branch {name!r}, wanted by {wanted_by}, is not in the tree "
                    f"{tree.name!r} of {len(names)} branches. {hint}"
                )


def read_columns(tree: Any, item: WorkItem, names: Sequence[str]) -> dict[str, Any]:
    """Read branches of an entry range as awkward arrays, by branch name.

    Raises
    ------
    UnreadableFile
        If a basket is truncated or corrupted.
    """
    if not names:
        return {}
    try:
        arrays = tree.arrays(
            list(names),
            entry_start=item.entrystart,
            entry_stop=item.entrystop,
            library="ak",
            how=dict,
        )
    except _read_errors() as error:
        where = f"{item.filename}, entries {item.entrystart} to {item.entrystop}"
        raise UnreadableFile(_unreadable(where, error)) from error
    return dict(arrays)


def build_events(columns: Mapping[str, Any], branches: Branches, length: int) -> Any:
    """Put columns together to one event record.

    Parameters
    ----------
    columns
        Awkward arrays by branch name, each of `length` events.
    branches
        Which branch belongs to which object.
    length
        Number of events (needed where there is no column).

    Returns
    -------
    ak.Array
        Record array: objects as lists of records, missing momentum and trigger as records,
        branches of ``event`` at the top.
    """
    import awkward as ak

    fields: dict[str, Any] = {}
    for collection, names in branches.items():
        members = {name: columns[branch_name(collection, name)] for name in names}
        if collection == EVENT:
            fields.update(members)
        elif members:
            fields[collection] = build_object(members)
    if not fields:
        return ak.Array(ak.contents.RecordArray([], [], length=length), behavior=behaviour())
    return ak.zip(fields, depth_limit=1, behavior=behaviour())


def build_object(members: Mapping[str, Any]) -> Any:
    """One object from its columns: jagged ones share one list structure."""
    import awkward as ak

    depth = 2 if any(column.ndim > 1 for column in members.values()) else 1
    return ak.zip(
        dict(members), depth_limit=depth, with_name=record_name(members), behavior=behaviour()
    )


def read_events(item: WorkItem, branches: Branches, wanted_by: str = "preprocess.branches") -> Any:
    """Read the configured branches of a work item as one event record."""
    tree = open_tree(item.filename, item.treename)
    check_branches(tree, branches, item.filename, wanted_by)
    names = [branch_name(group, name) for group, fields in branches.items() for name in fields]
    columns = read_columns(tree, item, names)
    return build_events(columns, branches, item.entrystop - item.entrystart)


def with_behaviour(events: Any) -> Any:
    """Attach the Lorentz vectors to events that come from a part."""
    import awkward as ak

    return ak.Array(events, behavior=behaviour())


def replace_object(events: Any, name: str, value: Any) -> Any:
    """The same events with one object replaced; the original stays as it is."""
    import awkward as ak

    return ak.with_field(events, value, name)


def index_target(field: str) -> str | None:
    """Collection that an index column such as ``jetIdx`` points to; None for other columns.

    Examples
    --------
    >>> index_target("jetIdx"), index_target("muonIdxG"), index_target("pt")
    ('Jet', 'Muon', None)
    """
    match = _INDEX_COLUMN.match(field)
    if not match:
        return None
    stem = match["stem"]
    return _SPECIAL_COLLECTIONS.get(stem, stem[:1].upper() + stem[1:])

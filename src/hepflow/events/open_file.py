"""One open file, whatever its format and whatever it calls its branches."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from hepflow.errors import MissingBranch, UnreadableFile, did_you_mean
from hepflow.events.branches import (
    EVENT_ID,
    Branches,
    BranchMap,
    branch_name,
    name_in_file,
    names_of,
    wanted_names,
)
from hepflow.events.failures import (
    FETCH_AGAIN,
    PARQUET,
    ROOT,
    check_whole,
    format_of,
    named,
    open_errors,
    read_errors,
    unreadable,
)
from hepflow.events.parquet import open_parquet
from hepflow.events.record import build_events
from hepflow.events.root import open_root
from hepflow.events.rows import Mask, chosen
from hepflow.remote import check_served, is_remote, transport_errors
from hepflow.storage import check_layout

# Versions of NanoAOD keep the same number in different integers: UChar_t, Short_t or Int_t. With
# narrow or unsigned ones `jetId - 4 >= 0` and `nJet - 1` give other results than with Int_t.
_WIDER = {
    np.dtype(np.int8): np.int32,
    np.dtype(np.uint8): np.int32,
    np.dtype(np.int16): np.int32,
    np.dtype(np.uint16): np.int32,
    np.dtype(np.uint32): np.int64,
}
_MAX_ENTRIES = 10_000_000_000  # of one file: more than an experiment records in years
# These have one type in all versions, and coffea's LumiMask wants that one.
_UNCHANGED = frozenset(EVENT_ID)


class Columns(Protocol):
    """What a format gives."""

    @property
    def kind(self) -> str:
        """Name of the format."""

    @property
    def num_entries(self) -> int:
        """Number of events."""

    @property
    def names(self) -> frozenset[str]:
        """Flat names, such as ``Muon_pt`` and ``nMuon``."""

    @property
    def uuid(self) -> str:
        """What identifies the file, as hexadecimal with dashes."""

    @property
    def selective(self) -> bool:
        """Whether to read some of the entries takes less time than to read all."""

    def read(
        self, names: Sequence[str], start: int, stop: int, mask: Mask | None = None
    ) -> dict[str, Any]:
        """Awkward arrays of an entry range, or of those of its entries that a mask tells."""

    def title(self, name: str) -> str:
        """What the file says about a branch; "" where it says nothing."""

    def runs_sum(self) -> float | None:
        """Sum of generator weights that the file's Runs tree holds."""

    def digest(self) -> str:
        """Digest of what the file says of its content; "" where `uuid` is one."""


@dataclass(frozen=True)
class OpenFile:
    """One tree of a file, its branches under the wanted names."""

    filename: str
    tree: str
    columns: Columns
    branch_map: BranchMap = field(default_factory=dict)

    @property
    def num_entries(self) -> int:
        """Number of events."""
        return self.columns.num_entries

    @property
    def uuid(self) -> str:
        """What identifies the file: ROOT's own, or a digest of Parquet's footer."""
        return self.columns.uuid

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """Branches by their wanted names."""
        if not self.branch_map:
            return self.columns.names
        return wanted_names(self.columns.names, self.branch_map)

    def title(self, name: str) -> str:
        """What the file says about a branch, given by its wanted name; "" where it says nothing."""
        return self.columns.title(name_in_file(name, self.branch_map))

    @functools.cached_property
    def runs_sum(self) -> float | None:
        """Sum of generator weights over all rows of the Runs tree; None where there is none.

        Raises
        ------
        UnreadableFile
            If that tree is corrupted.
        """
        try:
            return self.columns.runs_sum()
        except read_errors() as error:
            raise self._unreadable(error, ", tree Runs") from cause(self.filename, error)

    @functools.cached_property
    def digest(self) -> str:
        """What tells the content of a file from another one with the same `uuid`.

        Digest of what it says of its tree: sizes and places of all baskets or pages, time of
        writing. "" where `uuid` itself is such a digest.

        Raises
        ------
        UnreadableFile
            If that is corrupted.
        """
        try:
            return self.columns.digest()
        except read_errors() as error:
            raise self._unreadable(error, ", list of pages") from cause(self.filename, error)

    def read(
        self, names: Sequence[str], start: int, stop: int, mask: Mask | None = None
    ) -> dict[str, Any]:
        """Read branches of an entry range.

        Parameters
        ----------
        names
            Wanted names; all of them are in `names`.
        start, stop
            First entry, and the one after the last.
        mask
            Which of the entries are wanted, shape (stop - start,); default all.

        Returns
        -------
        dict
            Wanted name -> awkward array of the wanted events. Integers have 32 bits or
            64 and a sign, whatever the file has; only run, luminosityBlock, event and unsigned
            ones of 64 bits stay as they are.

        Raises
        ------
        UnreadableFile
            If the file is corrupted there, or takes more memory than there is.
        """
        theirs = {name: name_in_file(name, self.branch_map) for name in names}
        if not theirs:
            return {}
        try:
            found = self.columns.read(list(dict.fromkeys(theirs.values())), start, stop, mask)
            _check_whole_columns(found, stop - start if mask is None else int(mask.sum()))
        except read_errors() as error:
            part = f", entries {start} to {stop}"
            raise self._unreadable(error, part) from cause(self.filename, error)
        except MemoryError as error:
            raise UnreadableFile(
                f"{named(self.filename)}, entries {start} to {stop}: takes more memory than there "
                f"is (MemoryError: {error}). Lower preprocess.skimming.chunk_size, or give more "
                "memory; if the file is small, it is corrupted."
            ) from error
        return {
            name: found[source] if name in _UNCHANGED else widened(found[source])
            for name, source in theirs.items()
        }

    def _unreadable(self, error: BaseException, part: str) -> UnreadableFile:
        return unreadable(self.filename, error, self.columns.kind, part)


def open_tree(filename: str, treename: str, branch_map: BranchMap | None = None) -> OpenFile:
    """Open a file; its content tells the format, not its name.

    Parameters
    ----------
    filename
        Path, or URL (``root://``, ``https://``, ``s3://``).
    treename
        TTree or RNTuple of a ROOT file; a Parquet file is one table without a name.
    branch_map
        Wanted name -> name in the file, of branches (``Muon_pt``) or objects (``MET``).

    Raises
    ------
    UnreadableFile
        If the file is missing, truncated or of a format that is not read, or says that it has
        more events than a file can hold.
    MissingTree
        If it has no such tree; the message names those that it has.
    """
    columns = _open_columns(filename, treename)
    _check_entries(filename, columns)
    return OpenFile(filename, treename, columns, dict(branch_map or {}))


def _open_columns(filename: str, treename: str) -> Columns:
    if is_remote(filename):
        check_served(filename)
        kind = ROOT
    else:
        kind = check_whole(filename)
    try:
        return open_parquet(filename) if kind == PARQUET else open_root(filename, treename)
    except open_errors() as error:
        # what is no ROOT file is looked at again: to look first costs each one a round trip
        if is_remote(filename) and _remote_format(filename, error) == PARQUET:
            return _open_remote_parquet(filename)
        raise unreadable(filename, error, kind) from cause(filename, error)


def _check_entries(filename: str, columns: Columns) -> None:
    """Refuse a number of events that no file can hold: as many are planned for.

    Raises
    ------
    UnreadableFile
        It is negative or absurd.
    """
    if not 0 <= columns.num_entries <= _MAX_ENTRIES:
        raise UnreadableFile(
            f"{named(filename)}: says that it has {columns.num_entries:,} events. Expected 0 to "
            f"{_MAX_ENTRIES:,}: it is corrupted. {FETCH_AGAIN}"
        )


def _check_whole_columns(arrays: Mapping[str, Any], length: int) -> None:
    """Refuse columns that lack events, or whose lists reach beyond their content.

    Raises
    ------
    ValueError
        One does. Compiled code would read memory that belongs to something else.
    """
    for name, array in arrays.items():
        if len(array) != length:
            raise ValueError(f"{name} has {len(array)} of {length} events")
        check_layout(array.layout, length)


def _remote_format(url: str, error: BaseException) -> str | None:
    """Format of what uproot could not open; None where it could not reach it."""
    import fsspec

    if isinstance(error, transport_errors()):
        return None
    try:
        with fsspec.open(url, "rb") as file:
            return format_of(file.read(4))
    except read_errors():
        return None


def _open_remote_parquet(url: str) -> Columns:
    try:
        return open_parquet(url)
    except read_errors() as error:
        raise unreadable(url, error, PARQUET) from None


def cause(filename: str, error: BaseException) -> BaseException | None:
    """What an error is raised from: texts of remote libraries may hold credentials."""
    return None if is_remote(filename) else error


def widened(array: Any) -> Any:
    """The same numbers in integers of at least 32 bits with a sign."""
    import awkward as ak

    layout = array.layout
    while layout.is_list and layout.parameter("__array__") is None:
        layout = layout.content
    wider = _WIDER.get(layout.dtype) if layout.is_numpy else None
    if wider is None or layout.parameter("__array__") is not None:
        return array
    return ak.values_astype(array, wider)


def check_branches(file: OpenFile, branches: Branches, wanted_by: str) -> None:
    """Make sure that the file has all branches.

    Raises
    ------
    MissingBranch
        It names the branch, who wants it, and the nearest name that the file has.
    """
    for name in names_of(branches):
        if name not in file.names:
            theirs = name_in_file(name, file.branch_map)
            renamed = "" if theirs == name else f" ({theirs!r} by branch_map)"
            hint = did_you_mean(theirs, file.columns.names)
            raise MissingBranch(
                f"{named(file.filename)}: branch {name!r}{renamed}, wanted by {wanted_by}, is not "
                f"in the tree {file.tree!r} of {len(file.columns.names)} branches. {hint}"
            )


def present_branches(file: OpenFile, branches: Branches) -> dict[str, tuple[str, ...]]:
    """Those of the branches that the file has; an object without any is left out."""
    found = {
        group: tuple(name for name in fields if branch_name(group, name) in file.names)
        for group, fields in branches.items()
    }
    return {group: fields for group, fields in found.items() if fields}


def read_events(
    file: OpenFile,
    branches: Branches,
    start: int,
    stop: int,
    known: Mapping[str, Any] | None = None,
    mask: Mask | None = None,
) -> Any:
    """Read branches of an entry range as one event record.

    Parameters
    ----------
    file
        It has all of the branches.
    branches
        Which branch belongs to which object.
    start, stop
        First entry, and the one after the last.
    known
        Columns of this range that were read before; they are not read again.
    mask
        Which of the entries are wanted, shape (stop - start,); default all.

    Returns
    -------
    ak.Array
        As `build_events` makes it.
    """
    columns = chosen(known or {}, mask)
    rest = [one for one in names_of(branches) if one not in columns]
    columns |= file.read(rest, start, stop, mask)
    return build_events(columns, branches, stop - start if mask is None else int(mask.sum()))

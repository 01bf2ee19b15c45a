"""Events as flat columns, the shape that files for others have, and back without any loss.

Events travel as the container of `hepflow.storage.pack_array`: a form, and buffers by name. Each
buffer of numbers becomes a column ``Muon_pt`` of the lists that it lies in. On reading, the form
of the header and the buffers of the columns give the same events as the pickle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import ChecksumError, MissingArtifact, StorageError
from hepflow.events import with_behaviour
from hepflow.skimming.formats.header import Header, with_format
from hepflow.storage import refuse_special, unpack_array

Buffers = dict[str, np.ndarray[Any, Any]]
_KINDS = "biuf"  # kinds of numbers that every format has
_NOT_HELD = frozenset({"float16", "float128"})
_OFFSETS = {"i32": np.int32, "u32": np.uint32, "i64": np.int64}


@dataclass(frozen=True)
class Level:
    """Lists that a column lies in."""

    name: str  # of what is listed: "Muon"
    buffer: str  # name of its offsets; "" where all lists have the same length
    dtype: str  # of its offsets
    size: int = 0  # length of each list where all have the same


@dataclass(frozen=True)
class Column:
    """Numbers of one branch."""

    name: str  # in the file: "Muon_pt"
    levels: tuple[Level, ...]  # outermost first; none for one number in each event
    buffer: str
    dtype: str


class NotHeld(StorageError):
    """A column is of a kind that a format cannot hold."""

    code = "HF404"
    cause = (
        "A branch that the skim keeps is of a kind that the format of its parts does not have, "
        "such as lists of lists in a ROOT file."
    )
    remedy = (
        "Set preprocess.skimming.output.format to a format that the message names, or take the "
        "branch out of preprocess.branches."
    )

    def __init__(self, branch: str, kind: str, format_name: str, others: Sequence[str]) -> None:
        super().__init__(
            f"branch {branch!r} ({kind}) cannot be kept in a part of the format {format_name!r}. "
            f"Set preprocess.skimming.output.format to {' or '.join(others)}, or take the branch "
            "out of preprocess.branches."
        )


def columns_of(form: Any, format_name: str, others: Sequence[str]) -> list[Column]:
    """Columns of events.

    Parameters
    ----------
    form : ak.forms.Form
        Of packed events, with form keys.
    format_name, others
        For the message: the format that is written, and those that hold more.

    Raises
    ------
    StorageError
        If there is something else than numbers in records and lists.
    """

    def walk(node: Any, path: tuple[str, ...], levels: tuple[Level, ...]) -> Iterator[Column]:
        name = "_".join(path)
        if node.is_record and not node.is_tuple and (node.fields or not path):
            for field, inner in zip(node.fields, node.contents, strict=True):
                yield from walk(inner, (*path, field), levels)
        elif node.is_list and node.parameter("__array__") is None:
            yield from walk(node.content, path, (*levels, _level(node, name)))
        elif node.is_numpy and _is_number(node):
            sizes = tuple(Level(name, "", "", size) for size in node.inner_shape)
            yield Column(name, (*levels, *sizes), f"{node.form_key}-data", node.primitive)
        else:
            raise NotHeld(name, str(node.type), format_name, others)

    return list(walk(form, (), ()))


def _level(node: Any, name: str) -> Level:
    if node.is_regular:
        return Level(name, "", "", node.size)
    return Level(name, f"{node.form_key}-offsets", str(np.dtype(_OFFSETS[node.offsets])))


def _is_number(node: Any) -> bool:
    kind = np.dtype(node.primitive)
    return (
        node.parameter("__array__") is None and kind.kind in _KINDS and kind.name not in _NOT_HELD
    )


def offsets_of(level: Level, buffers: Mapping[str, Any], outer: int) -> np.ndarray[Any, Any]:
    """Where each of `outer` lists begins, and the last ends. Shape (outer + 1,)."""
    if level.buffer:
        return np.asarray(buffers[level.buffer], dtype=np.int64)
    return np.arange(outer + 1, dtype=np.int64) * level.size


class Taken:
    """Names that columns of a file have, so that one name stands for one column."""

    def __init__(self, format_name: str) -> None:
        self.format_name = format_name
        self.seen: dict[str, tuple[np.ndarray[Any, Any], tuple[Level, ...]]] = {}

    def is_new(self, name: str, numbers: np.ndarray[Any, Any], levels: tuple[Level, ...]) -> bool:
        """Take a name; False where the same column has it, such as a counter that is kept.

        Raises
        ------
        StorageError
            If another column has it.
        """
        known = self.seen.setdefault(name, (numbers, levels))
        if known[0] is numbers:
            return True
        if known[1] != levels or not np.array_equal(known[0], numbers):
            raise NotHeld(name, "two columns of this name differ", self.format_name, ["pickle"])
        return False


def full_header(header: Mapping[str, Any], container: Mapping[str, Any]) -> Header:
    """Header with all of a container but its buffers, which are columns of the file."""
    buffers = container["buffers"]
    rest = {name: value for name, value in container.items() if name != "buffers"}
    return {**with_format(header), "container": rest, "digests": digests_of(buffers)}


def digests_of(buffers: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, str]:
    """SHA-256 of each buffer."""
    return {
        name: hashlib.sha256(np.ascontiguousarray(one).data).hexdigest()
        for name, one in buffers.items()
    }


def check_digests(buffers: Buffers, digests: Mapping[str, str], where: object) -> None:
    """Compare what was read with what was written.

    Raises
    ------
    ChecksumError
        If a buffer differs.
    """
    for name, found in digests_of(buffers).items():
        if digests.get(name) != found:
            raise ChecksumError(
                f"{where} is damaged: its columns are not those that were written. Delete it and "
                "run the skim again."
            )


# Of headers that nobody of good will wrote.
_HOSTILE = (
    *(KeyError, TypeError, AttributeError, IndexError),
    *(MemoryError, OverflowError, RecursionError),
)


def read_columns(
    path: Path,
    columns: Sequence[str] | None,
    read: Callable[[Path, Sequence[str] | None], tuple[Header, dict[str, Any]]],
    errors: tuple[type[BaseException], ...],
) -> tuple[Any, Header]:
    """Read a part whose format has a column for each branch, and compare it with its digests.

    Parameters
    ----------
    read
        Gives the header, and the container with the buffers of the wanted columns.
    errors
        What it raises for a damaged file.

    Raises
    ------
    MissingArtifact
        If there is no such file.
    ChecksumError
        If the file is damaged, or the numbers are not those that were written.
    StorageError
        If it is of another version.
    """
    if not path.exists():
        raise MissingArtifact(f"part {path} does not exist. Run the skim again.")
    refuse_special(path)
    damaged: tuple[type[BaseException], ...] = (*errors, *_HOSTILE)
    try:
        header, container = read(path, columns)
        check_digests(container["buffers"], header["digests"], path)
    except damaged as error:
        raise ChecksumError(
            f"{path} is damaged: {type(error).__name__}: {error}. Delete it and run the skim again."
        ) from error
    return events_of(container, path), header


def select_columns(container: Mapping[str, Any], columns: Sequence[str] | None) -> dict[str, Any]:
    """Keep the wanted columns (``Muon.pt``, ``run``) of a container; None keeps all."""
    if columns is None:
        return dict(container)
    import awkward as ak

    form = ak.forms.from_json(container["form"]).select_columns(list(columns))
    return {**container, "form": form.to_json()}


def events_of(container: Mapping[str, Any], where: object) -> Any:
    """Events of a container of the file `where`, with Lorentz vectors."""
    try:
        return with_behaviour(unpack_array(container))
    except StorageError as error:
        error.add_note(f"file: {where}")
        raise

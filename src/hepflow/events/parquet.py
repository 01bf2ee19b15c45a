"""Columns of a Parquet file."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.errors import UnreadableFile
from hepflow.events.failures import PARQUET, named
from hepflow.events.rows import Mask, chosen
from hepflow.remote import is_remote

_END = 8  # bytes at the end: the length of the footer and the magic number


@dataclass(frozen=True)
class Leaf:
    """Where one flat column lies."""

    column: str
    member: str | None  # field of the record; None for a plain column
    paths: tuple[str, ...]  # what Parquet stores for it
    counts: bool = False  # whether the number of objects is wanted, not the values


@dataclass(frozen=True)
class ParquetColumns:
    """Columns of a Parquet file; fields of a record are presented like those of a TTree."""

    filename: str
    file: Any  # pyarrow.parquet.ParquetFile
    leaves: Mapping[str, Leaf]
    num_entries: int
    uuid: str
    kind: str = PARQUET
    selective: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Flat names."""
        return frozenset(self.leaves)

    def read(
        self, names: Sequence[str], start: int, stop: int, mask: Mask | None = None
    ) -> dict[str, Any]:
        """Read columns of the row groups that overlap with an entry range."""
        import awkward as ak

        groups, first = self._row_groups(start, stop)
        paths = dict.fromkeys(path for name in names for path in self.leaves[name].paths)
        table = self.file.read_row_groups(groups, columns=list(paths), use_threads=False)
        records = ak.from_arrow(table.slice(start - first, stop - start))
        return chosen({name: self._column(records, name) for name in names}, mask)

    def _row_groups(self, start: int, stop: int) -> tuple[list[int], int]:
        """Row groups that overlap with an entry range, and the first entry of the first one."""
        sizes = [self.file.metadata.row_group(i).num_rows for i in range(self.file.num_row_groups)]
        edges = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        groups = [i for i in range(len(sizes)) if edges[i] < stop and edges[i + 1] > start]
        return groups, int(edges[groups[0]]) if groups else start

    def _column(self, records: Any, name: str) -> Any:
        import awkward as ak

        leaf = self.leaves[name]
        found = records[leaf.column]
        if leaf.counts:
            return ak.num(_without_options(found, self.filename, leaf.column))
        values = found if leaf.member is None else found[leaf.member]
        return _without_options(values, self.filename, name)

    def title(self, name: str) -> str:  # noqa: ARG002 - as of the other formats
        """Nothing: columns have no titles here."""
        return ""

    def runs_sum(self) -> float | None:
        """None: a Parquet file has no Runs tree."""
        return None

    def digest(self) -> str:
        """Nothing: the identity of the file is a digest of its footer."""
        return ""


def open_parquet(filename: str) -> ParquetColumns:
    """Open a Parquet file, by path or URL.

    Raises
    ------
    Exception
        One of `read_errors`, if the file is missing, truncated or corrupted.
    """
    import fsspec
    import pyarrow.parquet as pq

    source = fsspec.open(filename, "rb").open()
    digest = _footer_digest(source)
    file = pq.ParquetFile(source if is_remote(filename) else filename)
    return ParquetColumns(filename, file, _leaves(file), int(file.metadata.num_rows), digest)


def _footer_digest(source: Any) -> str:
    """Identity of a file: its footer holds sizes, places and extremes of all columns."""
    whole = source.seek(0, 2)
    source.seek(whole - _END)
    length = int.from_bytes(source.read(4), "little")
    source.seek(max(whole - _END - length, 0))
    digest = hashlib.sha256(source.read(length))
    digest.update(whole.to_bytes(8, "little"))
    source.seek(0)
    return str(uuid.UUID(bytes=digest.digest()[:16]))


def _leaves(file: Any) -> dict[str, Leaf]:
    """Flat columns by name: ``Muon_pt`` itself, or the field ``pt`` of the records ``Muon``."""
    paths = iter([file.schema.column(i).path for i in range(len(file.schema))])
    plain: dict[str, Leaf] = {}
    nested: dict[str, Leaf] = {}
    for field in file.schema_arrow:
        record = _record_in(field.type)
        if record is None:
            plain[field.name] = Leaf(field.name, None, _take(paths, field.type))
            continue
        is_list = record is not _storage(field.type)
        for i in range(record.num_fields):
            member = record.field(i)
            leaf = Leaf(field.name, member.name, _take(paths, member.type))
            nested[f"{field.name}_{member.name}"] = leaf
            if is_list:
                counter = Leaf(field.name, None, leaf.paths, counts=True)
                nested.setdefault(f"n{field.name}", counter)
    return {**nested, **plain}


def _storage(kind: Any) -> Any:
    """Type on disk of an extension type, such as awkward's; other types are their own."""
    return getattr(kind, "storage_type", kind)


def _record_in(kind: Any) -> Any:
    """Record type of a record or of a list of records; None for other types."""
    import pyarrow.types as pt

    kind = _storage(kind)
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        kind = _storage(kind.value_type)
    return kind if pt.is_struct(kind) else None


def _take(paths: Iterator[str], kind: Any) -> tuple[str, ...]:
    """Next stored columns, as many as the type has: they lie in the order of the schema."""
    kind = _storage(kind)
    if not kind.num_fields:
        return (next(paths),)
    return tuple(path for i in range(kind.num_fields) for path in _take(paths, kind.field(i).type))


def _without_options(array: Any, filename: str, name: str) -> Any:
    """Values of a column that could have missing ones, and has none."""
    import awkward as ak

    missing: list[int] = []

    def solid(layout: Any, **_: Any) -> Any:
        if not layout.is_option:
            return None
        content = layout.project()
        missing.append(len(layout) - len(content))
        return ak.transform(solid, content, highlevel=False)

    values = ak.transform(solid, array)
    if any(missing):
        raise UnreadableFile(
            f"{named(filename)}: the column {name!r} has missing values ({sum(missing)} of those "
            "read). Fill them when the file is written: a cut would drop or keep them by accident."
        )
    return values

"""Parquet files that lie about themselves: refused with one error, without filling the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hepflow.errors import HepflowError, UnreadableFile
from hepflow.events import open_tree
from hepflow.metadata_extractor.files import FileTask, inspect_file

from .confined import confined


def write(path: Path, n: int = 300, **options: Any) -> Path:
    """Write events in row groups of 100."""
    lists = ak.unflatten(np.arange(2 * n, dtype=np.float32), np.full(n, 2))
    columns = {"run": np.arange(n), "Muon_pt": lists}
    table = ak.to_arrow_table(ak.Array(columns), extensionarray=False)
    pq.write_table(table, path, row_group_size=100, **options)
    return path


def read(path: Path) -> dict[str, Any]:
    """Read all events."""
    file = open_tree(str(path), "Events")
    names = [name for name in ("run", "Muon_pt") if name in file.names]
    found = file.read(names, 0, file.num_entries)
    for values in found.values():
        ak.sum(ak.to_packed(values))
    return found


def footer_of(path: Path) -> tuple[int, int]:
    """Where the footer begins, and its length."""
    content = path.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    return len(content) - 8 - length, length


@pytest.mark.parametrize("length", [0, 1, 2**31 - 1, 2**32 - 1, 10**6])
def test_absurd_lengths_of_the_footer(tmp_path, length):
    path = write(tmp_path / "a.parquet")
    assert len(read(path)["run"]) == 300
    content = path.read_bytes()
    path.write_bytes(content[:-8] + length.to_bytes(4, "little") + b"PAR1")
    with confined(), pytest.raises(UnreadableFile, match=r"a\.parquet: cannot be read as Parquet"):
        read(path)


@pytest.mark.parametrize("filling", [b"\xff", b"\x00", b"\x19\xfc", b"\x15", b"\x88\xff\xff\x7f"])
def test_footers_that_are_none(tmp_path, filling):
    path = write(tmp_path / "a.parquet")
    start, length = footer_of(path)
    content = bytearray(path.read_bytes())
    content[start : start + length] = (filling * length)[:length]
    path.write_bytes(content)
    with confined(), pytest.raises(UnreadableFile, match=r"a\.parquet"):
        read(path)


def varint(value: int) -> bytes:
    """Number as thrift writes it: zigzag, seven bits a byte."""
    value, found = value << 1, b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def test_numbers_of_rows_that_are_none(tmp_path):
    path = write(tmp_path / "a.parquet")
    start, _ = footer_of(path)
    content = path.read_bytes()
    head, tail = content[:start], content[start:]
    assert varint(300) in tail
    assert len(varint(8_000)) == len(varint(300))
    changed = tail.replace(varint(300), varint(8_000), 1)
    path.write_bytes(head + changed)
    with confined():
        info = inspect_file(FileTask("data", str(path), "Events", None, 1000))
    assert info.nevts == 8_000  # as the footer says, until it is read
    with confined(), pytest.raises(UnreadableFile, match="has 300 of 8000 events"):
        read(path)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
def test_any_changed_bytes_give_events_or_one_error(tmp_path, compression):
    path = write(tmp_path / "a.parquet", compression=compression)
    content = path.read_bytes()
    random = np.random.default_rng(5)
    told = []
    for place in random.integers(4, len(content) - 4, 80):
        changed = bytearray(content)
        changed[place : place + 4] = random.bytes(4)
        path.write_bytes(changed[: len(content)])
        try:
            with confined():
                read(path)
        except HepflowError as error:
            told.append(str(error))
    assert len(told) > 10
    assert all(str(path) in one for one in told)


def test_many_row_groups(tmp_path):
    path = tmp_path / "a.parquet"
    with pq.ParquetWriter(path, pa.schema({"run": pa.int64()})) as writer:
        for i in range(3_000):
            writer.write_table(pa.table({"run": [i]}), row_group_size=1)
    with confined():
        assert read(path)["run"].tolist() == list(range(3_000))

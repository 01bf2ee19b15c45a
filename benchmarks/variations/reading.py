"""What it takes to decompress, read and open: ``python -m benchmarks.variations.reading FILE``."""

from __future__ import annotations

import argparse
import json
import lzma
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.variations.search import BRANCHES

CHUNK = 100_000  # events that are read at a time, as hepflow does
_HEADER = 9  # [byte] in front of each block of ROOT
_READS = 5  # of the columns; the median counts, without the first
_Block = tuple[bytes, int]  # compressed content, and its size after


def columns_read() -> tuple[str, ...]:
    """Names of the branches that the analysis reads, counters of jagged objects included."""
    plain = [f"{name}_{one}" for name, ones in BRANCHES.items() if name != "event" for one in ones]
    return (*BRANCHES["event"], *plain, "nMuon", "nJet")


def blocks(path: Path) -> Iterator[tuple[bytes, _Block]]:
    """Compressed blocks of the columns that are read, with the two letters of their algorithm."""
    import uproot

    with uproot.open(path) as root, path.open("rb") as raw:
        tree = root["Events"]
        for name in columns_read():
            branch = tree[name]
            for i in range(branch.num_baskets):
                key = branch.basket_key(i)
                size = key.data_compressed_bytes
                if size == key.data_uncompressed_bytes:
                    continue
                raw.seek(key.data_cursor.index)
                yield from _split(raw.read(size))


def _split(content: bytes) -> Iterator[tuple[bytes, _Block]]:
    """Blocks of a basket: each has at most 16 MB."""
    position = 0
    while position < len(content):
        head = content[position : position + _HEADER]
        packed, plain = (int.from_bytes(head[i : i + 3], "little") for i in (3, 6))
        position += _HEADER
        yield head[:2], (content[position : position + packed], plain)
        position += packed


def _decoders(algorithm: bytes) -> Mapping[str, Callable[[bytes, Any], Any]]:
    """Decompressors of an algorithm by name; the second argument is a buffer for the result."""
    import imagecodecs

    found: dict[bytes, dict[str, Callable[[bytes, Any], Any]]] = {
        b"ZL": {
            "standard library": lambda data, _: zlib.decompress(data),
            "libdeflate": lambda data, out: imagecodecs.deflate_decode(data, out=out),
        },
        b"XZ": {
            "standard library": lambda data, _: lzma.decompress(data),
            "liblzma": lambda data, out: imagecodecs.lzma_decode(data, out=out),
        },
        b"ZS": {"zstd": lambda data, out: imagecodecs.zstd_decode(data, out=out)},
    }
    return found[algorithm]


def decompression(path: Path) -> dict[str, float]:
    """CPU time [s] of decompressing the columns that are read, by decompressor."""
    import numpy as np

    kept = list(blocks(path))
    spent: dict[str, float] = {}
    for name, decode in _decoders(kept[0][0]).items():
        start = time.process_time()
        for _, (data, size) in kept:
            decode(data, np.empty(size, dtype=np.uint8))
        spent[name] = time.process_time() - start
    return spent


def reading(path: Path) -> float:
    """CPU time [s] in which hepflow makes event records of the columns, chunk by chunk."""
    from hepflow.events import open_tree, read_events

    branches = {name: tuple(ones) for name, ones in BRANCHES.items()}
    file = open_tree(str(path), "Events")
    spent = []
    for _ in range(_READS):
        start = time.process_time()
        for first in range(0, file.num_entries, CHUNK):
            read_events(file, branches, first, min(first + CHUNK, file.num_entries))
        spent.append(time.process_time() - start)
    return sorted(spent[1:])[(_READS - 1) // 2]


def opening(path: Path) -> dict[str, float]:
    """CPU time [s] of opening the file for hepflow, and through coffea's full schema."""
    from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

    from hepflow.events import open_tree

    def with_coffea() -> object:
        factory = NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=NanoAODSchema)
        return factory.events()

    ways: Mapping[str, Callable[[], object]] = {
        "hepflow": lambda: open_tree(str(path), "Events").names,
        "coffea": with_coffea,
    }
    found = {}
    for name, way in ways.items():
        way()  # warm
        start = time.process_time()
        way()
        found[name] = time.process_time() - start
    return found


def main() -> None:
    """Measure one file, and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder for the figures")
    given = parser.parse_args()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coffea tells of columns that the sample does not have
        figures = {
            "decompression": decompression(given.file),
            "reading": reading(given.file),
            "opening": opening(given.file),
        }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()

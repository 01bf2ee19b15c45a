"""One measurement in a process of its own: ``python -m benchmarks.variations.one``."""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks.variations.cpu import measured
from benchmarks.variations.records import Found

PEERS = ("hepflow", "hepflow-skim", "coffea")


def work_of(
    peer: str, path: Path, folder: Path, *, code: str, variations: bool, chunk: int
) -> Callable[[], Found]:
    """Work of a peer on a file."""
    if peer == "coffea":
        from benchmarks.variations import coffea_search

        return lambda: coffea_search.run(path, variations=variations, chunk=chunk)
    from benchmarks.variations import hepflow_search

    if peer == "hepflow":
        return lambda: hepflow_search.direct(path, folder, code=code, variations=variations)
    if not folder.exists():
        hepflow_search.make_skim(path, folder, code=code)
    return lambda: hepflow_search.from_skim(path, folder, code=code, variations=variations)


def main() -> None:
    """Measure one peer once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--warm-up", type=Path, required=True, help="small file for the warm-up")
    parser.add_argument("--code", choices=("awkward", "numba"), default="awkward")
    parser.add_argument("--variations", action="store_true")
    parser.add_argument("--chunk", type=int, default=100_000, help="events of a chunk of coffea")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as own, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coffea tells of columns that the sample does not have
        first, real = (
            work_of(
                given.peer,
                path,
                Path(own) / name,
                code=given.code,
                variations=given.variations,
                chunk=given.chunk,
            )
            for name, path in (("warm-up", given.warm_up), ("real", given.file))
        )
        measured(real, first, given.output)


if __name__ == "__main__":
    main()

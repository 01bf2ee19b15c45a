"""Tables of luminosity by run and block."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import ChecksumError, InputError, StorageError
from hepflow.events import BLOCK_ID
from hepflow.lumi_mask import Ranges
from hepflow.luminosity.codes import Integers, codes_of, is_certified, name_of
from hepflow.storage import check_unchanged, parse_json, refuse_special

Row = tuple[int, int, float]  # run, block, luminosity [1/pb]
_PER_PICOBARN = {"fb": 1e3, "pb": 1.0, "nb": 1e-3, "ub": 1e-6}
_LAST = 2**31 - 1
_BROKEN = (OSError, ValueError, TypeError, AttributeError, IndexError, OverflowError, StorageError)
_FORMS = (
    "Expected the CSV that brilcalc writes (lumi --byls), a CSV with the header "
    "'run,luminosityBlock,luminosity [1/pb]', or JSON such as "
    '{"273158": {"1": 0.021}} in 1/pb.'
)


@dataclass(frozen=True)
class LumiTable:
    """Luminosity of each block."""

    name: str  # of the file, for messages
    codes: Integers  # of (run, block), increasing, shape (n,)
    values: NDArray[np.float64]  # [1/pb], shape (n,)

    def certified(self, ranges: Ranges | None) -> NDArray[np.bool_]:
        """Which blocks are in a list; all without one. Shape (n,)."""
        return is_certified(self.codes, ranges)

    def of(self, codes: Integers) -> NDArray[np.float64]:
        """Luminosity [1/pb] of blocks that the table has. Shape (n,)."""
        return self.values[np.searchsorted(self.codes, codes)]


@functools.lru_cache(maxsize=4)
def load_table(file: str, digest: str) -> LumiTable:
    """Read a table of luminosity by run and block.

    Parameters
    ----------
    file
        CSV of brilcalc, plain CSV, or JSON.
    digest
        SHA-256 of the file; a changed file is read anew.

    Raises
    ------
    InputError
        If the file is missing, of another form, or has a block twice.
    """
    try:
        refuse_special(file)
        raw = Path(file).read_bytes()
        check_unchanged(raw, digest, file)
        text = raw.decode("utf-8")
        rows = list(_json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text))
        _check_numbers(rows)
    except ChecksumError:
        raise
    except (*_BROKEN, csv.Error) as error:
        raise InputError(
            f"{file}: not a table of luminosity (general.lumi_table): {error}. {_FORMS}"
        ) from error
    return _table(file, rows)


def _check_numbers(rows: Sequence[Row]) -> None:
    """Refuse runs and blocks that no detector has: their codes would overflow."""
    for run, block, _ in rows:
        if not 0 <= run <= _LAST or not 0 <= block <= _LAST:
            raise ValueError(f"run {run}, block {block}: expected 0 to {_LAST}")


def _table(file: str, rows: Sequence[Row]) -> LumiTable:
    if not rows:
        raise InputError(f"{file}: the table of luminosity (general.lumi_table) is empty. {_FORMS}")
    runs, blocks, values = zip(*rows, strict=True)
    codes, luminosity = codes_of(runs, blocks), np.asarray(values, dtype=np.float64)
    order = np.argsort(codes, kind="stable")
    codes, luminosity = codes[order], luminosity[order]
    twice = codes[1:][codes[1:] == codes[:-1]]
    if len(twice):
        raise InputError(f"{file}: the block {name_of(int(twice[0]))} is in the table twice.")
    bad = ~np.isfinite(luminosity) | (luminosity < 0)
    if bad.any():
        first = int(np.argmax(bad))
        raise InputError(
            f"{file}: the block {name_of(int(codes[first]))} has the luminosity "
            f"{luminosity[first]}. Expected a number of at least 0."
        )
    return LumiTable(file, codes, luminosity)


def _json_rows(text: str) -> Iterator[Row]:
    for run, blocks in parse_json(text).items():
        for block, value in blocks.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{run}:{block} has {value!r}, which is no luminosity")
            yield int(run), int(block), float(value)


def _csv_rows(text: str) -> Iterator[Row]:
    lines = text.splitlines()
    header = next((line for line in lines if line.strip().startswith("#run:fill,")), None)
    if header is not None:
        return _brilcalc_rows(header, lines)
    return _plain_rows([line for line in lines if line.strip() and not line.startswith("#")])


def _brilcalc_rows(header: str, lines: Sequence[str]) -> Iterator[Row]:
    """Rows of ``run:fill`` and ``block:block``, the luminosity recorded in the header's unit."""
    names = header.strip().lstrip("#").split(",")
    found = [(i, re.fullmatch(r"recorded\(/(\w+)\)", name)) for i, name in enumerate(names)]
    at, unit = next(((i, match[1]) for i, match in found if match), (0, ""))
    if unit not in _PER_PICOBARN or names[1] != "ls":
        raise ValueError(f"the header {header!r} has no columns 'ls' and 'recorded(/fb ... /ub)'")
    for row in csv.reader(line for line in lines if line.strip() and not line.startswith("#")):
        if len(row) != len(names):
            raise ValueError(f"a row has {len(row)} columns, the header {len(names)}: {row}")
        yield (
            int(row[0].partition(":")[0]),
            int(row[1].partition(":")[0]),
            float(row[at]) * _PER_PICOBARN[unit],
        )


def _plain_rows(lines: Sequence[str]) -> Iterator[Row]:
    rows = csv.reader(lines)
    header = [name.strip() for name in next(rows, [])]
    if tuple(header[:2]) != BLOCK_ID or header[2:] != ["luminosity [1/pb]"]:
        raise ValueError(f"the header is {','.join(header)!r}")
    for run, block, value in rows:
        yield int(run), int(block), float(value)

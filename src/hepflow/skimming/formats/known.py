"""The formats that there are, by name and by suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepflow.errors import StorageError
from hepflow.skimming.formats.header import Header
from hepflow.skimming.formats.parquet import read_parquet, write_parquet
from hepflow.skimming.formats.pickled import read_pickle, write_pickle
from hepflow.skimming.formats.root import read_root, write_root


@dataclass(frozen=True)
class PartFormat:
    """How a part lies on disk.

    Both functions keep fields, types, record names and every bit of the numbers, write the
    whole file or none, and refuse at reading what is not as it was written.
    """

    suffix: str
    write: Callable[[Path, Any, Mapping[str, Any]], None]  # (path, events, header)
    read: Callable[[Path, Sequence[str] | None], tuple[Any, Header]]
    # (path, columns as "Muon.pt" and "run", None for all) -> (events, header)


FORMATS: dict[str, PartFormat] = {
    "pickle": PartFormat(".pkl", write_pickle, read_pickle),
    "root": PartFormat(".root", write_root, read_root),
    "parquet": PartFormat(".parquet", write_parquet, read_parquet),
}


def format_of(path: str | Path) -> PartFormat:
    """Return the format of a part, which its suffix tells.

    Raises
    ------
    StorageError
        If no format has this suffix.
    """
    suffix = Path(path).suffix
    for one in FORMATS.values():
        if one.suffix == suffix:
            return one
    known = ", ".join(one.suffix for one in FORMATS.values())
    raise StorageError(f"{path} is no part of a skim: its name ends in none of {known}.")

"""Formats that are no plain table of columns: recognised, in order to say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

READS = (
    "hepflow reads NanoAOD and flat trees (TTree, RNTuple or Parquet): one number or list of "
    "numbers a branch. Write the columns that you need as such a tree first."
)


@dataclass(frozen=True)
class Foreign:
    """One format, and what tells it."""

    name: str
    tree: str
    tells: str  # for the message
    fits: Callable[[Any], bool]  # of the open ROOT file


def _has_branch(tree: str, told: Callable[[str], bool]) -> Callable[[Any], bool]:
    return lambda file: any(told(name) for name in file[tree].keys(recursive=False))


FORMATS = (
    Foreign(
        "an ATLAS xAOD such as PHYSLITE",
        "CollectionTree",
        "branches named *AuxDyn.*",
        _has_branch("CollectionTree", lambda name: "AuxDyn." in name),
    ),
    Foreign(
        "a Delphes file",
        "Delphes",
        "counters named *_size",
        _has_branch("Delphes", lambda name: name.endswith("_size")),
    ),
    Foreign(
        "an EDM4hep file",
        "events",
        "podio_metadata beside it",
        lambda file: "podio_metadata" in file.keys(recursive=False, cycle=False),
    ),
)


def foreign_format(root_file: Any, treename: str, names: set[str]) -> Foreign | None:
    """Format of a ROOT file whose events hepflow does not read; None for one that it does.

    Parameters
    ----------
    root_file
        As uproot opened it.
    treename
        The tree that is wanted. Where the file has it beside a foreign one it is read.
    names
        What the file holds.
    """
    for one in FORMATS:
        concerned = treename == one.tree or treename not in names
        if concerned and one.tree in names and one.fits(root_file):
            return one
    return None

"""How much of the luminosity of a year was processed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import NormalisationError
from hepflow.lumi_mask import Ranges
from hepflow.luminosity.blocks import ProcessedData
from hepflow.luminosity.codes import Integers, is_certified, name_of
from hepflow.luminosity.table import LumiTable


def luminosity_fraction(
    table: LumiTable, data: Sequence[ProcessedData], lists: Iterable[Ranges | None]
) -> float:
    """Luminosity of the processed blocks of a year over that of all its blocks.

    Parameters
    ----------
    table
        Luminosity by block.
    data
        Datasets of the year that were processed in part or in full.
    lists
        Certified runs of all datasets of the year; None for one without: all of the table.

    Raises
    ------
    NormalisationError
        If a block is in two datasets or missing in the table, or nothing was processed.
    """
    whole = np.any([table.certified(ranges) for ranges in lists], axis=0)
    chosen = [_chosen(one) for one in data]
    for (one, (first, _)), (two, (second, _)) in itertools.combinations(
        zip(data, chosen, strict=True), 2
    ):
        _check_apart(one.dataset, two.dataset, np.intersect1d(first, second))
    processed = []
    for one, (codes, parts) in zip(data, chosen, strict=True):
        _check_known(table, one.dataset, codes[parts > 0])
        seen = parts > 0
        processed.extend((table.of(codes[seen]) * parts[seen]).tolist())
    total = math.fsum(table.values[whole])
    done = math.fsum(processed)
    if not done:
        names = ", ".join(one.dataset for one in data)
        raise NormalisationError(
            f"{table.name}: no luminosity of {names} was processed, and simulation cannot be "
            "scaled to none. Process more of the data."
        )
    return done / total


def _chosen(data: ProcessedData) -> tuple[Integers, NDArray[np.float64]]:
    keep = is_certified(data.codes, data.ranges)
    return data.codes[keep], data.parts[keep]


def _check_apart(one: str, two: str, both: Integers) -> None:
    if len(both):
        raise NormalisationError(
            f"the datasets {one!r} and {two!r} share {len(both):,} luminosity blocks, such as "
            f"{name_of(int(both[0]))}: what one lost the other may have, and how much luminosity "
            "was processed is unknown. Process the data completely, or leave one of them or "
            "general.lumi_table out."
        )


def _check_known(table: LumiTable, dataset: str, codes: Integers) -> None:
    unknown = codes[~np.isin(codes, table.codes)]
    if len(unknown):
        raise NormalisationError(
            f"{table.name}: has no luminosity of {len(unknown):,} blocks that were processed in "
            f"{dataset!r}, such as {name_of(int(unknown[0]))}. Give a table of all blocks that are "
            "certified (general.lumifile, or lumi_mask of the dataset)."
        )


def check_years_apart(table: LumiTable, lists: Mapping[str, Sequence[Ranges | None]]) -> None:
    """Make sure that each block of a table belongs to one year.

    Parameters
    ----------
    lists
        Year -> certified runs of its datasets of data; None for one without.

    Raises
    ------
    NormalisationError
        If certified lists do not tell the years apart.
    """
    if len(lists) < 2:  # noqa: PLR2004 - one year needs no telling apart
        return
    masks = {
        year: np.any([table.certified(ranges) for ranges in found], axis=0)
        for year, found in lists.items()
    }
    for one, two in itertools.combinations(masks, 2):
        if np.any(masks[one] & masks[two]):
            raise NormalisationError(
                f"{table.name}: blocks of the years {one} and {two} are told apart by certified "
                "runs, which are missing or hold blocks of both. Give each dataset of data a "
                "lumi_mask of its year."
            )

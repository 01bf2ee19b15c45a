"""Members of a source of theory weights as its two sides, bin by bin.

All formulas act on differences to the nominal template, or to that of member 0 of a PDF set, so
that members that change nothing give the nominal template to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.lhapdf import formula_of
from hepflow.errors import NormalisationError
from hepflow.records import Block, Source, Template
from hepflow.records.theory import TheoryRule, member_of

Floats = NDArray[np.float64]
_PDF = "pdf"
_BESIDE = "pdf_alpha_s"


@dataclass(frozen=True)
class Sides:
    """Differences to nominal, and sums of squared weights of what they are the difference of."""

    up: Floats  # shape (n_bins + 2,)
    down: Floats
    up_sumw2: Floats
    down_sumw2: Floats


def envelope(members: Floats, members_sumw2: Floats, nominal: Template) -> Sides:
    """Highest and lowest of nominal and all members, in each bin.

    Parameters
    ----------
    members, members_sumw2
        Shape (n_members, n_bins + 2).
    """
    sumw = np.vstack([nominal.sumw, members])
    sumw2 = np.vstack([nominal.sumw2, members_sumw2])
    bins = np.arange(sumw.shape[1])
    high, low = np.argmax(sumw, axis=0), np.argmin(sumw, axis=0)
    return Sides(
        sumw[high, bins] - nominal.sumw,
        sumw[low, bins] - nominal.sumw,
        sumw2[high, bins],
        sumw2[low, bins],
    )


def hessian(members: Floats, centre: Floats) -> Floats:
    """Symmetric Hessian uncertainty: root of the sum of squared differences to member 0.

    Equation 20 of the PDF4LHC recommendations for Run II (arXiv:1510.03865).

    Parameters
    ----------
    members
        Eigenvectors, shape (n_members, n_bins + 2).
    centre
        Member 0, shape (n_bins + 2,).
    """
    return np.asarray(np.sqrt(np.sum((members - centre) ** 2, axis=0)))


def replicas(members: Floats, centre: Floats) -> Floats:
    """Uncertainty of Monte Carlo replicas: their standard deviation, with n - 1.

    Equation 21 of the PDF4LHC recommendations for Run II (arXiv:1510.03865).

    Parameters
    ----------
    members
        Replicas, shape (n_members, n_bins + 2).
    centre
        Any template near them: it drops out, but for rounding.
    """
    if len(members) == 1:
        return np.zeros_like(centre)
    return np.asarray(np.std(members - centre, axis=0, ddof=1))


def with_sides(block: Block, process: str, sources: Iterable[Source]) -> Block:
    """Block of a process with the sides of all sources of theory weights that act on it."""
    for one in sources:
        if one.theory is not None and process in one.processes:
            block = combined(block, one)
    return block


def combined(block: Block, source: Source) -> Block:
    """Block of a process with the sides of a source in the place of its members.

    Where datasets of the process have different sets of members, the differences that each of
    them makes are added: the sources of all are one.

    Raises
    ------
    NormalisationError
        If it is not known how the members are combined.
    """
    if source.theory is None:
        return block
    places = {name: member_of(name, source.name) for name in block.variations}
    kept = tuple(name for name, place in places.items() if place is None)
    if len(kept) == len(places):
        return block
    nominal = block.template()
    sides = [
        _sides(source.name, source.theory, members, _numbers(places, members), block)
        for members in dict.fromkeys(place[0] for place in places.values() if place)
    ]
    found = block.aligned(kept)
    for side in ("up", "down"):
        changes = [getattr(one, side) for one in sides]
        squares = [getattr(one, f"{side}_sumw2") for one in sides]
        sumw2 = squares[0] if len(squares) == 1 else nominal.sumw2
        template = Template(nominal.sumw + sum(changes), sumw2)
        found = found.with_row(f"{source.name}_{side}", template)
    return found


def _numbers(places: Mapping[str, tuple[str, int] | None], members: str) -> dict[int, str]:
    """Rows of one set by the number of their member."""
    return {place[1]: name for name, place in places.items() if place and place[0] == members}


def _sides(
    name: str, rule: TheoryRule, members: str, rows: Mapping[int, str], block: Block
) -> Sides:
    nominal = block.template()
    order = sorted(rows)
    sumw = np.stack([block.template(rows[one]).sumw for one in order])
    sumw2 = np.stack([block.template(rows[one]).sumw2 for one in order])
    how = _formula(name, rule, members)
    if how == "envelope":
        return envelope(sumw, sumw2, nominal)
    if rule.members == "alpha_s":  # member 0, and those of a lower and a higher value
        return _around(sumw[2] - sumw[0], sumw[1] - sumw[0], nominal)
    if how == "pair":
        return Sides(sumw[0] - nominal.sumw, sumw[1] - nominal.sumw, sumw2[0], sumw2[1])
    by_name = rule.members in {_PDF, _BESIDE}
    centre, others = (sumw[0], sumw[1:]) if by_name else (nominal.sumw, sumw)
    beside = np.zeros_like(centre)
    if rule.members == _BESIDE:
        beside, others = (others[-1] - others[-2]) / 2.0, others[:-2]
    size = hessian(others, centre) if how == "hessian" else replicas(others, centre)
    size = np.hypot(size, beside) if rule.members == _BESIDE else size
    return _around(size, -size, nominal)


def _around(up: Floats, down: Floats, nominal: Template) -> Sides:
    return Sides(up, down, nominal.sumw2, nominal.sumw2)


def _formula(name: str, rule: TheoryRule, members: str) -> str:
    """How members are combined: as configured, as their name says, or as their PDF set needs."""
    known = {"scale": "envelope", "isr": "pair", "fsr": "pair", "alpha_s": "pair"}
    how = rule.combine or known.get(rule.members) or formula_of(members)
    if how is None:
        raise NormalisationError(
            f"source {name!r}: it is not known how the members of {members!r} are combined. Give "
            "combine ('hessian' or 'replicas')."
        )
    return how

"""Which entries of a list of theory weights are wanted: from its length and what its file says.

Lists of the same weights differ between versions of NanoAOD in length and in order; the title of
the branch tells, where the file has one. Scales are sorted in all versions, so that only the order
of weights of the shower is assumed where no title tells it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hepflow.corrections.lhapdf import MOST_BESIDE, SIZES, Formula, PdfSet, set_of
from hepflow.errors import InputError
from hepflow.records.theory import with_assumed_order
from hepflow.schema import Systematic

# Scales of renormalisation and factorisation over the nominal ones, without those that move
# against each other.
SCALES = ((0.5, 0.5), (0.5, 1.0), (1.0, 0.5), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0))
_NINE = tuple((muR, muF) for muR in (0.5, 1.0, 2.0) for muF in (0.5, 1.0, 2.0))
_EIGHT = tuple(pair for pair in _NINE if pair != (1.0, 1.0))  # some files leave nominal out
# Scale of the shower's coupling over the nominal one: initial and final state. This is the order
# from version 9 of NanoAOD on; versions before it have half the scale first.
_FOUR = ((2.0, 1.0), (1.0, 2.0), (0.5, 1.0), (1.0, 0.5))
_SHOWER = {"isr": ((2.0, 1.0), (0.5, 1.0)), "fsr": ((1.0, 2.0), (1.0, 0.5))}  # up, down
_SHOWER_BRANCH = "PSWeight"
_ONE_DUMMY = 1  # length of the list where a generator has no weights of the shower

_NUMBER = r'"?\s*([0-9.]+(?:[EeDd][+-]?[0-9]+)?)"?'
_MU_R = re.compile(rf"(?:muR|renscfact)\s*=\s*{_NUMBER}", re.IGNORECASE)
_MU_F = re.compile(rf"(?:muF|facscfact)\s*=\s*{_NUMBER}", re.IGNORECASE)
_ISR = re.compile(rf"ISR\s*=\s*{_NUMBER}", re.IGNORECASE)
_FSR = re.compile(rf"FSR\s*=\s*{_NUMBER}", re.IGNORECASE)
# What weights of the shower are called by CMS settings of Pythia, one by one: "[0] isr.murfac=2.0",
# "[0] isrDefHi", where Hi is half the scale.
_ENTRY = re.compile(r"\[\d+\]\s*([^\[;]*)")
_ONE_STATE = re.compile(rf"^([if])sr(?:[.:]murfac\s*=\s*{_NUMBER}|Def(Hi|Lo))", re.IGNORECASE)
_DEFINED = {"hi": 0.5, "lo": 2.0}
_IDS = re.compile(r"LHA IDs?\s+(\d+)\s*-\s*(\d+)")
Pairs = Sequence[tuple[float, float] | None]  # None for weights that are something else
NOMINAL_PLACE = -1  # of a member that the list leaves out because it is the nominal weight


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the members of a source are in its list."""

    members: str  # name of the set: "scale", "pdf306000"; it tells whether the order is assumed
    numbers: tuple[int, ...]  # what the members are called; of PDFs the number in their set
    places: tuple[int, ...]  # positions in the list, `NOMINAL_PLACE` for the nominal weight


def layout_of(source: Systematic, length: int, title: str, where: str) -> Layout | None:
    """Find the members of a source in lists of this length.

    Parameters
    ----------
    title
        What the file says about the branch; "" where it says nothing.
    where
        File and branch, for messages.

    Returns
    -------
    Layout or None
        None where the events do not have these weights.

    Raises
    ------
    InputError
        If the list is none that is known.
    """
    members = source.members
    if length == 0 or members is None or _is_dummy(source, length):
        return None
    if isinstance(members, list):
        return _by_position(members, length, where)
    if members == "scale":
        pairs = _pairs(title, _MU_R, _MU_F, length) or {9: _NINE, 8: _EIGHT}.get(length)
        return _of_pairs("scale", SCALES, pairs, length, where)
    if members in _SHOWER:
        return _of_shower(members, length, title, where)
    return _of_pdfs(source, members, length, title, where)


def _is_dummy(source: Systematic, length: int) -> bool:
    """Whether a list stands for no weights of the shower, however its members are given."""
    of_shower = source.members in ("isr", "fsr") or source.weights == _SHOWER_BRANCH
    return of_shower and length == _ONE_DUMMY


def _by_position(positions: list[int], length: int, where: str) -> Layout:
    if max(positions) >= length:
        raise InputError(
            f"{where}: has {length} weights in each event, but members asks for position "
            f"{max(positions)}. Positions count from 0. Give the processes whose files have other "
            "lists a source of their own (processes)."
        )
    return Layout("at", tuple(range(len(positions))), tuple(positions))


def _of_shower(members: str, length: int, title: str, where: str) -> Layout:
    """Weights of the shower, in the order that the title tells or else in that of new files."""
    told = _pairs(title, _ISR, _FSR, length) or _states(title, length)
    pairs = told or {4: _FOUR}.get(length)
    found = _of_pairs(members, _SHOWER[members], pairs, length, where)
    return found if told else replace(found, members=with_assumed_order(members))


def _states(title: str, length: int) -> Pairs | None:
    """Two scales of each weight, where the title says of each entry which state it varies."""
    entries = [_ONE_STATE.match(one) for one in _ENTRY.findall(title)]
    if len(entries) != length or not any(entries):
        return None
    return [None if one is None else _state(*one.groups()) for one in entries]


def _state(letter: str, number: str | None, side: str | None) -> tuple[float, float]:
    scale = _scale(number) if number else _DEFINED[(side or "").lower()]
    return (scale, 1.0) if letter.lower() == "i" else (1.0, scale)


def _pairs(
    title: str, first: re.Pattern[str], second: re.Pattern[str], length: int
) -> Pairs | None:
    """Two scales of each weight, where the title names them for all."""
    left, right = first.findall(title), second.findall(title)
    if not len(left) == len(right) == length:
        return None
    return [(_scale(one), _scale(other)) for one, other in zip(left, right, strict=True)]


def _scale(text: str) -> float:
    """Return the number of a text, in which Fortran may have written the exponent."""
    return float(text.upper().replace("D", "E"))


def _of_pairs(name: str, wanted: Pairs, pairs: Pairs | None, length: int, where: str) -> Layout:
    # Of several the first one: others have another dynamic scale as their base.
    known = {pair: place for place, pair in reversed(list(enumerate(pairs or ())))}
    if not all(pair in known for pair in wanted):
        expected = "9, or 8 without nominal" if name == "scale" else "4, or 1 for none"
        raise InputError(
            f"{where}: has {length} weights in each event; of {name} variations {expected} are "
            "expected, or a title that names the scales of each. Give members as a list of "
            "positions, with combine."
        )
    return Layout(name, tuple(range(len(wanted))), tuple(known[pair] for pair in wanted))


def _of_pdfs(source: Systematic, kind: str, length: int, title: str, where: str) -> Layout | None:
    first = _first_id(title, length, where) or source.lhapdf_id
    known = set_of(first) if first else None
    if known is None:
        known = _unknown_set(source, first, length, where)
        start = 1 - (length - known.size) % 2  # number of the first weight in its set
    else:
        start = (first or 0) - known.lhapdf_id
    label = f"{kind}{known.lhapdf_id or ''}"
    tail = (known.size + 1, known.size + 2) if known.alpha_s else ()
    if kind == "alpha_s" and (not tail or tail[-1] - start >= length):
        return None
    body = () if kind == "alpha_s" else tuple(range(1, known.size + 1))
    numbers = (0, *body, *(tail if kind != "pdf" else ()))
    places = tuple(one - start for one in numbers)
    if start > 1 or max(places) >= length or (kind == "pdf_alpha_s" and not tail):
        raise InputError(
            f"{where}: has {length} weights in each event, but the PDF set {known.name} has "
            f"{known.size} members{' and two of alpha_s' if kind == 'pdf_alpha_s' else ''}, and "
            "these are not all there. Give members as a list of positions, with combine."
        )
    return Layout(label, numbers, tuple(max(one, NOMINAL_PLACE) for one in places))


def _first_id(title: str, length: int, where: str) -> int | None:
    """LHAPDF ID of the first weight by the title of the branch."""
    match = _IDS.search(title)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    if last - first + 1 != length:
        raise InputError(
            f"{where}: has {length} weights in each event, but its title says LHAPDF IDs {first} "
            f"to {last}. Give members as a list of positions, with combine."
        )
    return first


def _unknown_set(source: Systematic, first: int | None, length: int, where: str) -> PdfSet:
    """Set that no table knows, of which its formula was given, by the lengths that sets have."""
    size = next((one for one in SIZES if 0 <= length - one <= MOST_BESIDE), None)
    formula: Formula | None = "hessian" if source.members == "alpha_s" else None
    if source.combine == "hessian" or source.combine == "replicas":  # noqa: PLR1714 - for mypy
        formula = source.combine
    if formula is None or size is None:
        what = f"of LHAPDF ID {first}" if first else "whose LHAPDF ID the file does not say"
        needed = "lhapdf_id, or combine ('hessian' or 'replicas')" if size else "members"
        raise InputError(
            f"{where}: has {length} weights in each event, of a PDF set {what}, so that it is not "
            f"known how they are combined. Give {needed} of the source {source.name!r}."
        )
    base = first - 1 + (length - size) % 2 if first else 0
    alpha_s = length - size >= MOST_BESIDE - 1
    return PdfSet(base, "that is not known", formula, size, alpha_s=alpha_s)

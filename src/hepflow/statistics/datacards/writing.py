"""A datacard as text, and its histograms as a ROOT file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.statistics.datacards.card import Card, Effect, Nuisance
from hepflow.statistics.datacards.exporting import CARD_FILE, SHAPES_FILE, Exported
from hepflow.storage import atomic_write

Floats = NDArray[np.float64]
_LINE: Final = "-" * 72


def write_card(exported: Exported, folder: str | Path) -> tuple[Path, ...]:
    """Write ``datacard.txt``, and ``shapes.root`` where the card has histograms.

    Returns
    -------
    tuple of Path
        The files, the card first.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / CARD_FILE]
    if exported.histograms:
        files.append(folder / SHAPES_FILE)
        atomic_write(files[-1], _root_file(exported.histograms))
    else:
        (folder / SHAPES_FILE).unlink(missing_ok=True)  # of an earlier card
    atomic_write(files[0], card_text(exported.card, _head(exported)))
    return tuple(files)


def _head(exported: Exported) -> list[str]:
    """What a reader must know, as comments."""
    low, high = exported.bounds
    lines = [f"Parameter of interest: {exported.poi}, from {low:g} to {high:g}; r in Combine"]
    lines += [f"{new} is {old!r} in the workspace" for new, old in exported.renamed.items()]
    lines += [f"Differs: {one}" for one in exported.approximations]
    return [" ".join(line.split()) for line in lines]  # a name may hold the end of a line


def card_text(card: Card, comments: Sequence[str] = ()) -> str:
    """Text of a card.

    Parameters
    ----------
    card : Card
    comments : sequence of str
        Stand above, one a line.
    """
    parts = [
        [f"# {line}" for line in comments],
        _counts(card),
        [
            f"shapes {one.process} {one.channel} {one.file} {one.nominal} {one.varied}"
            for one in card.rules
        ],
        _table([["bin", *card.observed], ["observation", *map(_rate, card.observed.values())]]),
        _table(_columns(card)),
        _table([_nuisance(one, len(card.columns)) for one in card.nuisances]),
        list(_rest(card)),
    ]
    return "\n".join("\n".join([*lines, _LINE]) for lines in parts if lines) + "\n"


def _counts(card: Card) -> list[str]:
    processes = {one.process for one in card.columns}
    return [
        f"imax {len(card.observed)}  channels",
        f"jmax {len(processes) - 1}  processes less one",
        f"kmax {len(card.nuisances) + len(card.constraints)}  nuisance parameters",
    ]


def _columns(card: Card) -> list[list[str]]:
    return [
        ["bin", *(one.channel for one in card.columns)],
        ["process", *(one.process for one in card.columns)],
        ["process", *(str(one.index) for one in card.columns)],
        ["rate", *(_rate(one.rate) for one in card.columns)],
    ]


def _nuisance(one: Nuisance, n_columns: int) -> list[str]:
    kind = f"gmN {one.events}" if one.kind == "gmN" else one.kind
    effects = (one.effects.get(position) for position in range(n_columns))
    return [one.name, kind, *(_effect(effect) for effect in effects)]


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return "-"
    up = _number(effect.value)
    return up if effect.down is None else f"{_number(effect.down)}/{up}"


def _rest(card: Card) -> Iterator[str]:
    for one in card.rates:
        ends = "" if one.bounds is None else f" [{_number(one.bounds[0])},{_number(one.bounds[1])}]"
        yield f"{one.name} rateParam {one.channel} {one.process} {_number(one.value)}{ends}"
    for constraint in card.constraints:
        widths = f"-{_number(constraint.down)}/+{_number(constraint.up)}"
        yield f"{constraint.name} param {_number(constraint.mean)} {widths}"
    for name, statistics in card.statistics.items():
        flags = f"{int(statistics.with_signal)} {statistics.mode}"
        yield f"{name} autoMCStats {_number(statistics.threshold)} {flags}"
    for group, members in card.groups.items():
        yield f"{group} group = {' '.join(members)}"


def _rate(value: float | None) -> str:
    return "-1" if value is None else _number(value)


def _number(value: float) -> str:
    """Shortest text that gives the same number again."""
    return repr(float(value)).removesuffix(".0")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns one below the other."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _root_file(histograms: Mapping[str, tuple[Floats, Floats]]) -> bytes:
    import uproot

    content = io.BytesIO()
    with uproot.recreate(content) as file:
        for key, (values, errors) in histograms.items():
            file[key] = _th1(key.rpartition("/")[2], values, errors)
        return content.getvalue()


def _th1(name: str, values: Floats, errors: Floats) -> Any:
    """A TH1D over the numbers of the bins; a workspace has no other axis."""
    from uproot.writing import identify

    def with_flow(numbers: Floats) -> Floats:
        return np.concatenate([[0.0], numbers, [0.0]])

    centres = np.arange(len(values)) + 0.5
    return identify.to_TH1x(
        fName=None,
        fTitle=name,
        data=with_flow(values),
        fEntries=float(len(values)),
        fTsumw=float(values.sum()),
        fTsumw2=float((errors**2).sum()),
        fTsumwx=float((values * centres).sum()),
        fTsumwx2=float((values * centres**2).sum()),
        fSumw2=with_flow(errors**2),
        fXaxis=identify.to_TAxis(
            fName="xaxis", fTitle="bin", fNbins=len(values), fXmin=0.0, fXmax=float(len(values))
        ),
    )

"""One-dimensional histograms in ROOT files, with what is written beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError, UnreadableFile, did_you_mean
from hepflow.storage import atomic_writer

Floats = NDArray[np.float64]
NOTE: Final = "hepflow"  # object string in a file: JSON with what its histograms depend on


@dataclass(frozen=True)
class Spectrum:
    """Contents of a histogram, under- and overflow included."""

    name: str
    edges: Floats  # shape (n_bins + 1,)
    sumw: Floats  # shape (n_bins + 2,)
    sumw2: Floats  # shape (n_bins + 2,)
    title: str = ""  # of the axis
    note: Mapping[str, Any] = field(default_factory=dict)  # what stands beside it in the file

    @property
    def values(self) -> Floats:
        """Contents of the bins, shape (n_bins,)."""
        return self.sumw[1:-1]

    @property
    def variances(self) -> Floats:
        """Squared statistical uncertainties of the bins, shape (n_bins,)."""
        return self.sumw2[1:-1]

    def scaled(self, factor: float, name: str) -> Spectrum:
        """The same times a factor."""
        return replace(self, name=name, sumw=self.sumw * factor, sumw2=self.sumw2 * factor**2)


def read_spectrum(file: str | Path, name: str) -> Spectrum:
    """Read a histogram of one axis.

    Raises
    ------
    InputError
        There is no such file or histogram, it has several axes, or a content is not finite.
    UnreadableFile
        The file is cut off, or no ROOT file.
    """
    import uproot

    path = Path(file)
    if not path.is_file():
        raise InputError(f"{path} does not exist. Expected a ROOT file with histogram {name!r}.")
    try:
        with uproot.open(path) as opened:
            known = list(opened.keys(cycle=False))
            found = opened[name] if name in known else None
            note = str(opened[NOTE]) if NOTE in known else "{}"
            if found is not None:
                return _checked(path, name, found, _note(note, path))
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise UnreadableFile(
            f"{path} cannot be read: {type(error).__name__}: {reason}. Is it a whole ROOT file?"
        ) from error
    hint = did_you_mean(name, known)
    shown = ", ".join(known[:20]) or "nothing"
    raise InputError(f"{path} has no histogram {name!r}. {hint} It holds: {shown}.")


def _note(text: str, path: Path) -> dict[str, Any]:
    try:
        note = json.loads(text)
    except ValueError as error:
        raise UnreadableFile(f"{path}: the text {NOTE!r} in it is no JSON: {error}.") from error
    return note if isinstance(note, dict) else {}


def _checked(path: Path, name: str, found: Any, note: Mapping[str, Any]) -> Spectrum:
    if not hasattr(found, "axes") or len(found.axes) != 1:
        raise InputError(
            f"{path}: {name!r} is a {type(found).__name__}; expected a histogram of one axis."
        )
    sumw = np.asarray(found.values(flow=True), dtype=np.float64)
    variances = found.variances(flow=True)
    sumw2 = np.abs(sumw) if variances is None else np.asarray(variances, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(sumw + sumw2))
    if len(bad):
        raise InputError(
            f"{path}: histogram {name!r} is not finite in bin {bad[0] - 1} (-1: underflow)."
        )
    axis = found.axes[0]
    title = str(getattr(axis, "title", "") or axis.member("fTitle"))
    edges = np.asarray(axis.edges(), dtype=np.float64)
    return Spectrum(name, edges, sumw, sumw2, title, note)


def same_binning(one: Spectrum, other: Spectrum) -> bool:
    """Whether the edges of two histograms agree, to rounding."""
    width = float(np.min(np.diff(one.edges)))
    return len(one.edges) == len(other.edges) and bool(
        np.all(np.abs(one.edges - other.edges) < 1e-6 * width)
    )


def shown_binning(one: Spectrum) -> str:
    """Binning for people."""
    bins = len(one.edges) - 1
    widths = np.diff(one.edges)
    kind = "" if math.isclose(widths.min(), widths.max(), rel_tol=1e-6) else " of different width"
    return f"{bins} bins{kind} from {one.edges[0]:g} to {one.edges[-1]:g}"


def write_spectra(file: str | Path, spectra: list[Spectrum], note: Mapping[str, Any]) -> Path:
    """Write histograms and what they depend on into a new ROOT file."""
    import hist
    import uproot

    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path) as temporary, uproot.recreate(temporary) as out:
        for one in spectra:
            axis = hist.axis.Variable(one.edges, name="x", label=one.title)
            filled = hist.Hist(axis, storage=hist.storage.Weight())
            filled.view(flow=True)["value"] = one.sumw
            filled.view(flow=True)["variance"] = one.sumw2
            out[one.name] = filled
        out[NOTE] = json.dumps(dict(note), sort_keys=True)
    return path

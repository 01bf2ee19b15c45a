"""A signal histogram against archived data and background: fit, limit, pictures."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from hepflow.errors import InputError
from hepflow.records.prediction import ChannelPrediction, Prediction
from hepflow.records.results import LimitResult
from hepflow.reinterpretation.spectra import Spectrum, same_binning, shown_binning

_log = logging.getLogger(__name__)

POI: Final = "mu"
CHANNEL: Final = "signal_region"
UNCERTAINTIES: Final = ("none", "statistical", "relative")
Uncertainty = Literal["none", "statistical", "relative"]


@dataclass(frozen=True)
class Archive:
    """What is kept of an analysis: histograms that are never scaled again."""

    data: Spectrum
    background: Spectrum
    luminosity: float | None = None  # [1/pb]; None where nobody says


@dataclass(frozen=True)
class BackgroundUncertainty:
    """How well the background is known."""

    kind: Uncertainty = "statistical"
    size: float = 0.0  # of "relative": 0.1 is 10 %, common to all bins

    @classmethod
    def read(cls, text: str) -> BackgroundUncertainty:
        """Read ``none``, ``statistical`` or ``relative:SIZE``.

        Raises
        ------
        InputError
            It is none of these.
        """
        kind, colon, size = text.partition(":")
        try:
            if kind == "relative" and 0 < float(size) < 1:
                return cls("relative", float(size))
        except ValueError:
            pass
        if kind == "none" and not colon:
            return cls("none")
        if kind == "statistical" and not colon:
            return cls("statistical")
        raise InputError(
            f"background uncertainty {text!r}: expected none, statistical, or relative:SIZE "
            "such as relative:0.1 for 10 %."
        )

    def __str__(self) -> str:
        return {
            "none": "none",
            "statistical": "statistical, from the sum of squared weights, by bin (Poisson)",
            "relative": f"relative, {100 * self.size:g} %, common to all bins",
        }[self.kind]

    def modifiers(self, background: Spectrum) -> list[dict[str, Any]]:
        """Modifiers of the background in a HistFactory workspace."""
        if self.kind == "relative":
            sizes = {"hi": 1 + self.size, "lo": 1 - self.size}
            return [{"name": "background_size", "type": "normsys", "data": sizes}]
        if self.kind == "statistical":
            errors = np.sqrt(background.variances).tolist()
            return [{"name": "background_statistics", "type": "shapesys", "data": errors}]
        return []


def check(archive: Archive, signal: Spectrum) -> None:
    """Refuse histograms that cannot be compared, before anything is computed.

    Raises
    ------
    InputError
        Binnings differ, data or background have contents that no likelihood exists for, or the
        signal is empty.
    """
    data, background = archive.data, archive.background
    for other, what in ((background, "background"), (signal, "signal")):
        if not same_binning(data, other):
            raise InputError(
                f"the {what} {other.name!r} has {shown_binning(other)}, but the data "
                f"{data.name!r} have {shown_binning(data)}. Fill it with the binning of the data."
            )
    if (data.values < 0).any():
        index = int(np.flatnonzero(data.values < 0)[0])
        raise InputError(
            f"the data {data.name!r} hold {data.values[index]:g} events in bin {index}: counts "
            "are not negative."
        )
    for index, (expected, count) in enumerate(zip(background.values, data.values, strict=True)):
        if expected < 0 or (expected == 0 and count > 0):
            raise InputError(
                f"the background {background.name!r} expects {expected:g} events in bin {index}, "
                f"where {count:g} are observed: no likelihood exists. Merge bins, or use more "
                "simulated events."
            )
    if (signal.values < 0).any() or not signal.values.any():
        what = "a negative bin" if signal.values.any() else "no event"
        raise InputError(
            f"the signal {signal.name!r} has {what}: no signal strength can multiply it. Look at "
            "its selection, or use more simulated events."
        )


def workspace(
    archive: Archive, signal: Spectrum, uncertainty: BackgroundUncertainty
) -> dict[str, Any]:
    """HistFactory workspace of one channel with signal and background."""
    poi = {"name": POI, "type": "normfactor", "data": None}
    data, background = archive.data.values, archive.background.values
    samples = [
        {"name": "signal", "data": signal.values.tolist(), "modifiers": [poi]},
        {
            "name": "background",
            "data": background.tolist(),
            "modifiers": uncertainty.modifiers(archive.background),
        },
    ]
    top = _range_of_signal(archive, signal)
    parameters = [{"name": POI, "inits": [min(1.0, top / 2)], "bounds": [[0.0, top]]}]
    return {
        "channels": [{"name": CHANNEL, "samples": samples}],
        "observations": [{"name": CHANNEL, "data": data.tolist()}],
        "measurements": [
            {"name": "reinterpretation", "config": {"poi": POI, "parameters": parameters}}
        ],
        "version": "1.0.0",
    }


def _range_of_signal(archive: Archive, signal: Spectrum) -> float:
    """Upper end of the signal strength: far beyond any limit, so that it does not matter."""
    total, events = float(archive.data.values.sum()), float(signal.values.sum())
    enough = 10 * (math.sqrt(total + 1) + total + 10) / events
    return max(10.0, float(f"{enough:.1g}"))


@dataclass(frozen=True)
class Interpretation:
    """What came of a signal."""

    limit: LimitResult
    prediction: Prediction  # before the fit, the signal at its cross-section
    workspace: dict[str, Any]
    warnings: tuple[str, ...]


def interpret(
    archive: Archive,
    signal: Spectrum,
    *,
    uncertainty: BackgroundUncertainty | None = None,
    confidence_level: float = 0.95,
    expected_only: bool = False,
    scan_points: int = 41,
) -> Interpretation:
    """Fit and limit for a signal that is already scaled; nothing is scaled here.

    Parameters
    ----------
    archive : Archive
        Data and background, as they were published, with their luminosity.
    signal : Spectrum
        Expected events at the luminosity of the archive.
    uncertainty : BackgroundUncertainty, optional
        Default statistical. It is stored with the result, since limits depend on it.
    confidence_level : float
    expected_only : bool
        Do not look at the data.
    scan_points : int
        Of the CLs scan for drawing.

    Returns
    -------
    Interpretation

    Raises
    ------
    InputError
        The histograms cannot be compared.
    LimitError, FitError
        There is no limit.
    """
    from hepflow.statistics import upper_limit
    from hepflow.statistics.loading import load_likelihood

    check(archive, signal)
    chosen = uncertainty or BackgroundUncertainty()
    model = workspace(archive, signal, chosen)
    likelihood, data = load_likelihood(model)
    limit = upper_limit(
        likelihood,
        data,
        confidence_level=confidence_level,
        expected_only=expected_only,
        scan_points=scan_points,
    )
    limit = replace(limit, model={**limit.model, "background_uncertainty": str(chosen)})
    warnings = _luminosities(archive, signal)
    for warning in warnings:
        _log.warning("%s", warning)
    return Interpretation(
        limit, _prediction(archive, signal, chosen, with_data=not expected_only), model, warnings
    )


def _luminosities(archive: Archive, signal: Spectrum) -> tuple[str, ...]:
    """Warn where the signal was scaled to another luminosity than that of the archive."""
    stated = signal.note.get("luminosity")
    archived = archive.luminosity or archive.data.note.get("luminosity")
    if stated is None or archived is None or math.isclose(stated, archived, rel_tol=1e-6):
        return ()
    told = (
        f"the signal is scaled to {stated / 1000:g} /fb, but data and background are those of "
        f"{archived / 1000:g} /fb: the luminosity scales the signal only, so this limit is for "
        "no data that exist. Scale the signal to the luminosity of the archive."
    )
    return (told,)


def _prediction(
    archive: Archive, signal: Spectrum, uncertainty: BackgroundUncertainty, *, with_data: bool
) -> Prediction:
    background = archive.background
    spread = np.sqrt(background.variances)
    total = float(np.sqrt(background.variances.sum()))
    if uncertainty.kind == "relative":
        spread = uncertainty.size * background.values
        total = float(spread.sum())
    if uncertainty.kind == "none":
        spread, total = np.zeros_like(background.values), 0.0
    channel = ChannelPrediction(
        name=CHANNEL,
        observable=archive.data.name,
        label=archive.data.title or signal.title or archive.data.name,
        edges=tuple(float(edge) for edge in archive.data.edges),
        samples={"background": background.values, "signal": signal.values},
        uncertainty=np.asarray(spread, dtype=np.float64),
        data=archive.data.values if with_data else None,
        total_uncertainty=total,
    )
    return Prediction((channel,), "prefit")

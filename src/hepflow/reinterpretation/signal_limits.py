"""Limits on signals in a preserved model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hepflow.errors import HepflowError
from hepflow.reinterpretation.grid_limits import next_limit
from hepflow.reinterpretation.settings import LimitSettings
from hepflow.reinterpretation.signal_models import SignalModel

if TYPE_CHECKING:
    from hepflow.records import LimitResult
    from hepflow.records.prediction import Prediction
    from hepflow.statistics.spec import FitChannel


@dataclass(frozen=True)
class PointResult:
    """What came of one signal."""

    model: SignalModel
    limit: LimitResult
    prediction: Prediction  # before the fit, with the signal at its cross-section
    remarks: tuple[str, ...] = ()  # what every figure and table says
    about: Mapping[str, Any] = field(default_factory=dict)  # bundle, input: goes into limit.json

    @property
    def name(self) -> str:
        """Name of the signal."""
        return self.model.signal.name

    def to_json(self) -> dict[str, Any]:
        """Contents of ``limit.json``."""
        more = {"point": self.model.signal.to_json(), "remarks": list(self.remarks)}
        return {**self.limit.to_json(), **more, **self.about}


@dataclass(frozen=True)
class Beside:
    """What is known of a signal beside its model."""

    channels: Sequence[FitChannel] = ()  # labels and edges; without them an axis counts bins
    remarks: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


def find_limits(
    models: Sequence[SignalModel], beside: Sequence[Beside], settings: LimitSettings
) -> list[PointResult]:
    """Limits on signals, and what the model predicts with each.

    Parameters
    ----------
    models
        Workspaces with the signals, neighbours next to each other: of several, each limit is
        looked for near the one before it.
    beside
        Of each.
    settings
        How. Only a single signal has a scan of CLs.

    Raises
    ------
    LimitError, FitError
        A signal has no limit; the message names it.
    WorkspaceError
        A workspace cannot be used.
    """
    from hepflow.statistics import predict, upper_limit
    from hepflow.statistics.loading import load_likelihood

    found, before = [], None
    for model, one in zip(models, beside, strict=True):
        with _naming(model):
            likelihood, data = load_likelihood(model.workspace)
            if len(models) > 1:
                limit, before = next_limit(likelihood, data, settings, before)
            else:
                limit = upper_limit(
                    likelihood,
                    data,
                    confidence_level=settings.level,
                    expected_only=settings.expected_only,
                    scan_points=settings.scan_points,
                )
        shown = None if settings.expected_only else data
        prediction = predict(likelihood, shown, channels=one.channels)
        found.append(PointResult(model, limit, prediction, one.remarks, one.about))
    return found


@contextlib.contextmanager
def _naming(model: SignalModel) -> Iterator[None]:
    """Name the signal in what goes wrong."""
    try:
        yield
    except HepflowError as error:
        error.add_note(f"This is the model with signal {model.signal.name!r}.")
        raise

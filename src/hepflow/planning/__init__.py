"""What a run would do, why, and what it would cost; nothing is run to find out."""

from __future__ import annotations

from hepflow.planning.forecast import Forecast, forecast
from hepflow.planning.inference import StudyForecast, forecast_study
from hepflow.planning.records import Piece, Reason, StageForecast

__all__ = [
    "Forecast",
    "Piece",
    "Reason",
    "StageForecast",
    "StudyForecast",
    "forecast",
    "forecast_study",
]

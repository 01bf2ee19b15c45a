"""Frozen records that flow between the stages."""

from hepflow.records.accounts import Account, Reason, percent
from hepflow.records.blinded import Blinded, blind_bins, blind_ranges, is_blind, unseen
from hepflow.records.cutflow import Cutflow
from hepflow.records.dataset import WHERE_KNOWN, Dataset, FileInfo, WorkItem
from hepflow.records.histograms import (
    Axis,
    Block,
    HistogramSet,
    RawHistograms,
    Template,
    fold_flow,
)
from hepflow.records.inference import (
    Finding,
    GoodnessOfFit,
    GroupImpact,
    Impact,
    Interval,
    LikelihoodScan,
    Ranking,
)
from hepflow.records.ledger import DatasetTotals, Ledger
from hepflow.records.missing import check_missing
from hepflow.records.parts import Loss, PartCounts
from hepflow.records.prediction import ChannelPrediction, Prediction
from hepflow.records.results import (
    FitResult,
    LimitResult,
    LimitScan,
    Significance,
    StatisticsResult,
)
from hepflow.records.variation import NOMINAL, Source, Variation

__all__ = [
    "NOMINAL",
    "WHERE_KNOWN",
    "Account",
    "Axis",
    "Blinded",
    "Block",
    "ChannelPrediction",
    "Cutflow",
    "Dataset",
    "DatasetTotals",
    "FileInfo",
    "Finding",
    "FitResult",
    "GoodnessOfFit",
    "GroupImpact",
    "HistogramSet",
    "Impact",
    "Interval",
    "Ledger",
    "LikelihoodScan",
    "LimitResult",
    "LimitScan",
    "Loss",
    "PartCounts",
    "Prediction",
    "Ranking",
    "RawHistograms",
    "Reason",
    "Significance",
    "Source",
    "StatisticsResult",
    "Template",
    "Variation",
    "WorkItem",
    "blind_bins",
    "blind_ranges",
    "check_missing",
    "fold_flow",
    "is_blind",
    "percent",
    "unseen",
]

"""Histograms and fit results for the tests of figures."""

import numpy as np

from hepflow.plotting import NormalisationSource, PlottingSpec
from hepflow.records import (
    Axis,
    Block,
    FitResult,
    HistogramSet,
    Ledger,
    LimitResult,
    LimitScan,
)
from hepflow.records.prediction import ChannelPrediction, Prediction

EDGES = tuple(np.linspace(200.0, 3000.0, 21).tolist())
WHERE = ("SR", "m_tt")


def falling(total):
    """Falling spectrum with flow bins, shape (22,)."""
    shape = np.exp(-np.arange(22) / 4.0)
    return total * shape / shape.sum()


def block(values, effect=0.1):
    """Nominal with one source of the relative size `effect`."""
    rows = np.array([values, values * (1 + effect), values * (1 - effect)])
    return Block(("nominal", "jes_up", "jes_down"), rows, rows * 0.5)


def histograms(*, data=True, edges=EDGES, label="$m$ [GeV]", scale=1.0):
    rng = np.random.default_rng(5)
    ttbar, wjets, signal = falling(3000 * scale), falling(1000 * scale), np.zeros(22)
    signal[12:15] = 4.0 * scale
    blocks = {
        (*WHERE, "signal"): block(signal),
        (*WHERE, "ttbar"): block(ttbar),
        (*WHERE, "wjets"): block(wjets),
    }
    if data:
        counts = rng.poisson(ttbar + wjets).astype(float)
        blocks[*WHERE, "data"] = Block(("nominal",), counts[None], counts[None])
    return HistogramSet(
        axes={WHERE: Axis("m_tt", label, edges)},
        blocks=blocks,
        cutflows={},
        data_processes=frozenset({"data"}),
        luminosity={"": 16394.0},
        ledger=Ledger(),
        process_of={},
    )


def spec(**fields):
    usual = {
        "processes": ("signal", "ttbar", "wjets"),
        "signals": ("signal",),
        "labels": {"ttbar": r"$\mathrm{t}\bar{\mathrm{t}}$", "signal": "$Z'$"},
        "channel_labels": {"SR": r"$\mu$+jets"},
        "normalisations": (NormalisationSource("lumi", 0.025),),
        "norm_factors": ("mu", "ttbar_norm"),
        "experiment": "CMS",
        "status": "Preliminary",
        "luminosity": 16394.0,
    }
    return PlottingSpec(**{**usual, **fields})


def fit(labels=("mu", "jes", "lumi", "ttbar_norm", "staterror_SR[0]"), *, converged=True):
    n = len(labels)
    correlation = np.full((n, n), 0.1) + 0.9 * np.eye(n)
    return FitResult(
        poi="mu",
        labels=tuple(labels),
        bestfit=np.linspace(-0.5, 0.5, n),
        uncertainty=np.linspace(0.5, 1.0, n),
        correlation=correlation,
        twice_nll=1.0,
        goodness_of_fit=None,
        converged=converged,
    )


def limit(*, observed=True, scan=True):
    values = np.linspace(0.0, 0.5, 11)
    curves = tuple(tuple(np.exp(-values / k).tolist()) for k in (0.02, 0.03, 0.04, 0.06, 0.08))
    seen = tuple(np.exp(-values / 0.05).tolist()) if observed else None
    crossing = [float(k * np.log(20)) for k in (0.02, 0.03, 0.04, 0.06, 0.08)]
    return LimitResult(
        poi="mu",
        poi_range=(0.0, 10.0),
        confidence_level=0.95,
        observed=float(0.05 * np.log(20)) if observed else None,
        expected=tuple(crossing),
        expected_kind="a_priori",
        cls_at_observed=0.05 if observed else None,
        test_statistic="qtilde",
        calculator="asymptotics",
        model={},
        scan=LimitScan(tuple(values.tolist()), seen, curves) if scan else None,
    )


def prediction(kind="postfit", *, data=True):
    background = falling(3000)[1:-1]
    signal = np.zeros(20)
    signal[10:13] = 5.0
    channel = ChannelPrediction(
        name="SR",
        observable="m_tt",
        label="$m$ [GeV]",
        edges=EDGES,
        samples={"signal": signal, "ttbar": background},
        uncertainty=0.05 * background,
        data=np.round(background) if data else None,
        total_uncertainty=12.0,
    )
    return Prediction((channel,), kind)


class Folders:
    """Stands for the output manager."""

    def __init__(self, root):
        self.root = root

    def get_plots_dir(self, subdir=None):
        folder = self.root / "plots" / (subdir or "")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

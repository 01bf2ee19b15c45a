"""A preserved analysis, or a published workspace, meets new signals."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.errors import InputError
from hepflow.reinterpretation.settings import LimitSettings
from hepflow.reinterpretation.signal_files import write_filled, write_scaled
from hepflow.reinterpretation.signal_filling import fill, scale
from hepflow.reinterpretation.signal_limits import Beside, PointResult, find_limits
from hepflow.reinterpretation.signal_models import PreservedModel, check_background, patch_set
from hepflow.reinterpretation.signal_results import Look, write_results
from hepflow.reinterpretation.signals import Signal, check_distinct, chosen_process

if TYPE_CHECKING:
    from hepflow.records import HistogramSet, Ledger
    from hepflow.reinterpretation.bundle import PreservedAnalysis


@dataclass(frozen=True)
class Reinterpretation:
    """What came of new signals."""

    points: tuple[PointResult, ...]
    patch_set: dict[str, Any]  # of pyhf: an entry for each signal
    output: Path
    files: tuple[Path, ...]  # all that was written for people and programs

    def point(self, name: str) -> PointResult:
        """Result of one signal.

        Raises
        ------
        InputError
            There is no such signal.
        """
        known = {one.name: one for one in self.points}
        if name not in known:
            raise InputError(f"there is no signal {name!r}. There are: {', '.join(known)}.")
        return known[name]


def reinterpret(  # noqa: PLR0913 - each is a setting of its own
    bundle: str | Path | PreservedAnalysis,
    signals: Signal | Sequence[Signal],
    output: str | Path,
    *,
    trusted: bool = False,
    digest: str | None = None,
    settings: LimitSettings | None = None,
    look: Look | None = None,
    workers: int | None = None,
) -> Reinterpretation:
    """Limits on new signals with a preserved analysis; only the signals' files are read.

    Parameters
    ----------
    bundle
        Folder or zip that `preserve` made, or what `load` gave.
    signals
        One or several.
    output
        Folder for results; a second call reuses what was filled for the first.
    trusted
        Whether the code in the bundle may be run.
    digest
        Expected SHA-256 of ``bundle.json``.
    settings, look
        How limits are found, and which figures are drawn.
    workers
        Processes that read events; default as the machine has cores.

    Returns
    -------
    Reinterpretation

    Raises
    ------
    UnsafeContent
        The bundle is not trusted.
    ChecksumError
        Something in it was changed.
    InputError
        A signal does not fit: its files, its process, or its point. Told before events are read.
    LimitError, FitError
        A signal has no limit.
    """
    chosen = (signals,) if isinstance(signals, Signal) else tuple(signals)
    check_distinct(chosen)
    _need_cross_sections(chosen)
    folder = Path(output)
    with opened(bundle, trusted=trusted, digest=digest) as analysis:
        model = PreservedModel.of(analysis)
        luminosity = model.histograms.luminosity
        named = [of_process(one, analysis) for one in chosen]
        places = [folder / "signals" / one.name for one in named]
        own = analysis.bundle.digest
        scaled = []
        for place, filled in zip(
            places, fill(analysis, named, luminosity, places, workers), strict=True
        ):
            histograms, factors = scale(analysis, filled, luminosity)
            write_filled(place / "raw.root", filled, own)
            write_scaled(place / "scaled.root", filled.signal, histograms, factors, own)
            scaled.append((filled.signal, histograms))
        return interpreted(analysis, model, scaled, folder, settings, look)


def reinterpret_workspace(
    workspace: str | Path,
    patches: Sequence[str | Path],
    output: str | Path,
    *,
    settings: LimitSettings | None = None,
    look: Look | None = None,
) -> Reinterpretation:
    """Limits on signals that come as patches of a published background-only workspace.

    Parameters
    ----------
    workspace
        HistFactory JSON without signal.
    patches
        As `patched_models` takes them.
    output, settings, look
        As of `reinterpret`.

    Raises
    ------
    WorkspaceError
        A patch does not fit, or no likelihood exists.
    LimitError, FitError
        A signal has no limit.
    """
    from hepflow.reinterpretation.patched_signals import patched_models
    from hepflow.statistics.source import read_workspace

    background = read_workspace(workspace)
    check_background(background)
    models = patched_models(background, patches)
    labels = check_distinct([one.signal for one in models])
    beside = Beside(about={"workspace": Path(workspace).name})
    points = find_limits(models, [beside] * len(models), settings or LimitSettings())
    entries = patch_set(models, background, labels, Path(workspace).stem)
    files = write_results(points, background, entries, Path(output), look or Look())
    return Reinterpretation(tuple(points), entries, Path(output), files)


@contextlib.contextmanager
def opened(
    bundle: str | Path | PreservedAnalysis, *, trusted: bool, digest: str | None
) -> Iterator[PreservedAnalysis]:
    """A preserved analysis whose modules are imported in this block."""
    from hepflow.reinterpretation.bundle import PreservedAnalysis, load, verify

    if isinstance(bundle, PreservedAnalysis):
        analysis = bundle
    else:
        if digest is not None:  # before anything of it runs
            verify(bundle, digest=digest)
        analysis = load(bundle, trusted=trusted)
    with analysis.imported():
        yield analysis


def interpreted(
    analysis: PreservedAnalysis,
    model: PreservedModel,
    scaled: Sequence[tuple[Signal, HistogramSet]],
    output: Path,
    settings: LimitSettings | None,
    look: Look | None,
) -> Reinterpretation:
    """Models, limits, patch set and figures of signals that are scaled.

    Parameters
    ----------
    analysis
        Inside its `imported`.
    model
        Of it.
    scaled
        Signals with their expected events.
    output, settings, look
        As of `reinterpret`.
    """
    from hepflow.statistics import fit_channels

    manifest = analysis.bundle.manifest
    chosen = (settings or LimitSettings()).of_analysis(
        model.spec.confidence_level, expected_only=model.expected_only
    )
    models = [model.with_signal(signal, histograms) for signal, histograms in scaled]
    entries = patch_set(models, model.background, tuple(scaled[0][0].values), manifest.name)
    beside = [
        Beside(
            channels=fit_channels(one.histograms or histograms, model.spec),
            remarks=(*manifest.remarks, *_other_limit(model), *_on_weights(histograms.ledger)),
            about={
                "bundle": {"name": manifest.name, "digest": analysis.bundle.digest},
                "input": [account.to_json() for account in histograms.ledger.accounts()],
            },
        )
        for one, (_, histograms) in zip(models, scaled, strict=True)
    ]
    points = find_limits(models, beside, chosen)
    shown = (look or Look()).of_analysis(analysis)
    files = write_results(points, model.background, entries, output, shown)
    return Reinterpretation(tuple(points), entries, output, files)


def _other_limit(model: PreservedModel) -> tuple[str, ...]:
    """Say where the run's own limit was found in another way."""
    toys = model.spec.inference.calculator == "toys"
    return ("asymptotic limit; that of the preserved run is from toys",) if toys else ()


def _on_weights(ledger: Ledger) -> tuple[str, ...]:
    absent = (f"no {source} weights in the signal" for source in ledger.without_theory())
    assumed = (
        f"order of {source} weights assumed in the signal" for source in ledger.assumed_theory()
    )
    return (*absent, *assumed)


def of_process(signal: Signal, analysis: PreservedAnalysis) -> Signal:
    """Say whose place a signal takes: that of the only preserved one, or of the one it names."""
    signals = analysis.bundle.manifest.signals
    return replace(signal, process=chosen_process(signal.process, signals))


def _need_cross_sections(signals: Sequence[Signal]) -> None:
    missing = [one.name for one in signals if one.cross_section is None]
    if missing:
        raise InputError(
            f"signal {missing[0]!r} has no cross-section: give one with its unit, such as "
            "'44.9 fb'."
        )

"""From skimmed events to histograms, fit and limit: the class that analyses subclass."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from hepflow.analysis.event_loop import EventLoop
from hepflow.analysis.filling import fill_skims, filling_key
from hepflow.analysis.results import (
    AnalysisResult,
    draw_results,
    fit_histograms,
    fit_is_expected_only,
    save_histograms,
)
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.steps import ledger_of
from hepflow.datasets import luminosity_by_year
from hepflow.errors import MissingArtifact, StorageError
from hepflow.execution import Executor, configured_executor
from hepflow.histograms import LOSSLESS_FILE, read_histograms
from hepflow.keys import Key, changed_parts, make_key
from hepflow.normalisation import normalise
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import HistogramSet, Ledger, RawHistograms
from hepflow.schema import Config
from hepflow.skimming import Skim
from hepflow.stamps import read_key
from hepflow.statistics import (
    StatisticsResult,
    StatisticsSpec,
    load_model,
    prepare_workspace,
    run_fit,
)

_log = logging.getLogger(__name__)
ItemKey = tuple[str, str, int, int]
# What belongs to the client and does not travel.
_CLIENT = ("config", "processed_datasets", "output_manager", "_parts", "_merged", "_merged_key")


class Analysis(EventLoop):
    """Fills histograms from events, fits them and draws; override a step to do it differently.

    Parameters
    ----------
    config
        Configuration, as a dict or validated; it is validated again.
    processed_datasets
        Dataset key -> sequence of ``(events, metadata)``, as the skim returns it.
    output_manager
        Folders.

    Attributes
    ----------
    config : Config
        The validated configuration.
    spec : AnalysisSpec
        What the histograms depend on.
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any],
        processed_datasets: Mapping[str, Sequence[tuple[Any, Mapping[str, Any]]]],
        output_manager: OutputDirectoryManager,
    ) -> None:
        self.config: Config = Config.of(config)
        super().__init__(AnalysisSpec.from_config(self.config))
        self.processed_datasets = processed_datasets
        self.output_manager = output_manager
        self._parts: dict[ItemKey, RawHistograms] = {}
        self._merged: RawHistograms | None = None
        self._merged_key: Key | None = None

    def __getstate__(self) -> dict[str, Any]:
        """To a worker travels the specification, and what a subclass added to itself."""
        return {name: value for name, value in self.__dict__.items() if name not in _CLIENT}

    def __getattr__(self, name: str) -> Any:
        """Say why a step does not see what belongs to the client."""
        if name in _CLIENT:
            raise AttributeError(
                f"a step sees self.spec, not self.{name}: it runs on workers, and its result is "
                "reused by what it depends on. Put what it needs on self in __init__."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def on_worker(self) -> Self:
        """The analysis as a worker sees it; steps run on this one everywhere."""
        worker = object.__new__(type(self))
        worker.__dict__.update(self.__getstate__())
        return worker

    def process(self, events: Any, metadata: Mapping[str, Any]) -> None:
        """Fill one part into this analysis; the same part again replaces the first.

        Once all parts of `processed_datasets` are in, the histograms and the cabinetry
        configuration that goes with them are written.

        Parameters
        ----------
        events
            Skimmed events of the part.
        metadata
            As the skim made it.
        """
        raw = self.on_worker().process_chunk(events, metadata)
        (key,) = raw.ledger.parts
        if self._merged is not None:  # what was filled as a whole cannot be replaced in part
            _log.info("histograms: starting anew from single parts")
            self._merged = self._merged_key = None
        self._parts[key] = raw
        if len(self._parts) == sum(len(pairs) for pairs in self.processed_datasets.values()):
            self.save()  # all parts are in

    def fill_histograms(self, executor: Executor | None = None) -> HistogramSet:
        """Fill all parts of `processed_datasets`, in parallel, instead of what was filled.

        Parameters
        ----------
        executor
            Where to run; default as in the section ``execution``.
        """
        self._parts, self._merged, self._merged_key = {}, None, None
        skims = self._skims()
        if len(skims) == len(self.processed_datasets):
            runner = executor or configured_executor(self.config.datasets.execution_args)
            cache = self.output_manager.get_cache_dir() / "histograms"
            reuse = self.config.general.read_from_cache
            self._merged, self._merged_key = fill_skims(self, skims, runner, cache, reuse=reuse)
        else:
            for pairs in self.processed_datasets.values():
                for events, metadata in pairs:
                    self.process(events, metadata)
        return self.histogram_set

    @property
    def raw(self) -> RawHistograms:
        """Sum over the parts that were processed, in the order of their work items."""
        if self._merged is not None:
            return self._merged
        total = RawHistograms(axes=self.spec.axes())
        for key in sorted(self._parts):
            total = total + self._parts[key]
        return total

    @property
    def histogram_set(self) -> HistogramSet:
        """Normalised histograms of what has been processed so far."""
        datasets = tuple(self.spec.datasets.values())
        luminosity = luminosity_by_year(self.config)
        return normalise(self.raw, datasets, self.spec.weight_mode, luminosity)

    @property
    def histograms(self) -> dict[str, dict[str, Any]]:
        """``histograms[channel][observable]``: axes observable, process, variation."""
        normalised = self.histogram_set
        return {
            channel: {
                observable: normalised.hist(channel, observable)
                for observable in normalised.observables(channel)
            }
            for channel in normalised.channels
        }

    def histogram_key(self) -> Key | None:
        """Key of the normalised histograms; None where they were filled part by part."""
        if self._merged is None or self._merged_key is None:
            return None
        return self._normalised_key(self._merged_key, self._merged.ledger)

    def _skims(self) -> dict[str, Skim]:
        return {n: s for n, s in self.processed_datasets.items() if isinstance(s, Skim)}

    def _normalised_key(self, filled: Key, ledger: Ledger) -> Key:
        return make_key(
            "normalised",
            filled=filled.digest,
            datasets=list(self.spec.datasets.values()),
            luminosity=luminosity_by_year(self.config),
            labels=[(key, axis.label) for key, axis in self.spec.axes().items()],
            binning=[(key, axis.edges) for key, axis in self.spec.axes().items()],
            ledger=ledger.to_json(),
        )

    def run_fit(self, cabinetry_config: str | Path | Mapping[str, Any] | None = None) -> Any:
        """Fit the histograms that were filled.

        Parameters
        ----------
        cabinetry_config
            Path or contents of a cabinetry configuration; default
            ``statistics.cabinetry_config``, or the generated one.

        Returns
        -------
        tuple
            ``(data, fit_results, prefit_prediction, postfit_prediction)`` as cabinetry's
            ``visualize.data_mc`` and ``visualize.pulls`` take them.

        Raises
        ------
        FitError
            If the fit has no result that may be shown as one.
        """
        histograms = self.save()
        spec = StatisticsSpec.from_config(self.config)
        workspace = prepare_workspace(
            spec,
            histograms,
            self.output_manager,
            expected_only=fit_is_expected_only(histograms, spec),
            cabinetry_config=cabinetry_config,
        )
        model, data = load_model(workspace)
        return run_fit(model, data, optimizer=spec.optimizer)

    def save(self) -> HistogramSet:
        """Write the histograms and the cabinetry configuration that goes with them."""
        histograms = self.histogram_set
        save_histograms(self.config, histograms, self.output_manager, self.histogram_key())
        return histograms

    def run_analysis_chain(self, executor: Executor | None = None) -> AnalysisResult:
        """Fill, write, fit and draw, as the switches of the section ``general`` say.

        Parameters
        ----------
        executor
            Where to run; default as in the section ``execution``.

        Returns
        -------
        AnalysisResult
            Histograms, statistics and the paths of the plots.

        Raises
        ------
        HepflowError
            If a step fails; what finished is kept.
        """
        runner = executor or configured_executor(self.config.datasets.execution_args)
        if self.config.general.run_histogramming:
            self.fill_histograms(runner)
            histograms, key = self.save(), self.histogram_key()
        else:
            histograms, key = self._stored_histograms()
        statistics: StatisticsResult | None = None
        if self.config.general.run_statistics:
            statistics = fit_histograms(self.config, histograms, self.output_manager, key)
        plots: list[Path] = []
        if self.config.plotting.enabled:
            plots = draw_results(self.config, histograms, statistics, self.output_manager, runner)
        return AnalysisResult(histograms, statistics, tuple(plots))

    def _stored_histograms(self) -> tuple[HistogramSet, Key | None]:
        """Histograms of an earlier run; an error where they do not fit the configuration."""
        folder = self.output_manager.get_histograms_dir()
        path = folder / LOSSLESS_FILE
        if not path.exists():
            raise MissingArtifact(
                f"general.run_histogramming is off, but {path} is not there. Run with it on first."
            )
        stored = read_key(folder)
        if stored is None:
            _log.warning("histograms: %s does not say what it was made from", path)
            return read_histograms(path), None
        parts = [part for _, skim in sorted(self._skims().items()) for part in skim.parts]
        filled = filling_key(self, parts)
        today = self._normalised_key(filled, ledger_of(part.metadata for part in parts))
        unknown = () if parts else ("filled", "ledger")  # without a skim at hand
        changed = [name for name in changed_parts(stored, today) if name not in unknown]
        if changed:
            raise StorageError(
                f"general.run_histogramming is off, but the stored histograms in {path} were made "
                f"from something else (changed: {', '.join(changed)}). Run with it on."
            )
        return read_histograms(path), stored

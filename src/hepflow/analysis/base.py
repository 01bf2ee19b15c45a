"""From skimmed events to histograms, fit and limit: the class that analyses subclass."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from hepflow.analysis.drawing import Drawing
from hepflow.analysis.event_loop import EventLoop
from hepflow.analysis.figures import (
    forget_look,
    look,
    save_look,
    save_tables,
    tasks_before_fit,
)
from hepflow.analysis.filling import fill_skims
from hepflow.analysis.members import tell_assumed_order
from hepflow.analysis.processed import ProcessedParts, check_processes
from hepflow.analysis.results import (
    AnalysisResult,
    all_remarks,
    fit_histograms,
    fit_is_expected_only,
    forget_other_statistics,
    save_histograms,
    saving_histograms,
    stored_statistics,
)
from hepflow.analysis.shares import luminosity_shares, scaled_datasets, scaled_luminosity
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.stack import Prepared
from hepflow.analysis.steps import files_known
from hepflow.analysis.stored import FILLED_STAMP, normalised_key, stored_histograms, why_not
from hepflow.datasets import luminosity_by_year
from hepflow.errors import HepflowError, StorageError
from hepflow.estimates import with_estimates
from hepflow.execution import Executor, configured_executor
from hepflow.execution.outcome import withhold_text
from hepflow.journal import tell
from hepflow.keys import Key
from hepflow.normalisation import normalise
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import HistogramSet, Ledger, RawHistograms, StatisticsResult
from hepflow.schema import Config
from hepflow.skimming import Skim
from hepflow.stamps import read_key, write_stamp
from hepflow.statistics import (
    StatisticsSpec,
    load_model,
    prepare_workspace,
    run_fit,
)

_log = logging.getLogger(__name__)
# What belongs to the client and does not travel.
_CLIENT = (
    *("config", "processed_datasets", "output_manager"),
    *("_parts", "_merged", "_merged_key", "_shares", "so_far"),
)


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
        super().__init__(AnalysisSpec.of_valid(self.config))
        self.processed_datasets = processed_datasets
        self.output_manager = output_manager
        self._parts = ProcessedParts()
        self._merged: RawHistograms | None = None
        self._merged_key: Key | None = None
        self._shares: dict[str, float] | None = None  # of the luminosity; None: not known yet
        self.so_far: AnalysisResult | None = None  # of the chain, where its fit fails

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

    @property
    def has_own_steps(self) -> bool:
        """Whether a subclass does something in another way, and may read any column."""
        names = (name for name in dir(Analysis) if not name.startswith("__"))
        return any(getattr(type(self), name) is not getattr(Analysis, name) for name in names)

    def on_worker(self) -> Self:
        """The analysis as a worker sees it; steps run on this one everywhere."""
        worker = object.__new__(type(self))
        worker.__dict__.update(self.__getstate__())
        return worker

    def fill_prepared(
        self, groups: Iterable[Prepared], metadata: Sequence[Mapping[str, Any]]
    ) -> list[RawHistograms]:
        """Do what `EventLoop` does; a failure on data tells no text while anything is blind."""
        try:
            return super().fill_prepared(groups, metadata)
        except Exception as error:
            ours = isinstance(error, StorageError)  # of files, not of events
            if self.spec.blind and self._dataset_of(metadata[0]).is_data and not ours:
                withhold_text(error)
            raise

    def process(self, events: Any, metadata: Mapping[str, Any]) -> None:
        """Fill one part into this analysis; the same part again replaces the first.

        So does one that has entries of earlier parts, as of a skim with another `chunk_size`.

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
        self._parts.put(key, raw)
        self._shares = None
        if len(self._parts) == sum(len(pairs) for pairs in self.processed_datasets.values()):
            self.save()  # all parts are in

    def fill_histograms(self, executor: Executor | None = None) -> HistogramSet:
        """Fill all parts of `processed_datasets`, in parallel, instead of what was filled.

        Parameters
        ----------
        executor
            Where to run; default as in the section ``execution``.
        """
        self._parts, self._merged = ProcessedParts(), None
        self._merged_key = self._shares = None
        skims = self._skims()
        if len(skims) == len(self.processed_datasets):
            runner = executor or configured_executor(self.config.datasets.execution_args)
            cache = self.output_manager.get_cache_dir() / "histograms"
            reuse = self.config.general.read_from_cache
            folder = self.output_manager.get_histograms_dir()
            stored = read_key(folder, FILLED_STAMP)
            self._merged, key = fill_skims(self, skims, runner, cache, reuse=reuse, stored=stored)
            self._merged_key = key
            if stored is None or stored.digest != key.digest:
                write_stamp(folder, key, (), FILLED_STAMP)
            self._shares = self._luminosity_shares(self._merged.ledger, runner)
        else:
            for pairs in self.processed_datasets.values():
                for events, metadata in pairs:
                    self.process(events, metadata)
        found = self.histogram_set
        if self.spec.run_systematics:
            tell_assumed_order(found.ledger)
        return found

    @property
    def raw(self) -> RawHistograms:
        """Sum over the parts that were processed, in the order of their work items."""
        if self._merged is not None:
            return self._merged
        total = self._parts.total(self.spec.axes())
        skims = self._skims().values()
        ledger = total.ledger.with_losses([loss for skim in skims for loss in skim.lost])
        return replace(total, ledger=ledger + files_known(skims))

    @property
    def histogram_set(self) -> HistogramSet:
        """Normalised histograms of what has been processed so far."""
        raw = self.raw
        if self._shares is None:
            self._shares = self._luminosity_shares(raw.ledger)
        luminosity = luminosity_by_year(self.config)
        luminosity = scaled_luminosity(luminosity, self._shares, self.spec.datasets)
        check_processes(raw.cutflows, self.spec.datasets)
        dropped = set(raw.ledger.dropped())
        datasets = [
            one
            for one in self.spec.datasets.values()
            if not dropped.intersection((one.key, *one.replaces)) or one.variation == "nominal"
        ]  # an alternative to what is left out would be compared with nothing
        chosen = scaled_datasets(datasets, luminosity)
        found = normalise(raw, chosen, self.spec.weight_mode, luminosity, self.spec.sources)
        return with_estimates(replace(found, rescaled=self._shares), self.spec.estimates)

    def _luminosity_shares(
        self, ledger: Ledger, executor: Executor | None = None
    ) -> dict[str, float]:
        """Fraction of the luminosity that was processed, where data is incomplete."""
        if self.config.general.lumi_table is None:
            return {}
        runner = executor or configured_executor(self.config.datasets.execution_args)
        cache = self.output_manager.get_cache_dir() / "luminosity"
        spec = self.spec
        return luminosity_shares(self.config, spec.datasets, spec.digests, ledger, runner, cache)

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
        shares = self._shares or {}
        filled, ledger = self._merged_key, self._merged.ledger
        return normalised_key(self.config, self.spec, filled, ledger, shares)

    def _skims(self) -> dict[str, Skim]:
        return {n: s for n, s in self.processed_datasets.items() if isinstance(s, Skim)}

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
            If a step fails; what finished is kept. Where it is the fit, `so_far` holds what
            was before it.
        """
        runner = executor or configured_executor(self.config.datasets.execution_args)
        general = self.config.general
        fills = general.run_histogramming and not general.run_plots_only
        if fills:
            histograms = self.fill_histograms(runner)
            key = self.histogram_key()
        else:
            histograms, key = stored_histograms(self, self._skims())
            tell("histograms", "read back", why_not(general, "run_histogramming"))
        drawing = self._start_drawing(histograms, runner)
        remarks = all_remarks(self.config, histograms)
        saving = saving_histograms(self.config, histograms, self.output_manager, key)
        try:
            with saving if fills else contextlib.nullcontext():
                statistics = self._statistics(histograms, key)
                if drawing and statistics:
                    drawing.start_fit(statistics)
                save_tables(self.config, histograms, statistics, self.output_manager, remarks)
        except HepflowError:
            plots = drawing.finish() if drawing else []
            with contextlib.suppress(StorageError):  # nothing of an earlier fit stays
                save_tables(self.config, histograms, None, self.output_manager, remarks)
            self.so_far = AnalysisResult(histograms, None, tuple(plots))
            raise
        plots = drawing.finish() if drawing else []
        return AnalysisResult(histograms, statistics, tuple(plots))

    def _statistics(self, histograms: HistogramSet, key: Key | None) -> StatisticsResult | None:
        """Fit, or what an earlier one gave, as the switches say."""
        general = self.config.general
        if general.run_plots_only:
            return stored_statistics(self.config, histograms, self.output_manager, key)
        if general.run_statistics:
            return fit_histograms(self.config, histograms, self.output_manager, key)
        forget_other_statistics(self.output_manager, key)
        tell("statistics", "left out", why_not(general, "run_statistics"))
        return None

    def _start_drawing(self, histograms: HistogramSet, executor: Executor) -> Drawing | None:
        """Start to draw the histograms beside the fit, where figures are wanted."""
        spec, remarks = look(self.config, histograms), all_remarks(self.config, histograms)
        reuse = self.config.general.read_from_cache
        drawing = Drawing(spec, self.output_manager, executor, remarks, reuse=reuse)
        enabled = self.config.plotting.enabled
        if enabled or drawing.has_earlier():
            tasks = tasks_before_fit(self.config, histograms, spec, self.output_manager, remarks)
            (drawing.start if enabled else drawing.forget_others)(tasks)
        if not enabled:
            if not drawing.has_earlier():
                forget_look(self.output_manager)
            tell("plots", "left out", "plotting.enabled is off")
            return None
        save_look(spec, self.output_manager)
        return drawing

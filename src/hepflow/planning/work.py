"""What the stages of a run cost: bytes, time and memory, from what earlier runs took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hepflow.analysis import Analysis
from hepflow.analysis.batches import _MOST as BATCH  # events of a batch
from hepflow.analysis.stack import _COPIES, STACK_EVENTS
from hepflow.execution import configured_executor
from hepflow.planning.forecast import Forecast
from hepflow.planning.records import StageForecast
from hepflow.planning.volume import Volume, volumes
from hepflow.rates import Rate, read_rates
from hepflow.skimming import SkimSpec

MEASURED = "from an earlier run"
DEFAULT = "default rates, within a factor of three on a machine of today"

# CPU time of the built-in analysis on one core of 2024. Filling takes the longer the more object
# variations there are: the rate is that of the nominal events, each variation adds its share.
_DEFAULTS: Mapping[str, Rate] = {
    "metadata": Rate(20, 1.0),  # files
    "skim": Rate(150_000, 1.0),  # events of the input
    "histograms": Rate(50_000, 1.0),  # selected events, times (1 + object variations / 8)
    "normalisation": Rate(1, 0.3),
    "statistics": Rate(1, 3.0),  # fit with limit
    "plots": Rate(5, 1.0),  # figures
}
_PER_SHIFT = 1 / 8
_START = 1.5  # [s] CPU of a worker until it can work
_PROCESS = 350e6  # [byte] of a worker with the libraries
_COPIES_OF_SKIM = 3  # of the columns of a chunk: as read, as records, selected
_UNKNOWN_EVENT = 500.0  # [byte] of an event where no file tells


@dataclass(frozen=True, slots=True)
class Work:
    """Cost of one stage; None where it is not known."""

    stage: str
    count: str  # "8 of 10 parts"
    read_bytes: float | None
    cpu_seconds: float | None
    wall_seconds: float | None
    memory: float | None  # of one worker [byte]
    source: str  # of the times


def work_of(forecast: Forecast) -> tuple[Work, ...]:
    """Cost of the stages that run, in their order."""
    rates = read_rates(forecast.folders.get_report_dir())
    spec = SkimSpec.from_config(forecast.config)
    samples = forecast.files.samples if forecast.files else {}
    found = volumes(spec, samples)
    workers = configured_executor(forecast.config.datasets.execution_args).workers
    return tuple(
        _work(forecast, stage, rates, found, workers)
        for stage in forecast.stages
        if stage.runs and stage.name in _DEFAULTS
    )


def _work(
    forecast: Forecast,
    stage: StageForecast,
    rates: Mapping[str, Rate],
    found: Mapping[str, Volume],
    workers: int,
) -> Work:
    events = _events_to_read(forecast, found)
    count = _count(stage, events)
    rate, source = rates.get(stage.name), MEASURED
    if rate is None:
        rate, source = _default(forecast.analysis, stage.name), DEFAULT
    cpu = None if count is None else rate.seconds(count)
    if stage.name == "histograms" and forecast.config.execution.one_pass and cpu is not None:
        cpu += rates.get("skim", _DEFAULTS["skim"]).seconds(sum(events.values()))
    wall = None
    if cpu is not None:
        beside = min(workers, max(1, stage.todo)) if stage.name in _SPREAD else 1
        wall = cpu / beside + (_START if beside > 1 else 0.0)
    return Work(
        stage=stage.name,
        count=stage.count,
        read_bytes=_bytes(forecast, stage, events, found),
        cpu_seconds=cpu,
        wall_seconds=wall,
        memory=_memory(forecast, stage, found),
        source=source if cpu is not None else "",
    )


def _events_to_read(forecast: Forecast, found: Mapping[str, Volume]) -> Mapping[str, int]:
    """Events to read of the input files by dataset; empty where not known."""
    if forecast.skims is not None and forecast.skims.read_events:
        return forecast.skims.read_events
    sizes = forecast.files.sizes if forecast.files else {}
    if not sizes or not sizes.keys() <= found.keys():
        return {}
    return {name: round(size / found[name].in_file) for name, size in sizes.items()}


_SPREAD = {"metadata", "skim", "histograms", "plots"}  # stages of which workers do the work


def _default(analysis: Analysis | None, stage: str) -> Rate:
    rate = _DEFAULTS[stage]
    if stage != "histograms" or analysis is None:
        return rate
    return Rate(rate.count, rate.cpu_seconds * (1 + _PER_SHIFT * _shifts(analysis)))


def _shifts(analysis: Analysis) -> int:
    """Object variations of the dataset that has most."""
    spec = analysis.spec
    numbers = [
        sum(one.kind == "object" for one in spec.variations(dataset))
        for dataset in spec.datasets.values()
    ]
    return max(numbers, default=0)


def _count(stage: StageForecast, events: Mapping[str, int]) -> int | None:
    """How much work there is, in what the rate counts; None where that is not known."""
    if stage.name in {"normalisation", "statistics"}:
        return 1
    if stage.name in {"metadata", "plots"}:
        return stage.todo or None
    if stage.name == "skim":
        return sum(events.values()) or None
    if stage.events is None:
        return None
    done = stage.pieces[0].there / stage.pieces[0].total if stage.pieces else 0.0
    return round(stage.events * (1.0 - done))


def _bytes(
    forecast: Forecast,
    stage: StageForecast,
    events: Mapping[str, int],
    found: Mapping[str, Volume],
) -> float | None:
    """What is read of the input files, or of the parts of the skim."""
    if stage.name != "skim" and not forecast.config.execution.one_pass:
        return stage.read_bytes
    if not events or not events.keys() <= found.keys():
        return None
    return sum(count * found[name].stored for name, count in events.items())


def _memory(forecast: Forecast, stage: StageForecast, found: Mapping[str, Volume]) -> float | None:
    """What a worker needs at most [byte]."""
    chunk = forecast.config.datasets.effective_chunk_size
    event = max((one.in_memory for one in found.values()), default=_UNKNOWN_EVENT)
    if stage.name == "skim":
        return _PROCESS + _COPIES_OF_SKIM * 1.5 * chunk * event  # a chunk may be half as long again
    if stage.name != "histograms" or forecast.analysis is None:
        return None
    if stage.events and stage.read_bytes:
        event = stage.read_bytes / stage.events
    limit = forecast.config.execution.memory_limit
    stacked = min(STACK_EVENTS, BATCH * (1 + _shifts(forecast.analysis)))
    stack = _COPIES * stacked * event
    return _PROCESS + BATCH * event + min(stack, limit * 1e9 if limit else stack)

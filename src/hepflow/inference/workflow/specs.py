"""What the physics part and the learning part depend on, each and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hepflow.inference.benchmarks import complete
from hepflow.inference.morphing import Morphing
from hepflow.inference.observables import Quantity, check
from hepflow.inference.records import Benchmark, Nuisance, NuisanceGroup, Parameter
from hepflow.schema import Study
from hepflow.schema.inference import Inference, TheoryParameter

STANDARD_MODEL: Final = "sm"


@dataclass(frozen=True)
class PhysicsSpec:
    """Everything that events depend on."""

    parameters: tuple[Parameter, ...]
    benchmarks: tuple[Benchmark, ...]
    source: str
    settings: Mapping[str, Any]  # of the source
    files: tuple[str, ...]
    weights_files: tuple[str, ...]  # of trees of Delphes
    detector: Mapping[str, Any]
    observables: tuple[Quantity, ...]  # empty: those of the built-in process
    cuts: tuple[Quantity, ...]
    nuisances: tuple[Nuisance, ...]
    groups: tuple[NuisanceGroup, ...]  # nuisance parameters of groups of weights
    sizes: Mapping[str, float]  # of nuisance parameters without weights: relative
    events: Mapping[str, int]  # by benchmark
    jobs: int  # for each benchmark
    seed: int

    @classmethod
    def of(cls, study: Study) -> PhysicsSpec:
        """Take what the physics part needs from a configuration.

        Raises
        ------
        ConfigurationError
            An expression that cannot be read; all that is wrong is told at once.
        InputError
            Benchmarks that do not span the model; the missing components are named.
        """
        own = study.inference
        parameters = parameters_of(own)
        benchmarks = benchmarks_of(own, parameters)
        part = {"drell_yan": "drell_yan", "madgraph": "madgraph", "skim": "skim"}
        name = part.get(own.process.source)
        observables, cuts = _quantities(own.observables), _quantities(own.cuts)
        check(observables, cuts, "inference")
        return cls(
            parameters=parameters,
            benchmarks=benchmarks,
            source=own.process.source,
            settings=own.process[name].to_dict() if name else {},
            files=tuple(own.process.files),
            weights_files=tuple(own.process.weights_files),
            detector=own.detector.to_dict(),
            observables=observables,
            cuts=cuts,
            nuisances=tuple(_nuisance(one) for one in own.nuisances if one.up),
            groups=tuple(
                NuisanceGroup(one.name, one.kind, one.group) for one in own.nuisances if one.group
            ),
            sizes={one.name: one.size for one in own.nuisances if one.size},
            events=events_of(own, benchmarks),
            jobs=own.jobs,
            seed=own.seed,
        )


def parameters_of(own: Inference) -> tuple[Parameter, ...]:
    """Parameters of the theory; those of the built-in process where none are configured."""
    if own.parameters:
        return tuple(_parameter(one) for one in own.parameters)
    if own.process.source == "drell_yan":
        from hepflow.inference.physics.drell_yan_amplitudes import PARAMETERS

        return PARAMETERS
    return ()


def _parameter(one: TheoryParameter) -> Parameter:
    low, high = one.range
    return Parameter(
        one.name, low, high, one.max_power, one.lha_block, one.lha_id, one.unit, one.label
    )


def benchmarks_of(own: Inference, parameters: tuple[Parameter, ...]) -> tuple[Benchmark, ...]:
    """Benchmarks by hand, which must span the model, or chosen ones."""
    if not parameters:
        return ()
    if not own.benchmarks:
        standard = Benchmark(STANDARD_MODEL, (0.0,) * len(parameters))
        tries = own.benchmark_trials
        return complete(parameters, (standard,), seed=own.seed, candidates=tries)
    given = tuple(
        Benchmark(name, tuple(point.get(one.name, 0.0) for one in parameters))
        for name, point in own.benchmarks.items()
    )
    Morphing.of(parameters, given)  # refuses those that do not span the model
    return given


def events_of(own: Inference, benchmarks: tuple[Benchmark, ...]) -> dict[str, int]:
    """Number of events of each benchmark that has some."""
    if isinstance(own.events, dict):
        return {one.name: own.events[one.name] for one in benchmarks if one.name in own.events}
    return {one.name: own.events for one in benchmarks}


def _quantities(entries: Any) -> tuple[Quantity, ...]:
    names = {field.name for field in dataclasses.fields(Quantity)}
    return tuple(Quantity(**{name: one[name] for name in names if name in one}) for one in entries)


def _nuisance(one: Any) -> Nuisance:
    return Nuisance(one.name, one.up, one.down, one.kind)

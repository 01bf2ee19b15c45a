"""What an event file says besides its events: parameters, benchmarks, observables, nuisances."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hepflow.errors import InputError, did_you_mean
from hepflow.inference.event_layout import numbers, put_words, words
from hepflow.inference.morphing import Morphing, monomials
from hepflow.inference.records import Benchmark, Ints, Nuisance, Parameter

NO_TRANSFORM = "theta"  # the parameter as it is
_NONE = "None"  # MadMiner's word for no entry
_KINDS = {"norm": "normalisation", "pdf": "pdf", "scale": "scale"}  # MadMiner's: ours
_HIGHEST_POWER = 8  # four vertices; beyond, the number of components is no physics any more
_OURS = "hepflow/record"  # JSON that MadMiner does not look at


@dataclass(frozen=True)
class Setup:
    """All of an event file but its events."""

    parameters: tuple[Parameter, ...]
    benchmarks: tuple[Benchmark, ...]  # of the theory, without those of nuisance parameters
    columns: tuple[int, ...]  # where their weights stand
    varied: Mapping[str, int]  # columns of the weights of nuisance parameters, by name
    observables: tuple[str, ...]
    definitions: tuple[str, ...]
    nuisances: tuple[Nuisance, ...]
    reference: str
    components: Ints | None
    transforms: tuple[str, ...]  # of the parameters for cards, as words
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_columns(self) -> int:
        """Number of weights of an event."""
        return len(self.columns) + len(self.varied)


def read_setup(file: Any) -> Setup:
    """Setup of an open file.

    Raises
    ------
    InputError
        Something is missing or does not fit.
    """
    ours = _read_ours(file)
    parameters = _read_parameters(file, ours)
    names = words(file, "benchmarks/names")
    values = numbers(file, "benchmarks/values", len(names), len(parameters))
    varied_flags = _flags(file, "benchmarks/is_nuisance", len(names))
    own = [index for index, flag in enumerate(varied_flags) if not flag]
    reference = [
        n
        for n, f in zip(names, _flags(file, "benchmarks/is_reference", len(names)), strict=True)
        if f
    ]
    nuisances = _read_nuisances(file, names, ours)
    observables = words(file, "observables/names")
    definitions = words(file, "observables/definitions")
    components = None
    if "morphing/components" in file:
        powers = numbers(file, "morphing/components", None, len(parameters))
        components = powers.astype(np.int64)
    return Setup(
        parameters,
        tuple(Benchmark(names[index], tuple(values[index].tolist())) for index in own),
        tuple(own),
        {names[index]: index for index, flag in enumerate(varied_flags) if flag},
        tuple(observables),
        tuple(definitions),
        nuisances,
        reference[0] if reference else names[own[0]] if own else "",
        components,
        _read_transforms(file, len(parameters)),
        ours.get("provenance", {}),
    )


def _read_transforms(file: Any, length: int) -> tuple[str, ...]:
    if "parameters/transforms" not in file:
        return (NO_TRANSFORM,) * length
    found = words(file, "parameters/transforms")
    return tuple(found) if len(found) == length else (NO_TRANSFORM,) * length


def _flags(file: Any, key: str, length: int) -> list[bool]:
    # Files of the first versions of MadMiner have neither flag.
    if key not in file:
        return [False] * length
    return [bool(value) for value in numbers(file, key, length)]


def _read_ours(file: Any) -> dict[str, Any]:
    if _OURS not in file:
        return {}
    text = bytes(file[_OURS][()])
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"{file.filename}: {_OURS!r} does not hold JSON ({error}); make the file again."
        ) from error
    return found if isinstance(found, dict) else {}


def _read_parameters(file: Any, ours: Mapping[str, Any]) -> tuple[Parameter, ...]:
    names = words(file, "parameters/names")
    ranges = numbers(file, "parameters/val_ranges", len(names), 2)
    powers = numbers(file, "parameters/max_power", len(names))
    blocks = words(file, "parameters/lha_blocks")
    ids = numbers(file, "parameters/lha_ids", len(names))
    if len(blocks) != len(names):
        raise InputError(
            f"{file.filename}: 'parameters/lha_blocks' has {len(blocks)} entries; "
            f"expected {len(names)}, one for each parameter."
        )
    usual = np.isfinite(ranges).all() and ((powers >= 0) & (powers <= _HIGHEST_POWER)).all()
    if not usual:
        raise InputError(
            f"{file.filename}: 'parameters/val_ranges' {ranges.tolist()} or "
            f"'parameters/max_power' {powers.tolist()} cannot be; expected finite ranges and "
            f"powers from 0 to {_HIGHEST_POWER}."
        )
    words_for = ours.get("parameters", {})
    return tuple(
        Parameter(
            name,
            float(ranges[index, 0]),
            float(ranges[index, 1]),
            int(powers[index]),
            blocks[index],
            int(ids[index]),
            str(words_for.get(name, {}).get("unit", "")),
            str(words_for.get(name, {}).get("label", "")),
        )
        for index, name in enumerate(names)
    )


def _read_nuisances(
    file: Any, benchmarks: Sequence[str], ours: Mapping[str, Any]
) -> tuple[Nuisance, ...]:
    if "nuisance_parameters/names" not in file:
        return ()
    names = words(file, "nuisance_parameters/names")
    sources = words(file, "nuisance_parameters/systematics")
    ups = words(file, "nuisance_parameters/benchmark_positive")
    downs = words(file, "nuisance_parameters/benchmark_negative")
    kinds: dict[str, str] = {}
    if "systematics/names" in file:
        types = words(file, "systematics/types")
        kinds = dict(zip(words(file, "systematics/names"), types, strict=False))
    result = []
    for name, source, up, down in zip(names, sources, ups, downs, strict=False):
        for wanted in (up, down):
            if wanted not in {_NONE, *benchmarks}:
                raise InputError(
                    f"{file.filename}: nuisance parameter {name!r} has its weight at "
                    f"{wanted!r}, which is not a benchmark of the file. "
                    f"{did_you_mean(wanted, benchmarks)}"
                )
        stored = ours.get("nuisances", {}).get(name)
        kind = str(stored or _KINDS.get(kinds.get(source, "scale"), "scale"))
        result.append(Nuisance(name, up, "" if down == _NONE else down, kind))
    return tuple(result)


def write_setup(file: Any, setup: Setup) -> None:
    """Write everything but events to an open file."""
    parameters = setup.parameters
    put_words(file, "parameters/names", [p.name for p in parameters])
    put_words(file, "parameters/lha_blocks", [p.lha_block for p in parameters])
    file["parameters/lha_ids"] = np.array([p.lha_id for p in parameters], dtype=np.int64)
    file["parameters/max_power"] = np.array([p.max_power for p in parameters], dtype=np.int64)
    file["parameters/val_ranges"] = np.array([(p.low, p.high) for p in parameters], dtype=float)
    put_words(file, "parameters/transforms", setup.transforms)
    put_words(file, "observables/names", setup.observables)
    put_words(file, "observables/definitions", setup.definitions)
    _write_benchmarks(file, setup)
    _write_morphing(file, setup)
    _write_nuisances(file, setup)
    named = {p.name: {"unit": p.unit, "label": p.label} for p in parameters}
    kinds = {nuisance.name: nuisance.kind for nuisance in setup.nuisances}
    record = {"provenance": dict(setup.provenance), "parameters": named, "nuisances": kinds}
    file[_OURS] = np.bytes_(json.dumps(record, sort_keys=True, default=str).encode())


def _write_benchmarks(file: Any, setup: Setup) -> None:
    names = [benchmark.name for benchmark in setup.benchmarks]
    zeros = [(0.0,) * len(setup.parameters)] * len(setup.varied)
    values = [benchmark.values for benchmark in setup.benchmarks] + zeros
    put_words(file, "benchmarks/names", [*names, *setup.varied])
    file["benchmarks/values"] = np.array(values, dtype=float).reshape(-1, len(setup.parameters))
    file["benchmarks/is_nuisance"] = np.repeat([0, 1], [len(names), len(setup.varied)])
    flags = [int(name == setup.reference) for name in [*names, *setup.varied]]
    file["benchmarks/is_reference"] = np.array(flags, dtype=np.int64)


def _write_morphing(file: Any, setup: Setup) -> None:
    try:
        morphing = Morphing.of(setup.parameters, setup.benchmarks, setup.components)
    except InputError:
        return  # benchmarks that span nothing are still worth a file; using them is refused later
    unit = monomials(morphing.scale, morphing.components)
    file["morphing/components"] = morphing.components
    file["morphing/morphing_matrix"] = morphing.matrix / unit[:, None]


def _write_nuisances(file: Any, setup: Setup) -> None:
    if not setup.nuisances:
        return
    names = [nuisance.name for nuisance in setup.nuisances]
    put_words(file, "nuisance_parameters/names", names)
    put_words(file, "nuisance_parameters/systematics", names)
    put_words(file, "nuisance_parameters/benchmark_positive", [n.up for n in setup.nuisances])
    downs = [nuisance.down or _NONE for nuisance in setup.nuisances]
    put_words(file, "nuisance_parameters/benchmark_negative", downs)
    # MadMiner 0.9.6 cannot open a file with a systematic of another type than scale: it insists
    # on a scale on reading and on none in the record. Theirs stand in our own part alone.
    scales = [nuisance.name for nuisance in setup.nuisances if nuisance.kind == "scale"]
    if scales:
        put_words(file, "systematics/names", scales)
        put_words(file, "systematics/types", ["scale"] * len(scales))
        put_words(file, "systematics/values", [_NONE] * len(scales))
        put_words(file, "systematics/scales", ["mu"] * len(scales))

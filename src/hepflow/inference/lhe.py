"""Les Houches event files (hep-ph/0609017, 1405.1067) with weights: events, momenta, weights."""

from __future__ import annotations

import contextlib
import gzip
import re
import warnings
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hepflow.errors import InputError, NormalisationError, UnreadableFile
from hepflow.inference.lhe_points import base_point, parse_card, point_of, set_by
from hepflow.inference.needs import need
from hepflow.inference.records import Benchmark, EventTable, Floats, Ints, Parameter

_SAME = 1e-6  # relative difference up to which two weights in a file are one number
# Words for scales and PDFs: MadGraph's, aMC@NLO's and POWHEG's.
_SYSTEMATIC = re.compile(r"\b(mu[rf]|pdf\s*set|lhapdf|pdf|(ren|fac)scfact)\b\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WeightInfo:
    """What the head of the file says about a weight."""

    id: str
    text: str  # what it is, such as "set param_card smeft 8 0.1 # orig: 0.0"
    attributes: dict[str, str]  # such as MUR, MUF, PDF
    group: str = ""
    combine: str = ""  # "envelope", "replicas", "hessian", ...


@dataclass(frozen=True)
class LheEvents:
    """Events of one file. Energies and momenta in GeV, in the order of the file."""

    weight_infos: tuple[WeightInfo, ...]
    card: tuple[tuple[str, int, float, str], ...]  # block, id, value, comment of the param_card
    cross_section: float  # [pb], of the head
    generator: str
    nominal: Floats  # as in the file, shape (n_events,)
    weights: Floats  # as in the file, shape (n_events, n_weights)
    counts: Ints  # particles of each event
    pdg: Ints  # shape (n_particles,), as status and momenta
    status: Ints  # -1 incoming, 1 outgoing, 2 intermediate
    momenta: Floats  # px, py, pz, E, shape (n_particles, 4)

    def column(self, weight: str) -> Floats:
        """Weights of one name, shape (n_events,)."""
        names = [info.id for info in self.weight_infos]
        return np.ascontiguousarray(self.weights[:, names.index(weight)])

    @property
    def factor(self) -> float:
        """From weights of the file to weights [pb] that add up to the cross-section.

        The cross-section of the head over the sum of the events' nominal weights, so that it does
        not matter by which of its conventions the generator normalised them.
        """
        total = float(self.nominal.sum())
        if not (np.isfinite(total) and total > 0 and self.cross_section > 0):
            raise NormalisationError(
                f"the events' weights add up to {total:.4g} and the head says "
                f"{self.cross_section:.4g} pb; both must be positive to normalise the events."
            )
        return self.cross_section / total


def read_lhe(path: str | Path) -> LheEvents:
    """Read a file, zipped or not.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    UnreadableFile
        The file is missing, truncated or not a Les Houches event file.
    InputError
        Its events do not all have the weights that the head announces.
    """
    pylhe = need("pylhe")
    if not Path(path).is_file():
        raise UnreadableFile(f"there is no Les Houches event file {path}.")
    # Opened here: pylhe closes its file at the end of the events only; errors come before.
    with _broken_is_an_error(path), _stream(Path(path)) as stream:
        file = pylhe.LHEFile.frombuffer(stream)
        infos = _weight_infos(file.header)
        content = _Content()
        for event in file.events:
            content.add(event, [info.id for info in infos], path)
    if not content.counts:
        raise InputError(f"{path} has no events; look at the log of the generator.")
    particles = np.array(content.particles).reshape(-1, 6)
    return LheEvents(
        infos,
        _card(file.header),
        float(sum(process.xSection for process in file.init.procInfo)),
        " ".join(f"{one.name} {one.version}" for one in file.init.generators).strip(),
        np.array(content.nominal),
        np.array(content.weights).reshape(len(content.counts), len(infos)),
        np.array(content.counts, dtype=np.int64),
        particles[:, 0].astype(np.int64),
        particles[:, 1].astype(np.int64),
        np.ascontiguousarray(particles[:, 2:]),
    )


def _stream(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")


@contextlib.contextmanager
def _broken_is_an_error(path: str | Path) -> Iterator[None]:
    try:
        # pylhe warns of a file that breaks off and hands out the events before that.
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            yield
    except (OSError, EOFError, zlib.error, RuntimeWarning, ValueError, AttributeError) as error:
        raise UnreadableFile(
            f"{path} cannot be read as a Les Houches event file: {error}. "
            "It may be truncated or of another format; make or fetch it again."
        ) from error


class _Content:
    """Numbers of the events read so far, eight bytes each."""

    def __init__(self) -> None:
        self.nominal = array("d")
        self.weights = array("d")
        self.counts = array("q")
        self.particles = array("d")

    def add(self, event: Any, ids: Sequence[str], path: str | Path) -> None:
        missing = [name for name in ids if name not in event.weights]
        if missing:
            raise InputError(
                f"{path}: an event lacks the weights {', '.join(missing[:5])} that the head "
                "announces; reweight all events again."
            )
        self.nominal.append(event.eventinfo.weight)
        self.weights.extend(event.weights[name] for name in ids)
        self.counts.append(len(event.particles))
        for one in event.particles:
            self.particles.extend((one.id, one.status, one.px, one.py, one.pz, one.e))


def _weight_infos(header: Any) -> tuple[WeightInfo, ...]:
    if header is None:
        return ()
    infos = []
    for entry in header.initrwgt.entries:
        given = dict(entry.attributes)
        group = str(given.get("name") or given.get("type") or "")
        for weight in getattr(entry, "weights", [entry]):
            own = {key.upper(): str(value) for key, value in weight.attributes.items()}
            alone = weight is entry
            infos.append(
                WeightInfo(
                    str(weight.id),
                    str(weight.name),
                    own,
                    "" if alone else group,
                    "" if alone else str(given.get("combine") or ""),
                )
            )
    return tuple(infos)


def _card(header: Any) -> tuple[tuple[str, int, float, str], ...]:
    elements = [] if header is None else header.extra_elements
    texts = [element.text or "" for element in elements if element.tag == "slha"]
    return tuple(entry for text in texts for entry in parse_card(text))


def parameters_of(events: LheEvents) -> tuple[Parameter, ...]:
    """Parameters that the weights of a file differ in, of second order each.

    Named as in the param_card; the range is symmetric and holds all values of the weights.
    """
    largest: dict[tuple[str, int], float] = {}
    for info in events.weight_infos:
        for entry, value in set_by(info.text, events.card).items():
            largest[entry] = max(largest.get(entry, 0.0), abs(value))
    names = {(block, number): comment for block, number, _, comment in events.card}
    return tuple(
        Parameter(
            names.get(entry) or f"{entry[0]}_{entry[1]}",
            -(size or 1.0),
            size or 1.0,
            lha_block=entry[0],
            lha_id=entry[1],
        )
        for entry, size in sorted(largest.items())
    )


def benchmarks_of(
    events: LheEvents, parameters: Sequence[Parameter], base: Sequence[float] | None = None
) -> tuple[Benchmark, ...]:
    """Benchmarks of a file: the weights that are not of scales or PDFs, with their points.

    Parameters
    ----------
    events : LheEvents
    parameters : sequence of Parameter
        With their `lha_block` and `lha_id`.
    base : sequence of float, optional
        Values of the parameters where a weight does not set them. Default: what the weights'
        own remarks (``# orig:``) and the param_card in the head say.

    Raises
    ------
    InputError
        The values where nothing is set are not known: remarks and card contradict each other.
    """
    own = [info for info in events.weight_infos if not is_systematic(info)]
    texts = [info.text for info in own]
    start = base_point(texts, events.card, parameters) if base is None else tuple(base)
    return tuple(
        Benchmark(info.id, point_of(info.text, events.card, parameters, start)) for info in own
    )


def is_systematic(info: WeightInfo) -> bool:
    """Whether a weight is of another scale or PDF, not of another parameter point."""
    return bool({"MUR", "MUF", "PDF"} & set(info.attributes) or _SYSTEMATIC.search(info.text))


def event_table(
    events: LheEvents,
    observables: Sequence[str],
    x: Floats,
    parameters: Sequence[Parameter] | None = None,
    base: Sequence[float] | None = None,
) -> EventTable:
    """Table of a file's events, with the weights of its benchmarks [pb].

    Parameters
    ----------
    events : LheEvents
    observables : sequence of str
    x : ndarray, shape (n_events, n_observables)
        Computed from the momenta, in the order of the events.
    parameters : sequence of Parameter, optional
        Default `parameters_of`.
    base : sequence of float, optional
        As for `benchmarks_of`.

    Returns
    -------
    EventTable
        `sampled_from` is the benchmark whose weights are the nominal ones of the file, -1 if
        there is none. Scales and PDFs are added by `hepflow.inference.lhe_systematics`.

    Raises
    ------
    InputError
        No weights of benchmarks, points that are not known, or different weights at one point.
    NormalisationError
        The sum of the weights or the cross-section is not positive.
    """
    chosen = tuple(parameters_of(events) if parameters is None else parameters)
    benchmarks = benchmarks_of(events, chosen, base)
    if not benchmarks:
        raise InputError(
            "the Les Houches event file has no weights at other parameter points "
            "(<initrwgt> with reweighting); reweight its events at the benchmarks first."
        )
    columns = np.stack([events.column(benchmark.name) for benchmark in benchmarks], axis=1)
    _refuse_contradictions(benchmarks, columns)
    same = np.isclose(columns, events.nominal[:, None], rtol=_SAME, atol=0.0).all(axis=0)
    origin = int(np.argmax(same)) if same.any() else -1
    table = EventTable(
        chosen,
        benchmarks,
        tuple(observables),
        x,
        columns * events.factor,
        np.full(len(columns), origin),
    )
    reference = benchmarks[max(origin, 0)].name
    return replace(table, provenance={"generator": events.generator, "reference": reference})


def _refuse_contradictions(benchmarks: Sequence[Benchmark], columns: Floats) -> None:
    """Weights that differ at one point are of something that was not understood as such."""
    first: dict[tuple[float, ...], int] = {}
    for index, benchmark in enumerate(benchmarks):
        known = first.setdefault(benchmark.values, index)
        if not np.allclose(columns[:, index], columns[:, known], rtol=_SAME, atol=0.0):
            raise InputError(
                f"the weights {benchmarks[known].name!r} and {benchmark.name!r} of the Les Houches "
                f"event file are both at the parameter point {benchmark.values} and differ: one of "
                "them varies something that its text in <initrwgt> does not tell. Take it out of "
                "the file, or name what it is (such as MUR, MUF or PDF)."
            )

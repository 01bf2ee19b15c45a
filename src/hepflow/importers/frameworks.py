"""Thin readers of the files of coffea processors, PocketCoffea and columnflow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hepflow.errors import InputError, StorageError, UnsafeContent, did_you_mean
from hepflow.importers.hists import Piece, from_hists
from hepflow.importers.safe_load import load_stored
from hepflow.importers.spec import AxisRoles, ImportSpec
from hepflow.importers.standins import StoredHistogram
from hepflow.records import HistogramSet

_MOST = 1_000_000  # histograms of a file
Source = str | Path | Mapping[str, Any]  # a file, or what was loaded from it
Level = Literal["observable", "process", "dataset", "channel", "variation"]


def from_coffea(
    source: Source,
    spec: ImportSpec,
    *,
    levels: Sequence[Level] = ("observable",),
    axes: AxisRoles | None = None,
    inside: Sequence[str] = (),
    observables: Collection[str] | None = None,
) -> HistogramSet:
    """Import the accumulator of a coffea processor.

    Parameters
    ----------
    source : path or mapping
        File of `coffea.util.save` (a cloudpickle, compressed with lz4), or its content.
    spec : ImportSpec
        Processors mostly fill generator weights: give ``scales``, the luminosity times the
        cross-section divided by the sum of weights, by dataset.
    levels : sequence of str
        What the keys of the nested mappings are, from the outside: ``("observable",)`` for
        ``{"mtt": Hist}``, ``("dataset", "observable")`` for ``{"ttbar": {"mtt": Hist}}``.
    axes : AxisRoles, optional
        Names of the category axes; the default expects what `levels` does not say as axes
        ``channel``, ``process`` and ``variation``. Without variations there is nominal alone.
    inside : sequence of str
        Keys that lead to the histograms.
    observables : collection of str, optional
        Which to take; default all. Histograms of more dimensions are not imported.

    Raises
    ------
    UnsafeContent
        The file asks for classes or functions that are not admitted.
    InputError
        The layout is another one.

    Notes
    -----
    Source of the format: ``save`` and ``load`` in coffea's ``coffea/util.py``; accumulators are
    nested mappings with histograms at their ends (``coffea/processor/accumulator.py``).
    """
    content = _inside(_loaded(source, spec), inside)
    pieces = [
        piece
        for piece in _pieces(content, tuple(levels))
        if observables is None or piece.observable in observables
    ]
    _check_found(pieces, observables, levels)
    return from_hists(pieces, spec, axes)


def from_pocket_coffea(
    source: Source,
    spec: ImportSpec,
    *,
    observables: Collection[str] | None = None,
    datasets: Collection[str] | None = None,
) -> HistogramSet:
    """Import ``output_all.coffea`` of PocketCoffea.

    Parameters
    ----------
    source : path or mapping
        The file, or its content.
    spec : ImportSpec
        Samples are processes, categories are channels. The histograms are normalised to
        cross-section and luminosity where the weights ``genWeight``, ``lumi`` and ``XS`` were
        configured; otherwise give ``scales`` by dataset. Subsamples are called
        ``sample__subsample``: give them names in ``processes``.
    observables : collection of str, optional
        Variables to take; default all.
    datasets : collection of str, optional
        Datasets to take, such as those of one year; default all.

    Raises
    ------
    UnsafeContent
        The file asks for classes or functions that are not admitted.
    InputError
        The layout is another one, or a sample without variations is not named in ``data``.

    Notes
    -----
    Source of the layout: ``pocket_coffea/lib/hist_manager.py`` (axes ``cat``, ``variation``, then
    that of the variable; data have no ``variation``; a shape variation that was not asked for in
    a category stays empty there) and ``rescale_sumgenweights`` of
    ``pocket_coffea/workflows/base.py`` (``output["variables"][variable][sample][dataset]``,
    divided by ``output["sum_genweights"][dataset]``).
    """
    content = _inside(_loaded(source, spec), ("variables",))
    pieces = [
        piece
        for piece in _pieces(content, ("observable", "process", "dataset"))
        if (observables is None or piece.observable in observables)
        and (datasets is None or piece.dataset in datasets)
    ]
    _check_found(pieces, observables, ("variable", "sample", "dataset"))
    for piece in pieces:
        process = spec.processes.get(piece.process, piece.process)
        has_variations = "variation" in [axis.name for axis in piece.histogram.axes]
        if process is not None and has_variations == (process in spec.data):
            raise InputError(
                f"the sample {piece.process!r} has {'a' if has_variations else 'no'} variation "
                f"axis, which PocketCoffea gives to {'simulation' if has_variations else 'data'} "
                f"only. {'Leave it out of' if has_variations else 'Name it in'} `data`."
            )
    return from_hists(pieces, spec, AxisRoles(channel="cat"))


def from_columnflow(
    files: Mapping[str, str | Path | Iterable[str | Path]],
    spec: ImportSpec,
    *,
    observables: Collection[str] | None = None,
) -> HistogramSet:
    """Import the histogram files of columnflow.

    Parameters
    ----------
    files : mapping
        Dataset -> its file or files, which are added: ``shifted_hist__<variable>.pickle`` of
        ``MergeShiftedHistograms``, or ``hist__<variable>.pickle`` of ``MergeHistograms`` for
        nominal and for each shift.
    spec : ImportSpec
        Categories are channels, shifts are variations. Older files hold the ids of the analysis
        configuration: give ``channels={1: "incl"}``, ``processes={1000: "tt"}`` and
        ``variations={0: "nominal", 10: "mu_up"}``; newer ones hold names.
    observables : collection of str, optional
        Variables to take; default all.

    Raises
    ------
    UnsafeContent
        A file asks for classes or functions that are not admitted.
    InputError
        The layout is another one, or an id has no name.

    Notes
    -----
    Source of the layout: ``columnflow/tasks/histograms.py`` (the files, one histogram in each;
    in those of ``CreateHistograms`` a mapping by variable), ``columnflow/hist_util.py`` and
    ``columnflow/histogramming/default.py`` (axes ``category``, ``process`` and ``shift``, with
    ids or names, then that of the variable; storage Weight).
    """
    pieces = []
    for dataset, given in files.items():
        for path in [given] if isinstance(given, str | Path) else given:
            pieces += [
                Piece(one, name, dataset=dataset)
                for name, one in _by_variable(load_stored(path, max_bytes=spec.max_bytes), path)
                if observables is None or name in observables
            ]
    _check_found(pieces, observables, ("variable",))
    return from_hists(pieces, spec, AxisRoles("category", "process", "shift"))


def _by_variable(content: Any, path: str | Path) -> Iterator[tuple[str, Any]]:
    """Histograms of a columnflow file, by the name of the axis that is the variable's."""
    found = content.values() if isinstance(content, Mapping) else [content]
    for one in found:
        histogram = _histogram(one)
        if histogram is None:
            raise InputError(f"{path} holds a {type(one).__name__} where a histogram was expected.")
        names = [axis.name for axis in histogram.axes]
        rest = [name for name in names if name not in {"category", "process", "shift"}]
        yield "-".join(rest), histogram


def _loaded(source: Source, spec: ImportSpec) -> Any:
    if isinstance(source, Mapping):
        return source
    return load_stored(source, max_bytes=spec.max_bytes)


def _inside(content: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            known = [str(one) for one in content] if isinstance(content, Mapping) else []
            hint = did_you_mean(key, known)
            raise InputError(f"there is no {key!r} on the way to the histograms. {hint}".rstrip())
        content = content[key]
    return content


def _pieces(content: Any, levels: tuple[Level, ...]) -> Iterator[Piece]:
    """Histograms at the end of the levels."""
    _check_width(content, len(levels))
    return _walk(content, levels, {})


def _check_width(content: Any, levels: int) -> None:
    """Refuse mappings that are told to hold each other so often that to walk them takes for ever.

    Raises
    ------
    UnsafeContent
        There are more than a million entries on one level.
    """
    here = {id(content): (content, 1)}
    for _ in range(levels):
        below: dict[int, tuple[Any, int]] = {}
        for value, times in here.values():
            for one in value.values() if isinstance(value, Mapping) else ():
                below[id(one)] = (one, below.get(id(one), (one, 0))[1] + times)
        count = sum(times for _, times in below.values())
        if count > _MOST:
            raise UnsafeContent(f"the file has {count} entries on one level, at most {_MOST} fit.")
        here = below


def _walk(content: Any, levels: tuple[Level, ...], known: dict[str, str]) -> Iterator[Piece]:
    """Histograms at the end of the levels; what else lies beside them is not looked at."""
    if not levels:
        histogram = _histogram(content)
        if histogram is not None:
            yield Piece(histogram, **{"observable": "", **known})
        return
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _walk(value, levels[1:], {**known, levels[0]: str(key)})


def _histogram(value: Any) -> Any:
    """Histogram of hist or boost-histogram, or None where it is something else."""
    import boost_histogram as bh

    if isinstance(value, StoredHistogram):
        try:
            return value.build()
        except StorageError as error:
            error.add_note(
                "The file is damaged or of another version of boost-histogram: write it again, or "
                "hand over its histograms to hepflow.importers.from_hists."
            )
            raise
    return value if isinstance(value, bh.Histogram) else None


def _check_found(
    pieces: Sequence[Piece], observables: Collection[str] | None, levels: Sequence[str]
) -> None:
    found = {one.observable for one in pieces}
    missing = sorted(set(observables or ()) - found)
    if missing or not found:
        what = f"of {missing[0]!r}" if missing else "at all"
        raise InputError(
            f"no histogram {what} under keys {' / '.join(levels)}. Look at the layout of the file "
            "(hepflow.importers.load_stored), and give levels, inside and observables for it."
        )

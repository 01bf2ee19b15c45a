"""Histograms of a signal in a ROOT file, with all that belongs to them in a JSON note."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hepflow.errors import InputError, UnreadableFile
from hepflow.records import Axis, Block, HistogramSet, Ledger, RawHistograms
from hepflow.records.kept_yield import KeptYield
from hepflow.reinterpretation.signal_filling import Filled
from hepflow.reinterpretation.signals import Signal
from hepflow.reinterpretation.spectra import NOTE
from hepflow.storage import atomic_writer, parse_json

if TYPE_CHECKING:
    from hepflow.records.histograms import AxisKey, BlockKey

FORMAT: Final = "hepflow-signal"
VERSION: Final = 1
_STEPS: Final = {"raw": "skimming", "scaled": "scaling"}  # kind of file -> step that makes it


def write_filled(path: Path, filled: Filled, bundle: str) -> Path:
    """Write raw histograms; `read_filled` gives them back without loss.

    Parameters
    ----------
    path
        ROOT file to be made.
    filled
        Of a signal.
    bundle
        Digest of the bundle whose selection they have.
    """
    from hepflow.histograms.raw import cutflow_columns

    raw = filled.raw
    note = {
        "sum_of_weights": filled.sums_of_weights,
        "ledger": raw.ledger.to_json(),
        "cutflows": [[list(key), *cutflow_columns(flow)] for key, flow in raw.cutflows.items()],
        "yields": [
            [key, list(one.variations), one.without.tolist(), one.weighted.tolist()]
            for key, one in raw.yields.items()
        ],
    }
    return _write(path, "raw", filled.signal, bundle, (raw.axes, raw.blocks), note)


def write_scaled(
    path: Path,
    signal: Signal,
    histograms: HistogramSet,
    factors: Mapping[str, Mapping[str, float]],
    bundle: str,
) -> Path:
    """Write expected events, with what they were scaled by."""
    note = {
        "luminosity": dict(histograms.luminosity),
        "scale": {key: dict(one) for key, one in factors.items()},
        "ledger": histograms.ledger.to_json(),
        "process_of": dict(histograms.process_of),
    }
    return _write(path, "scaled", signal, bundle, (histograms.axes, histograms.blocks), note)


def _write(
    path: Path,
    kind: str,
    signal: Signal,
    bundle: str,
    contents: tuple[Mapping[AxisKey, Axis], Mapping[BlockKey, Block]],
    more: Mapping[str, Any],
) -> Path:
    import uproot

    from hepflow.histograms import write_root

    axes, blocks = contents
    note = {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "bundle": bundle,
        "signal": signal.to_json(),
        "axes": [[list(key), one.name, one.label, list(one.edges)] for key, one in axes.items()],
        "blocks": [[list(key), list(one.variations)] for key, one in blocks.items()],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    as_set = HistogramSet(axes, blocks, {}, frozenset(), {}, Ledger(), {})
    with atomic_writer(path) as temporary:
        write_root(as_set, Path(temporary))
        with uproot.update(temporary) as file:
            file[NOTE] = json.dumps(note, sort_keys=True, default=np.ndarray.tolist)
    return path


def read_filled(path: Path, bundle: str) -> Filled:
    """Read what `write_filled` wrote.

    Raises
    ------
    InputError
        It is no such file, or of another bundle.
    UnreadableFile
        It is cut off or damaged.
    """
    from hepflow.histograms.raw import cutflow_of

    note, axes, blocks = _read(path, "raw", bundle)
    raw = RawHistograms(
        axes=axes,
        blocks=blocks,
        cutflows={tuple(key): cutflow_of(*rest) for key, *rest in note["cutflows"]},
        ledger=Ledger.from_json(note["ledger"]),
        yields={
            key: KeptYield(tuple(names), np.asarray(without), np.asarray(weighted))
            for key, names, without, weighted in note["yields"]
        },
    )
    return Filled(Signal.from_json(note["signal"]), raw)


def read_scaled(path: Path, bundle: str) -> tuple[Signal, HistogramSet]:
    """Read what `write_scaled` wrote.

    Raises
    ------
    InputError
        It is no such file, or of another bundle.
    UnreadableFile
        It is cut off or damaged.
    """
    note, axes, blocks = _read(path, "scaled", bundle)
    ledger = Ledger.from_json(note["ledger"])
    found = HistogramSet(
        axes, blocks, {}, frozenset(), note["luminosity"], ledger, note["process_of"]
    )
    return Signal.from_json(note["signal"]), found


def _read(
    path: Path, kind: str, bundle: str
) -> tuple[dict[str, Any], dict[AxisKey, Axis], dict[BlockKey, Block]]:
    import uproot

    if not path.is_file():
        raise InputError(f"{path} does not exist. Expected what --step {_STEPS[kind]} writes.")
    try:
        with uproot.open(path) as file:
            note = parse_json(str(file[NOTE]), finite=False) if NOTE in file else {}
            _check_note(path, note, kind, bundle)
            return (note, *_contents(file, note))
    except InputError:
        raise
    except Exception as error:  # uproot raises what it stumbles over in a damaged file
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise UnreadableFile(
            f"{path} cannot be read: {reason}. Is it whole? Make it again (--step {_STEPS[kind]})."
        ) from error


def _check_note(path: Path, note: Mapping[str, Any], kind: str, bundle: str) -> None:
    if note.get("format") != FORMAT or note.get("version") != VERSION:
        raise InputError(
            f"{path} holds no histograms of a signal. Expected what --step {_STEPS[kind]} writes."
        )
    if note["kind"] != kind:
        raise InputError(
            f"{path} was made by --step {_STEPS[note['kind']]}; expected what --step "
            f"{_STEPS[kind]} writes."
        )
    if note["bundle"] != bundle:
        raise InputError(
            f"{path} was made with another bundle ({note['bundle'][:12]}) than this one "
            f"({bundle[:12]}). Make it again (--step {_STEPS[kind]})."
        )


def _contents(
    file: Any, note: Mapping[str, Any]
) -> tuple[dict[AxisKey, Axis], dict[BlockKey, Block]]:
    from hepflow.histograms.root_file import histogram_key

    blocks: dict[BlockKey, Block] = {}
    for key, names in note["blocks"]:
        channel, observable, owner = key
        found = [file[histogram_key(channel, observable, owner, name)] for name in names]
        sumw = np.array([one.values(flow=True) for one in found])
        sumw2 = np.array([one.variances(flow=True) for one in found])
        blocks[channel, observable, owner] = Block(tuple(names), sumw, sumw2)
    axes: dict[AxisKey, Axis] = {
        (key[0], key[1]): Axis(name, label, tuple(edges))
        for key, name, label, edges in note["axes"]
    }
    return axes, blocks

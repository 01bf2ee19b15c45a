"""Filling before it runs: which channels are there, and what an interrupted run left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hepflow.analysis import Analysis

# Names of files and what a ledger says today are those of the filling itself.
from hepflow.analysis.filling import _as_of_today, _only, _part_file
from hepflow.analysis.filling_keys import STAGE, filling_keys, joined_key
from hepflow.analysis.lost import only_lost
from hepflow.analysis.stored import FILLED_STAMP, why_not
from hepflow.errors import StorageError
from hepflow.histograms import read_raw
from hepflow.keys import Key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.planning.looking import NothingRuns, WouldRun
from hepflow.planning.records import LOST_BEFORE, Piece, Reason, StageForecast, changed
from hepflow.planning.skims import SkimsForecast
from hepflow.records import RawHistograms
from hepflow.skimming import AnyPart, Skim
from hepflow.stamps import read_key

_FROM_SKIM = frozenset({"skim"})
_SKIM = "skim changed"
_CACHE_OFF = (Reason("general.read_from_cache is off"),)


@dataclass(frozen=True)
class FillsForecast:
    """What filling gives, as far as is known."""

    stage: StageForecast
    key: Key | None = None  # of all channels; None where the skim is not known
    raw: RawHistograms | None = None  # None where something must be filled


def forecast_fills(
    analysis: Analysis, skims: SkimsForecast, folders: OutputDirectoryManager
) -> FillsForecast:
    """Compare the keys of the channels with the merged histograms in the cache."""
    general = analysis.config.general
    what = f"fill {len(analysis.spec.channels)} channels"
    if not general.run_histogramming:
        why = (Reason(why_not(general, "run_histogramming")),)
        return FillsForecast(StageForecast(STAGE, what, "read back", why))
    if skims.skims is None:
        return FillsForecast(_unknown(analysis, what, skims, folders))
    parts = [part for name in sorted(skims.skims) for part in skims.skims[name].parts]
    keys = filling_keys(analysis, parts)
    cache = folders.get_cache_dir() / "histograms"
    there = _merged(cache, keys) if general.read_from_cache else {}
    pieces = _pieces(folders, keys, there, skims, reuse=general.read_from_cache)
    if any(reason.what == _SKIM for piece in pieces for reason in piece.reasons) and _only_lost(
        analysis, parts
    ):
        pieces = tuple(_tried_again(piece) for piece in pieces)
    missing = [piece.name for piece in pieces if piece.status == "runs"]
    if not missing:
        stage = StageForecast(STAGE, what, "reused", (), pieces, f"{len(keys)} channels")
        return FillsForecast(stage, joined_key(keys), _raw(analysis, there, parts, skims.skims))
    left = _left(analysis, cache, keys, missing, parts) if general.read_from_cache else 0
    stage = _running(what, pieces, missing, len(parts), left, skims)
    # What is lost again leaves the histograms as they are.
    same = all(reason == LOST_BEFORE for reason in stage.reasons)
    return FillsForecast(stage, None if same else joined_key(keys))


def _only_lost(analysis: Analysis, parts: Sequence[AnyPart]) -> bool:
    try:
        return only_lost(analysis, parts, NothingRuns())
    except WouldRun:
        return False


def _tried_again(piece: Piece) -> Piece:
    """The same with the true reason: the skim did not change."""
    reasons = (LOST_BEFORE if one.what == _SKIM else one for one in piece.reasons)
    return replace(piece, reasons=tuple(reasons))


def _running(
    what: str,
    pieces: tuple[Piece, ...],
    missing: Sequence[str],
    parts: int,
    left: int,
    skims: SkimsForecast,
) -> StageForecast:
    found = tuple(replace(one, there=left, total=parts) for one in pieces if one.name in missing)
    others = tuple(one for one in pieces if one.name not in missing)
    reasons = tuple(dict.fromkeys(reason for one in found for reason in one.reasons))
    started = f", {left} of them there" if left else ""
    return StageForecast(
        STAGE,
        what,
        "partly" if others or left else "runs",
        reasons,
        (*found, *others),
        count=f"{', '.join(missing)}: {parts} parts{started}",
        todo=parts - left,
        events=skims.selected,
        events_of="selected",
        read_bytes=skims.part_bytes,
    )


def _unknown(
    analysis: Analysis, what: str, skims: SkimsForecast, folders: OutputDirectoryManager
) -> StageForecast:
    """What changed besides the skim, which is not known."""
    stamp = folders.get_histograms_dir() / FILLED_STAMP
    stored = read_key(stamp.parent, stamp.name)
    keys = filling_keys(analysis, ())
    own = changed(stored, joined_key(keys), unknown=_FROM_SKIM) if stored else ()
    before = tuple(Reason(note) for note in skims.notes) or skims.stage.reasons
    reasons = (*own, Reason("hangs on the skim", before))
    pieces = tuple(
        Piece(
            name,
            "unknown",
            reasons,
            key,
            None if stored is None else _part_of(stored, key),
            unknown=_FROM_SKIM,
            stamp=stamp,
        )
        for name, key in keys.items()
    )
    return StageForecast(STAGE, what, "unknown", reasons, pieces)


def _merged(cache: Path, keys: Mapping[str, Key]) -> dict[str, Path]:
    """Merged histograms that are there, by channel."""
    paths = {name: cache / "merged" / f"{key.digest}.pkl" for name, key in keys.items()}
    return {name: path for name, path in paths.items() if path.is_file()}


def _pieces(
    folders: OutputDirectoryManager,
    keys: Mapping[str, Key],
    there: Mapping[str, Path],
    skims: SkimsForecast,
    *,
    reuse: bool,
) -> tuple[Piece, ...]:
    stamp = folders.get_histograms_dir() / FILLED_STAMP
    stored = read_key(stamp.parent, stamp.name)
    pieces = []
    for name, key in keys.items():
        mine = None if stored is None else _part_of(stored, key)
        if name in there:
            pieces.append(Piece(name, "reused", (), key, mine, there=1, stamp=stamp))
            continue
        reasons = _why(mine, key, skims) if reuse else _CACHE_OFF
        pieces.append(Piece(name, "runs", reasons, key, mine, stamp=stamp))
    return tuple(pieces)


def _part_of(stored: Key, today: Key) -> Key:
    """What of the stored key of all channels is one channel's."""
    kept = {
        name: digest
        for name, digest in stored.parts.items()
        if name in today.parts or not name.startswith("channel ")
    }
    return Key(stored.stage, kept)


def _why(stored: Key | None, today: Key, skims: SkimsForecast) -> tuple[Reason, ...]:
    reasons = changed(stored, today, {"skim": skims.stage.reasons})
    return reasons or (Reason("what was filled is not in the cache any more"),)


def _left(
    analysis: Analysis,
    cache: Path,
    keys: Mapping[str, Key],
    missing: Sequence[str],
    parts: Sequence[AnyPart],
) -> int:
    """Parts of the missing channels that an interrupted run has filled."""
    folder = cache / "parts"
    found = {path.name for path in folder.glob("*.pkl")} if folder.is_dir() else set()
    if not found:
        return 0
    spread = joined_key({name: keys[name] for name in missing})
    spec = _only(analysis, missing).spec
    return sum(_part_file(spec, spread, part) in found for part in parts)


def _raw(
    analysis: Analysis,
    files: Mapping[str, Path],
    parts: Sequence[AnyPart],
    skims: Mapping[str, Skim],
) -> RawHistograms | None:
    """What the run would read; None where a file is damaged."""
    try:
        raws = {name: read_raw(files[name]) for name in files}
    except StorageError:
        return None
    total = RawHistograms(
        axes=analysis.spec.axes(),
        blocks={key: block for raw in raws.values() for key, block in raw.blocks.items()},
        cutflows={key: flow for raw in raws.values() for key, flow in raw.cutflows.items()},
        ledger=next(iter(raws.values())).ledger,
    )
    return _as_of_today(total, analysis, parts, skims)

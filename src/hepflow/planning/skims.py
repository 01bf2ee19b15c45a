"""The skim before it runs: which parts are there, and the identities that all parts will have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hepflow.errors import CorrectionError, HepflowError
from hepflow.keys import Key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.planning.chunking import CHUNK_SIZE
from hepflow.planning.files import FilesForecast
from hepflow.planning.looking import NothingRuns, WouldRun
from hepflow.planning.parts import PlannedPart
from hepflow.planning.records import (
    LOST_BEFORE,
    Piece,
    Reason,
    StageForecast,
    Status,
    changed,
    status_of,
)
from hepflow.records import Loss, WorkItem
from hepflow.records.ledger import files_of
from hepflow.schema import Config
from hepflow.skimming import Skim, SkimSpec
from hepflow.skimming.duplicates import drop_duplicates
from hepflow.skimming.formats import FORMATS
from hepflow.skimming.losses import admit, datasets_left, lost_before, read_lost, with_losses
from hepflow.skimming.making import PartRecord, item_identity
from hepflow.skimming.manifest import (
    MANIFEST,
    is_untouched,
    known_parts,
    read_manifest,
    stored_key,
)
from hepflow.skimming.on_disk import Store, stored_parts

# Which work items count, the skim itself says.
from hepflow.skimming.run import _items_of
from hepflow.skimming.spec import STAGE, is_compared
from hepflow.skimming.totals import common_metadata

_WHAT = "select events and columns"
_SHARE = 0.5  # of the events that pass, where no part tells


@dataclass(frozen=True)
class SkimsForecast:
    """What the skim gives, as far as is known."""

    stage: StageForecast
    skims: Mapping[str, Skim] | None = None  # None where identities are not known
    notes: tuple[str, ...] = ()  # what the forecast of later stages takes for granted
    read_events: Mapping[str, int] = field(default_factory=dict)  # dataset -> to read of its files
    complete: bool = False  # whether all parts are there
    selected: int | None = None  # events in all parts, those to make estimated
    part_bytes: int | None = None  # likewise; None where no part is there


def forecast_skims(
    config: Config, spec: SkimSpec, files: FilesForecast, folders: OutputDirectoryManager
) -> SkimsForecast:
    """Compare work items with manifests.

    Parameters
    ----------
    spec
        Of the same configuration.
    files
        Forecast of the stage before.
    """
    if files.items is None:
        return _unknown(config, spec, files, folders)
    policy, known = config.execution.on_missing, files_of(files.fileset, files.summary)
    try:
        lost = lost_before(spec.datasets, files.fileset, policy)
        admit(lost, known, config.execution)
        items = _items_of(spec, files.items, lost)
        there = datasets_left(lost, (one.dataset for one in items), spec.datasets, policy)
        chosen = replace(spec, datasets=there)
        found = _compared(config, chosen, [one for one in items if one.dataset in there], folders)
        left = datasets_left(
            found.losses, (one.dataset for one in found.items), chosen.datasets, policy
        )
    except HepflowError as error:
        return SkimsForecast(StageForecast(STAGE, _WHAT, "fails", (Reason(str(error)),)))
    stage = _stage(found, files.reasons)
    again = read_lost(found.store.folders, found.store.keys) if found.makes and found.todo else ()
    if again:
        note = f"{len(again)} entry ranges that were lost are tried again"
        return SkimsForecast(stage, None, (note,), found.events)
    chosen = replace(chosen, datasets=left)
    skims, notes = _without_repeated(
        config, chosen, _planned(found, chosen, files.fileset), folders
    )
    skims = with_losses(skims, (*lost, *found.losses), spec.datasets, known)
    selected, size, guessed = _in_parts(found)
    return SkimsForecast(
        stage,
        skims,
        (*notes, *guessed),
        found.events,
        complete=found.reads_back or (found.makes and not found.todo),
        selected=selected,
        part_bytes=size,
    )


def _unknown(
    config: Config, spec: SkimSpec, files: FilesForecast, folders: OutputDirectoryManager
) -> SkimsForecast:
    """Where work items are not known: what is stored was made with this key or another."""
    keys = {name: spec.key(dataset) for name, dataset in spec.datasets.items()}
    pieces = []
    for name, key in keys.items():
        stored = stored_key(folders.get_dataset_dir(name))
        same = stored is not None and stored.digest == key.digest
        reasons = () if same else changed(stored, key)
        stamp = folders.get_dataset_dir(name) / MANIFEST
        pieces.append(Piece(name, "unknown" if same else "runs", reasons, key, stored, stamp=stamp))
    status, reasons = _switched(config) or (
        "unknown",
        (Reason("hangs on the metadata", files.stage.reasons),),
    )
    return SkimsForecast(StageForecast(STAGE, _WHAT, status, reasons, tuple(pieces)))


def _switched(config: Config) -> tuple[Status, tuple[Reason, ...]] | None:
    """Status that a switch gives; None where the stage decides."""
    if config.execution.one_pass:
        why = "execution.one_pass: events are selected while filling"
        return "left out", (Reason(why),)
    if not config.general.run_skimming:
        return "read back", (Reason("general.run_skimming is off"),)
    return None


@dataclass(frozen=True)
class _Comparison:
    """Work items against what lies in the folders."""

    config: Config
    store: Store
    items: Sequence[WorkItem]
    records: Mapping[int, PartRecord] = field(default_factory=dict)  # by position of the item
    losses: tuple[Loss, ...] = ()  # of a skim that is read back
    todo: Counter[str] = field(default_factory=Counter)  # dataset -> parts
    events: Counter[str] = field(default_factory=Counter)  # dataset -> events of these

    @property
    def makes(self) -> bool:
        """Whether parts are made that are not there."""
        return self.config.general.run_skimming and not self.config.execution.one_pass

    @property
    def reads_back(self) -> bool:
        """Whether all parts must be there."""
        return not self.config.general.run_skimming and not self.config.execution.one_pass


def _compared(
    config: Config,
    spec: SkimSpec,
    items: Sequence[WorkItem],
    folders: OutputDirectoryManager,
) -> _Comparison:
    store = Store(
        spec=spec,
        keys={name: spec.key(dataset) for name, dataset in spec.datasets.items()},
        folders={name: folders.get_dataset_dir(name) for name in spec.datasets},
        suffix=FORMATS[config.preprocess.skimming.output.format].suffix,
        reuse=config.general.read_from_cache,
        policy=config.execution.on_missing,
    )
    if config.execution.one_pass:
        events: Counter[str] = Counter()
        for item in items:
            events[item.dataset] += item.entrystop - item.entrystart
        return _Comparison(config, store, items, events=events)
    if not config.general.run_skimming:
        made = stored_parts(store, items)
        records = [made.records[store.task(item).path] for item in made.items]
        return _Comparison(config, store, made.items, dict(enumerate(records)), made.losses)
    return _looked_for(config, store, items)


def _looked_for(config: Config, store: Store, items: Sequence[WorkItem]) -> _Comparison:
    """Find the parts that need not be made, as the skim does."""
    known = known_parts(store.keys, store.folders)
    holds = {name for name, folder in store.folders.items() if store.reuse and _has_parts(folder)}
    records: dict[int, PartRecord] = {}
    todo: Counter[str] = Counter()
    events: Counter[str] = Counter()
    for number, item in enumerate(items):
        if item.dataset in holds:
            path = store.task(item).path
            record = known.get(path)
            if record is not None:
                records[number] = record
            # A worker verifies what somebody touched, or what an interrupted run left.
            if (record is not None and is_untouched(path, record)) or Path(path).exists():
                continue
        todo[item.dataset] += 1
        events[item.dataset] += item.entrystop - item.entrystart
    return _Comparison(config, store, items, records, (), todo, events)


def _in_parts(found: _Comparison) -> tuple[int, int | None, tuple[str, ...]]:
    """Events and bytes of all parts, and what is taken for granted for those to make."""
    records = list(found.records.values())
    selected, size = sum(one.n_selected for one in records), sum(one.size for one in records)
    to_read = sum(found.events.values())
    if not to_read:
        return selected, size, ()
    # What is there was made with other cuts, perhaps, but tells more than nothing.
    known = records or [one for folder in found.store.folders.values() for one in _stored(folder)]
    read, passed = (sum(one.counts.nevts for one in known), sum(one.n_selected for one in known))
    expected = selected + round(to_read * (passed / read if read else _SHARE))
    guessed = () if read else ("half of the events pass the skim",)
    if not passed:
        return expected, None, guessed
    return expected, round(sum(one.size for one in known) * expected / passed), guessed


def _stored(folder: Path) -> Sequence[PartRecord]:
    """What a manifest holds, whatever it was made with."""
    key = stored_key(folder)
    return () if key is None else read_manifest(folder, key)


def _stage(found: _Comparison, because: Mapping[str, tuple[Reason, ...]]) -> StageForecast:
    """What the stage would do."""
    totals = Counter(item.dataset for item in found.items)
    fits = {found.items[number].dataset for number in found.records}  # its manifest need not be
    stored = {  # read again, which takes long for many parts
        name: key if name in fits else stored_key(found.store.folders[name])
        for name, key in found.store.keys.items()
    }
    pieces = tuple(
        _piece(found, name, stored[name], totals[name], because.get(name, ()))
        for name in found.store.keys
    )
    todo, total = sum(found.todo.values()), len(found.items)
    switched = _switched(found.config)
    if switched is not None:
        status, reasons = switched
        return StageForecast(STAGE, _WHAT, status, reasons, pieces, f"{total} parts")
    return StageForecast(
        STAGE,
        _WHAT,
        status_of(pieces),
        tuple(_named(pieces)),
        pieces,
        count=f"{todo} of {total} parts" if todo else f"{total} parts",
        todo=todo,
        events=sum(found.events.values()),
        events_of="input",
    )


def _piece(
    found: _Comparison, name: str, stored: Key | None, total: int, because: tuple[Reason, ...]
) -> Piece:
    key = found.store.keys[name]
    todo, stamp = found.todo[name], found.store.folders[name] / MANIFEST
    if found.config.execution.one_pass:
        return Piece(name, "left out", (), key, stored, 0, total, stamp=stamp)
    if not todo:
        status: Status = "read back" if found.reads_back else "reused"
        return Piece(name, status, (), key, stored, total, total, stamp=stamp)
    status = "partly" if todo < total else "runs"
    if not found.store.reuse:
        reasons: tuple[Reason, ...] = (Reason("general.read_from_cache is off"),)
    elif stored is None or stored.digest != key.digest:
        reasons = changed(stored, key)
    elif because:
        reasons = because if because == (CHUNK_SIZE,) else (Reason("input changed", because),)
    else:
        reasons = (_why(found, name, stored, total),)
    return Piece(name, status, reasons, key, stored, total - todo, total, stamp=stamp)


def _why(found: _Comparison, name: str, stored: Key, total: int) -> Reason:
    """Why parts with the stored key are made."""
    store, folder = found.store, found.store.folders[name]
    if found.todo[name] == total:
        there = read_manifest(folder, stored)
        if there and not any(one.name.endswith(store.suffix) for one in there):
            return Reason("format of the parts changed")
    if read_lost({name: folder}, store.keys):
        return LOST_BEFORE
    return Reason("parts are new, or not there any more")


def _planned(found: _Comparison, spec: SkimSpec, fileset: Mapping[str, Any]) -> dict[str, Skim]:
    """Skims whose parts cannot be read, but have their identity."""
    common = {
        name: common_metadata(dataset, {}, fileset) for name, dataset in spec.datasets.items()
    }
    parts: dict[str, list[PlannedPart]] = {name: [] for name in spec.datasets}
    for number, item in enumerate(found.items):
        if item.dataset in parts:
            identity = item_identity(item, found.store.keys[item.dataset])
            record = found.records.get(number)
            parts[item.dataset].append(PlannedPart(item, identity, common[item.dataset], record))
    return {name: Skim(name, mine) for name, mine in parts.items()}


def _has_parts(folder: Path) -> bool:
    return folder.is_dir() and next(iter(folder.iterdir()), None) is not None


def _named(pieces: Sequence[Piece]) -> Iterator[Reason]:
    """Reasons of all datasets; one that they share stands once."""
    datasets: dict[Reason, list[str]] = {}
    for piece in pieces:
        for reason in piece.reasons:
            datasets.setdefault(reason, []).append(piece.name)
    for reason, names in datasets.items():
        shared = len(names) == len(pieces) and len(pieces) > 1
        yield reason if shared else Reason(f"{', '.join(names)}: {reason.what}", reason.because)


def _without_repeated(
    config: Config,
    spec: SkimSpec,
    skims: dict[str, Skim],
    folders: OutputDirectoryManager,
) -> tuple[dict[str, Skim], tuple[str, ...]]:
    """Skims without repeated events of data, where an earlier run looked for them."""
    cache = folders.get_cache_dir()
    if not any(map(is_compared, spec.datasets.values())):
        return skims, ()
    try:
        if (cache / "duplicates").is_dir():
            reuse = config.general.read_from_cache
            return drop_duplicates(skims, spec, NothingRuns(), cache, reuse=reuse), ()
    except (WouldRun, CorrectionError):  # the run makes the list of certified runs, or says so
        pass
    return skims, ("no event of data is repeated",)

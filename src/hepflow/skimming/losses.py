"""What of the input was lost before and in the skim, and which datasets go no further for it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hepflow.errors import InputError, StorageError
from hepflow.execution import Outcome
from hepflow.execution.failures import left_out, reason
from hepflow.execution.isolation import Isolated, Range
from hepflow.keys import Key
from hepflow.records import Dataset, Ledger, Loss, check_missing
from hepflow.records.ledger import losses_in
from hepflow.schema.execution import Execution, OnMissing
from hepflow.skimming.manifest import MADE_BY
from hepflow.skimming.parts import AnyPart
from hepflow.skimming.skim import Skim
from hepflow.skimming.spec import STAGE, SkimSpec
from hepflow.skimming.totals import Fileset
from hepflow.storage import as_record, read_json, write_json

_log = logging.getLogger(__name__)
LOST = "lost.json"  # beside the manifest, where parts were lost
Datasets = Mapping[str, Dataset]
ItemKey = tuple[str, str, int, int]


def lost_before(datasets: Datasets, fileset: Fileset, policy: OnMissing) -> tuple[Loss, ...]:
    """Losses of the metadata step.

    Raises
    ------
    InputError
        If there are some, which the policy does not admit: the file set is of an earlier run.
    """
    lost = tuple(one for one in losses_in(fileset or {}) if one.dataset in datasets)
    if lost and policy == "fail":
        raise InputError(
            f"{lost[0].file}: could not be read when the metadata was made ({lost[0].reason}), as "
            f"{len(lost)} files in all. Run the metadata step again "
            "(general.run_metadata_generation), or set execution.on_missing."
        )
    return lost


def loss_of(outcome: Outcome, metadata: Mapping[str, Any], stage: str) -> Loss:
    """Loss of an entry range that failed, from the metadata of its part."""
    return Loss(
        dataset=metadata["dataset"],
        file=metadata["file"],
        entrystart=metadata["entrystart"],
        entrystop=metadata["entrystop"],
        reason=reason(outcome),
        stage=stage,
        file_nevts=metadata.get("file_nevts"),
    )


def datasets_left(
    losses: Sequence[Loss], there: Iterable[str], datasets: Datasets, policy: OnMissing
) -> dict[str, Dataset]:
    """Datasets that go further.

    Parameters
    ----------
    there
        Dataset of each item that is left.

    Raises
    ------
    InputError
        If nothing is left of what must be there.
    """
    data = [name for name, one in datasets.items() if one.is_data]
    left = Counter(there)
    gone = left_out(losses, left, policy, data=data)
    for name in sorted(gone & left.keys()):
        _log.warning("execution.on_missing: %s is left out, as something of it was lost", name)
    return {name: one for name, one in datasets.items() if name in left and name not in gone}


def divided(
    failed: Sequence[Outcome], isolated: Sequence[Isolated], policy: OnMissing
) -> dict[ItemKey, tuple[Range, ...]]:
    """Which entry ranges stand for parts that failed: what of them works, if it goes on."""
    return {
        whole.item.work.item_key: one.to_do(policy)
        for whole, one in zip(failed, isolated, strict=True)
    }


def rearranged(
    parts: Iterable[AnyPart], pieces: Mapping[ItemKey, Sequence[Range]], spec: SkimSpec
) -> list[AnyPart]:
    """Parts in their order; those with `pieces` as parts of these entry ranges, read live."""
    found: list[AnyPart] = []
    for part in parts:
        ranges = pieces.get(part.item.item_key)
        if ranges is None:
            found.append(part)
        else:
            live = part.live(spec)
            found += [live.narrowed(start, stop) for start, stop in ranges]
    return found


def without_failed(
    skims: Mapping[str, Skim],
    failed: Iterable[Outcome],
    pieces: Mapping[ItemKey, Sequence[Range]],
    spec: SkimSpec,
    policy: OnMissing,
) -> dict[str, Skim]:
    """Skims without what failed of their parts, and of the datasets that go further."""
    lost = [loss_of(one, one.item.part.metadata, STAGE) for one in failed]
    parts = {name: rearranged(skim.parts, pieces, spec) for name, skim in skims.items()}
    there = [name for name, mine in parts.items() for _ in mine]
    datasets = {name: spec.datasets[name] for name in skims}
    left = datasets_left(lost, there, datasets, policy)
    return {
        name: Skim(
            name,
            parts[name] if name in left else (),
            (*skim.lost, *(loss for loss in lost if loss.dataset == name)),
        )
        for name, skim in skims.items()
    }


def admit(losses: Sequence[Loss], files: Ledger, execution: Execution) -> None:
    """Make sure that what was lost so far is no more than ``execution.missing_limit`` admits.

    A dataset that is left out as a whole (``drop_dataset``) needs no limit: nothing that is left
    of it is shown as if it were all.

    Raises
    ------
    IncompleteInput
        If a dataset lost more.
    """
    if losses and execution.on_missing == "rescale":
        check_missing(losses, files.file_events, execution.missing_limit)


def with_losses(
    skims: Mapping[str, Skim], losses: Iterable[Loss], datasets: Datasets, files: Ledger
) -> dict[str, Skim]:
    """Skims of all datasets that know what is missing in them; one left out has no parts.

    Parameters
    ----------
    files
        What the metadata step knows about all files.
    """
    lost: dict[str, list[Loss]] = {name: [] for name in datasets}
    for one in losses:
        lost[one.dataset].append(one)
    return {
        name: Skim(name, skims[name].parts, (*lost[name], *skims[name].lost), files.about(name))
        if name in skims
        else Skim(name, (), lost[name], files.about(name))
        for name in datasets
    }


def write_lost(
    folders: Mapping[str, Path], keys: Mapping[str, Key], losses: Sequence[Loss]
) -> None:
    """Write beside each manifest what was lost, so that a skim can be read back without it."""
    for name, folder in folders.items():
        mine = [asdict(one) for one in losses if one.dataset == name]
        if mine:
            write_json(folder / LOST, {"key": keys[name].digest, "losses": mine})
        else:
            (folder / LOST).unlink(missing_ok=True)


def read_lost(folders: Mapping[str, Path], keys: Mapping[str, Key]) -> tuple[Loss, ...]:
    """Losses of the stored skims that were made with these keys."""
    found: list[Loss] = []
    for name, folder in folders.items():
        path = folder / LOST
        try:
            stored = read_json(path, MADE_BY) if path.exists() else {}
            if stored.get("key") == keys[name].digest:
                found.extend(as_record(Loss, one, LOST) for one in stored["losses"])
        except (StorageError, AttributeError, KeyError, TypeError) as error:
            _log.warning("skim: %s is not used: %s", path, error)
    return tuple(found)

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
from hepflow.keys import Key
from hepflow.records import Dataset, Loss
from hepflow.records.ledger import losses_in
from hepflow.schema.execution import OnMissing
from hepflow.skimming.manifest import MADE_BY
from hepflow.skimming.skim import Skim
from hepflow.skimming.spec import STAGE
from hepflow.skimming.totals import Fileset
from hepflow.storage import read_json, write_json

_log = logging.getLogger(__name__)
LOST = "lost.json"  # beside the manifest, where parts were lost
Datasets = Mapping[str, Dataset]


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


def without_failed(
    skims: Mapping[str, Skim], failed: Iterable[Outcome], datasets: Datasets, policy: OnMissing
) -> dict[str, Skim]:
    """Skims without the parts that failed, and of the datasets that go further."""
    lost = {one.item.part.identity: loss_of(one, one.item.part.metadata, STAGE) for one in failed}
    parts = {
        name: [part for part in skim.parts if part.identity not in lost]
        for name, skim in skims.items()
    }
    there = [name for name, mine in parts.items() for _ in mine]
    left = datasets_left(list(lost.values()), there, datasets, policy)
    return {
        name: Skim(
            name,
            parts[name] if name in left else (),
            (*skim.lost, *(loss for loss in lost.values() if loss.dataset == name)),
        )
        for name, skim in skims.items()
    }


def with_losses(
    skims: Mapping[str, Skim], losses: Iterable[Loss], datasets: Datasets
) -> dict[str, Skim]:
    """Skims of all datasets that know what is missing in them; one left out has no parts."""
    lost: dict[str, list[Loss]] = {name: [] for name in datasets}
    for one in losses:
        lost[one.dataset].append(one)
    return {
        name: Skim(name, skims[name].parts, (*lost[name], *skims[name].lost))
        if name in skims
        else Skim(name, (), lost[name])
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
                found.extend(Loss(**one) for one in stored["losses"])
        except (StorageError, AttributeError, KeyError, TypeError) as error:
            _log.warning("skim: %s is not used: %s", path, error)
    return tuple(found)

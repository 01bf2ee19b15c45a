"""Which events of data count at all: only such an event can be the first of repeated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.errors import InputError
from hepflow.events import EVENT, EVENT_ID
from hepflow.functors import mask_of
from hepflow.keys import make_key
from hepflow.lumi_mask import certified, digest_of_list, load_certified
from hepflow.records import WHERE_KNOWN, Dataset
from hepflow.remote import shown
from hepflow.schema import Functor

if TYPE_CHECKING:
    from hepflow.skimming.parts import AnyPart
    from hepflow.skimming.spec import SkimSpec

Ids = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]
Integers = np.ndarray[Any, np.dtype[np.int64]]
Columns = Sequence[tuple[str, str | None]]


@dataclass(frozen=True)
class Counting:
    """What a dataset asks of its events before they count. Runs on workers."""

    keep: Functor | None = None
    certified: tuple[str, str] | None = None  # list of certified runs, and its SHA-256
    required: bool = True  # whether every file must number its events
    digest: str = ""  # of all that

    @classmethod
    def of(cls, spec: SkimSpec, dataset: Dataset) -> Counting:
        """What a dataset asks, as files are today.

        Raises
        ------
        CorrectionError
            If there is no such list of certified runs.
        """
        keep, file = spec.keeps.get(dataset.key), dataset.lumi_mask
        certified = None if file is None else (file, digest_of_list(file))
        key = make_key(
            "duplicates",
            mode=dataset.duplicates,
            keep=None if keep is None else (keep.function, keep.use),
            certified=None if certified is None else certified[1],
        )
        return cls(keep, certified, dataset.duplicates != WHERE_KNOWN, key.digest)

    @property
    def use(self) -> Columns:
        """Columns that are read beside run, luminosity block and event number."""
        return () if self.keep is None else tuple(self.keep.use)


@dataclass(frozen=True)
class CountedIds:
    """Run, luminosity block and event number of the events of a part that count."""

    ids: Ids
    rows: Integers | None = None  # of these events in the part; None where all count
    known: bool = True  # False where the file does not number its events, and need not

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.ids[0])

    def in_part(self, positions: Integers) -> Integers:
        """Rows of the part, of positions among the events that count."""
        return positions if self.rows is None else self.rows[positions]


def counted_ids(part: AnyPart, counting: Counting) -> CountedIds:
    """Read the numbers of those events of a part that count. Runs on workers.

    Raises
    ------
    InputError
        If they are not in the file, though they must be.
    UserFunctionError
        If what the dataset keeps cannot be told.
    """
    events = part.numbered(counting.use)
    missing = [name for name in EVENT_ID if name not in events.fields]
    if missing and counting.required:
        raise missing_ids(part.item.filename, missing)
    if missing:
        none = np.zeros(0, np.uint64)
        return CountedIds((none, none, none), known=False)
    run, block, event = (np.asarray(events[name]) for name in EVENT_ID)
    masks = [] if counting.keep is None else [mask_of(counting.keep, events)]
    if counting.certified is not None:
        masks.append(certified(run, block, load_certified(*counting.certified)))
    counts = np.logical_and.reduce(masks) if masks else np.ones(len(run), np.bool_)
    if counts.all():
        return CountedIds((run, block, event))
    return CountedIds((run[counts], block[counts], event[counts]), np.flatnonzero(counts))


def missing_ids(where: str, missing: Sequence[str]) -> InputError:
    """Error of a file whose events cannot be told apart."""
    return InputError(
        f"{shown(where)}: has no {', '.join(missing)}, by which repeated events of data are told. "
        "Set datasets.datasets[].duplicates to keep, which does not look for them."
    )


def stored_columns(use: Columns) -> list[str] | None:
    """Names of numbers of events and of columns in a part (``Muon.pt``); None for all columns."""
    if (EVENT, None) in use:
        return None
    names = [
        (field or "") if group == EVENT else group if field is None else f"{group}.{field}"
        for group, field in use
    ]
    return list(dict.fromkeys([*EVENT_ID, *names]))

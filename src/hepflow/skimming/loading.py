"""Parts that are loaded together: what adjoins is read at once, what is alike is one array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hepflow.records import WorkItem
from hepflow.skimming.late import Choose, Late
from hepflow.skimming.parts import AnyPart, LivePart, as_read
from hepflow.skimming.select import select_adjoining


@dataclass(frozen=True)
class Loaded:
    """Events of some parts, one part after the other, all with the same columns."""

    positions: tuple[int, ...]  # of the parts among those that were asked for
    events: Any  # record array
    metadata: tuple[Mapping[str, Any], ...]  # of each part
    lengths: tuple[int, ...]  # events of each part
    late: Late | None = None  # objects that the events do not have yet


def load_parts(
    parts: Sequence[AnyPart], *, apart: bool = False, choose: Choose | None = None
) -> list[Loaded]:
    """Load parts of a dataset, and put together those with the same columns.

    Parameters
    ----------
    apart
        Whether each part stays by itself.
    choose
        Which objects of the events may be read later; they are if the parts follow one another.

    Raises
    ------
    HepflowError
        As `load` of one of the parts; which one is not told.
    """
    if apart:
        return [_one(i, part) for i, part in enumerate(parts)]
    alike: dict[str, list[Loaded]] = {}
    runs = list(_runs(parts))
    if choose is not None and len(runs) == 1 and _is_plain(parts[0]):
        return [_adjoining(runs[0], parts, choose)]
    for positions in runs:
        one = _one(positions[0], parts[positions[0]]) if len(positions) == 1 else None
        one = one or _adjoining(positions, [parts[i] for i in positions])
        alike.setdefault(str(one.events.layout.form), []).append(one)  # files differ in types
    return [_joined(group) for group in alike.values()]


def _one(position: int, part: AnyPart) -> Loaded:
    events, metadata = part.load()
    return Loaded((position,), events, (metadata,), (len(events),))


def _adjoining(
    positions: Sequence[int], parts: Sequence[AnyPart], choose: Choose | None = None
) -> Loaded:
    """Read parts that follow one another as one entry range."""
    live = [part for part in parts if isinstance(part, LivePart)]
    spec, items = live[0].spec, [part.item for part in live]
    dataset = spec.datasets[items[0].dataset]
    events, counts, lengths, late = select_adjoining(spec, dataset, items, choose)
    metadata = [part.counted(own) for part, own in zip(live, counts, strict=True)]
    return Loaded(tuple(positions), as_read(events), tuple(metadata), tuple(lengths), late)


def _runs(parts: Sequence[AnyPart]) -> Iterator[list[int]]:
    """Positions of parts that can be read as one entry range."""
    run: list[int] = []
    for i, part in enumerate(parts):
        if run and not _follows(parts[i - 1], part):
            yield run
            run = []
        run.append(i)
    if run:
        yield run


def _follows(before: AnyPart, part: AnyPart) -> bool:
    """Whether a part begins where another one ends, both are read live, and nothing is special."""
    if not (isinstance(before, LivePart) and isinstance(part, LivePart)):
        return False
    plain = _is_plain(before) and _is_plain(part)
    return before.spec is part.spec and plain and _adjoin(before.item, part.item)


def _is_plain(part: AnyPart) -> bool:
    """Whether a part is read live, all of its events are wanted, and it has no theory weights."""
    if not isinstance(part, LivePart) or part.drop:
        return False
    return not part.spec.theory_of(part.spec.datasets[part.item.dataset])


def _adjoin(before: WorkItem, item: WorkItem) -> bool:
    files = {(one.dataset, one.filename, one.treename, one.fileuuid) for one in (before, item)}
    return before.entrystop == item.entrystart and len(files) == 1


def _joined(group: Sequence[Loaded]) -> Loaded:
    import awkward as ak

    if len(group) == 1:
        return group[0]
    return Loaded(
        tuple(i for one in group for i in one.positions),
        ak.concatenate([one.events for one in group]),
        tuple(known for one in group for known in one.metadata),
        tuple(n for one in group for n in one.lengths),
    )

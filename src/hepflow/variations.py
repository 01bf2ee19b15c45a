"""Apply object corrections and their variations to events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hepflow.corrections import (
    VALUES,
    Choice,
    acts_nominally,
    correction_values,
    inputs_of,
    random_of,
    sources_of,
    uncorrected,
    wants_random,
    with_file_index,
)
from hepflow.errors import UserFunctionError
from hepflow.events import (
    EVENT,
    columns_of,
    replace_object,
)
from hepflow.functors import call_on, naming
from hepflow.object_changes import change_target
from hepflow.records import Dataset, Variation
from hepflow.returned import numbers_of
from hepflow.schema import Correction, Systematic
from hepflow.sources import applies

Function = Callable[..., Any]
EVERYTHING = ""  # read by what takes the events as a whole
Digests = Mapping[str, str]  # correction file -> sha256


def correct_objects(
    events: Any,
    corrections: Sequence[Correction],
    systematics: Sequence[Systematic],
    variation: Variation,
    dataset: Dataset,
    digests: Digests,
) -> Any:
    """Events with all object corrections, one of them varied where `variation` says so.

    Does what `correct_each` does for one variation.
    """
    return correct_each(events, corrections, systematics, (variation,), dataset, digests)[0]


def correct_each(  # noqa: PLR0913 - each is a setting of its own
    events: Any,
    corrections: Sequence[Correction],
    systematics: Sequence[Systematic],
    shifts: Sequence[Variation],
    dataset: Dataset,
    digests: Digests,
    *,
    unsorted: Collection[str] = (),
) -> list[Any]:
    """Events with all object corrections, once for nominal or each object variation of `shifts`.

    Each starts from the uncorrected `events`, which stay as they are; what comes before anything
    is varied is done once. `corrections` and `systematics` are those of the dataset's year.

    Objects of `unsorted` are left unsorted by the last change of a shift, if it sorts them; see
    `sorts_last`.
    """
    events = with_file_index(events, with_random_numbers(corrections, systematics, dataset))
    chain = [
        _Link(one, place_of(one, f"corrections[{i}]"), digests.get(one.file or "", ""))
        for i, one in enumerate(corrections)
        if one.type == "object" and applies(one.applies_to, dataset)
    ]
    nominal = _Nominal(events, chain)
    found = []
    for shift in shifts:
        own = _own_changes(systematics, shift)
        state = _varied(nominal, shift, () if own else unsorted)
        for i, source in own.items():
            where = place_of(source, f"systematics[{i}]")
            value = systematic_value(source, shift, state, where)
            sort = i != max(own) or (source.target or ("",))[0] not in unsorted
            with naming(varied_function(source, shift)):
                state = change_target(state, source, value, where, sort=sort)
        found.append(state)
    return found


def _own_changes(systematics: Sequence[Systematic], shift: Variation) -> dict[int, Systematic]:
    """Sources of an object variation that do not come with a correction, by their position."""
    return {
        i: one
        for i, one in enumerate(systematics)
        if one.type == "object" and one.name == shift.source
    }


def sorts_last(
    corrections: Sequence[Correction],
    systematics: Sequence[Systematic],
    shift: Variation,
    dataset: Dataset,
) -> str | None:
    """Object whose order by pt is the last that `correct_each` makes for a variation.

    None where something follows that could see the order, or nothing is sorted at the end.
    """
    own = list(_own_changes(systematics, shift).values())
    chain = [
        one for one in corrections if one.type == "object" and applies(one.applies_to, dataset)
    ]
    last: Correction | Systematic | None = own[-1] if own else next(reversed(chain), None)
    if last is None or last.op == "add_vector" or last.target is None or last.target[1] != "pt":
        return None
    if isinstance(last, Correction) and shift.source not in sources_of(last):
        return None
    return last.target[0]


@dataclass(frozen=True)
class _Link:
    """One of the object corrections of a dataset."""

    correction: Correction
    where: str
    digest: str

    def applied(self, events: Any, choice: Choice, *, sort: bool = True) -> Any:
        """Events with this correction."""
        one = self.correction
        if choice.source is None and not acts_nominally(one):
            return events
        raw = uncorrected(events, one, self.where)
        value = correction_values(one, self.digest, raw, choice, self.where)
        return change_target(events, one, value, self.where, raw, sort=sort)


class _Nominal:
    """Events after each of the nominal corrections, as far as they are asked for."""

    def __init__(self, events: Any, chain: Sequence[_Link]) -> None:
        self.chain = chain
        self._states = [events]

    def before(self, position: int) -> Any:
        """Events before the correction at a position; behind the last one, after all."""
        while len(self._states) <= position:
            link = self.chain[len(self._states) - 1]
            self._states.append(link.applied(self._states[-1], Choice()))
        return self._states[position]


def _varied(nominal: _Nominal, shift: Variation, unsorted: Collection[str] = ()) -> Any:
    """Events with all object corrections, those that have the source of `shift` varied."""
    varied = [shift.source in sources_of(link.correction) for link in nominal.chain]
    first = varied.index(True) if any(varied) else len(varied)
    events = nominal.before(first)
    for i in range(first, len(varied)):
        link = nominal.chain[i]
        before = nominal.before(i)
        if varied[i]:
            name = (link.correction.target or ("",))[0]
            sort = i + 1 < len(varied) or name not in unsorted
            events = link.applied(events, Choice(shift.source, shift.direction), sort=sort)
        else:
            changes = changed_fields(before, nominal.before(i + 1))
            reads = objects_read(link.correction)
            apart = reads.union(changes).isdisjoint(changed_fields(before, events))
            if apart and EVERYTHING not in reads:  # it acts as it does nominally
                for name in changes:
                    events = replace_object(events, name, nominal.before(i + 1)[name])
            else:
                events = link.applied(events, Choice())
    return events


def changed_fields(before: Any, after: Any) -> set[str]:
    """Fields of an event record that are not the same arrays in another one."""
    old, new = columns_of(before.layout), columns_of(after.layout)
    return {name for name in new if old.get(name) is not new[name]}


def objects_read(change: Correction | Systematic) -> set[str]:
    """Objects, and branches without one, from which the value of a correction or source follows."""
    columns = columns_read(change)
    return {(field or EVERYTHING) if name == EVENT else name for name, field in columns}


def columns_read(one: Correction | Systematic) -> tuple[tuple[str, str | None], ...]:
    """Columns from which the value of a correction or a source follows."""
    given = (one.args or one.use) if isinstance(one, Correction) else one.use
    columns = tuple(column for column in given if isinstance(column, tuple))
    return (*columns, *_smeared_by(one)) if isinstance(one, Correction) else columns


def _smeared_by(one: Correction) -> Iterator[tuple[str, str | None]]:
    """Columns that smearing reads, of the objects and of the generated ones."""
    if one.smearing is None:
        return
    yield from one.smearing.use
    name = (one.target or (EVENT, None))[0]
    for objects in (name, one.smearing.generated):
        if objects is not None:
            yield from ((objects, field) for field in ("pt", "eta", "phi"))
    if one.smearing.index is not None:
        yield (name, one.smearing.index)


def with_random_numbers(
    corrections: Sequence[Correction], systematics: Sequence[Systematic], dataset: Dataset
) -> set[str]:
    """Collections whose random numbers something on this dataset reads."""
    used = [random_of(one) for one in corrections if applies(one.applies_to, dataset)]
    used += [wants_random(s.use) for s in systematics if applies(s.processes, dataset)]
    return set().union(*used)


def place_of(entry: Correction | Systematic, default: str) -> str:
    """Where an entry stands in its configuration, with its name."""
    return f"{entry.path or default} ({entry.name})"


def systematic_value(source: Systematic, variation: Variation, events: Any, where: str) -> Any:
    """Value of a source that does not come with a correction.

    Raises
    ------
    UserFunctionError
        If a configured function raises, or does not return numbers.
    """
    function = varied_function(source, variation)
    arguments = inputs_of(events, source.use, source.name, where)
    transform = source.transform
    if transform is not None:
        result = call_on(transform, arguments, where)
        arguments = list(result) if isinstance(result, (tuple, list)) else [result]
    result = call_on(function, arguments, where)
    if source.op == "add_vector":  # a pair, which is looked at where it is added
        return result
    with naming(function):
        return numbers_of(result, where, VALUES)


def varied_function(source: Systematic, variation: Variation) -> Function:
    """Function of a source for the direction of a variation."""
    function = source.up_function if variation.direction == "up" else source.down_function
    if function is None:  # a side without a function is no variation
        raise UserFunctionError(f"source {source.name!r} has no {variation.direction}_function.")
    return function

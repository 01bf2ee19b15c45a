"""What to do when items failed: raise once, with all of them named, or go on without them."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from hepflow.errors import ExecutionError, HepflowError, InputError, StorageError
from hepflow.execution.outcome import Outcome
from hepflow.failed import how_to_replay, keep_failed
from hepflow.records import Loss
from hepflow.remote import shown
from hepflow.schema.execution import OnMissing

_log = logging.getLogger(__name__)
_GOES_ON = {
    "rescale": "the run goes on without them",
    "drop_dataset": "their datasets are left out",
}
_SHOWN = 5
# Numbers that stand alone; those in paths and names tell one file from another.
_NUMBER = re.compile(r"(?<![\w/.])-?\d[\d.,]*(?!\w)")


def separated(outcomes: Iterable[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Wait for outcomes; those with a value and those that failed, each in order of completion."""
    done: list[Outcome] = []
    failed: list[Outcome] = []
    for outcome in outcomes:
        (done if outcome.ok else failed).append(outcome)
    return done, failed


def raise_failures(failed: Sequence[Outcome], doing: str, *, of: int) -> None:
    """Raise one error for all failed items; do nothing where none failed.

    Parameters
    ----------
    failed
        Outcomes with an error.
    doing
        What was being done: ``"skimming"``.
    of
        How many items there were.

    Raises
    ------
    HepflowError
        The nearest class that the items' errors share. What finished is kept by the caller.
    """
    if not failed:
        return
    kind, told = _told(failed, doing, of)
    kept = of - len(failed)
    tail = f"\n{kept} of {of} finished and are kept; the next run goes on from there."
    raise kind(told + (tail if kept else "") + _command(failed))


def settle(
    failed: Sequence[Outcome], doing: str, *, of: int, policy: OnMissing
) -> tuple[Outcome, ...]:
    """Judge failed items by ``execution.on_missing``.

    Parameters
    ----------
    failed
        Outcomes with an error.
    doing
        What was being done: ``"skimming"``.
    of
        How many items there were.
    policy
        ``fail`` raises; the others warn once, unless nothing is left.

    Returns
    -------
    tuple of Outcome
        Those that the run goes on without, in the order of the items.

    Raises
    ------
    HepflowError
        With the policy ``fail``; with the others where every item failed, or where one failed
        because results could not be stored or are damaged: that is no loss of input.
    """
    if not failed:
        return ()
    if policy == "fail" or len(failed) == of or any(map(_of_storage, failed)):
        raise_failures(failed, doing, of=of)
    _, told = _told(failed, doing, of)
    on = _GOES_ON[policy]
    _log.warning("%s\nexecution.on_missing is %r: %s.%s", told, policy, on, _command(failed))
    return tuple(sorted(failed, key=lambda one: one.index))


def reason(outcome: Outcome) -> str:
    """Why an item failed, on one line."""
    return "" if outcome.error is None else " ".join(_text(outcome.error.to_error()).split())


def left_out(
    losses: Iterable[Loss], left: Mapping[str, int], policy: OnMissing, *, data: Collection[str]
) -> frozenset[str]:
    """Datasets that go no further, as something of them was lost.

    Parameters
    ----------
    losses
        What was lost so far.
    left
        Items that are left, by dataset; without an entry there is none.
    policy
        With ``drop_dataset`` these are all that lost something.
    data
        Datasets of collision data: these may have nothing left, and are incomplete then.

    Raises
    ------
    InputError
        If nothing is left of a dataset of simulation that is to be rescaled, or nothing at all.
    """
    hit = {loss.dataset for loss in losses}
    gone = {name for name in hit if not left.get(name)}
    if policy == "drop_dataset":
        gone = hit
    elif gone - set(data):
        raise InputError(
            f"nothing of {', '.join(sorted(gone - set(data)))} could be processed, so that there "
            "is nothing to scale to its cross-section (execution.on_missing is 'rescale'). Repair "
            "its input, or set execution.on_missing to drop_dataset."
        )
    if hit and not any(count for name, count in left.items() if name not in gone):
        raise InputError(
            f"execution.on_missing is {policy!r}, and nothing is left: {', '.join(sorted(hit))} "
            "could not be processed completely. Repair their input."
        )
    return frozenset(gone)


def _of_storage(outcome: Outcome) -> bool:
    return outcome.error is not None and isinstance(outcome.error.to_error(), StorageError)


def _command(failed: Sequence[Outcome]) -> str:
    """Keep a record of what failed; the command that does the first again, with a line break."""
    ordered: list[Outcome] = sorted(failed, key=lambda one: one.index)
    return how_to_replay(keep_failed(ordered))


def _told(failed: Sequence[Outcome], doing: str, of: int) -> tuple[type[HepflowError], str]:
    """Nearest class of the errors, and a text that names all of them."""
    alike: dict[str, list[tuple[Outcome, HepflowError]]] = {}
    for outcome in sorted(failed, key=lambda one: one.index):
        if outcome.error is not None:
            error = outcome.error.to_error()
            alike.setdefault(_NUMBER.sub("#", _text(error)), []).append((outcome, error))
    lines = [_line(group) for group in alike.values()]
    more = f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    shown = "".join(f"\n  {line}" for line in lines[:_SHOWN])
    kind = _shared_class([error for group in alike.values() for _, error in group])
    return kind, f"{doing}: {len(failed)} of {of} failed.{shown}{more}"


def _line(group: Sequence[tuple[Outcome, HepflowError]]) -> str:
    """One line for items that failed alike but for numbers: the first, and how many."""
    outcome, error = group[0]
    text, label = _text(error), shown(getattr(outcome.item, "label", ""))
    where = [label] if label and shown(getattr(outcome.item, "file", label)) not in text else []
    others = [f"{len(group) - 1} more like it"] if len(group) > 1 else []
    inside = ", ".join([*where, *others])
    return f"{text} [{inside}]" if inside else text


def _shared_class(errors: Sequence[HepflowError]) -> type[HepflowError]:
    """Nearest class of all errors; `ExecutionError` where they share but the root."""
    for kind in type(errors[0]).__mro__:
        if all(isinstance(error, kind) for error in errors):
            return ExecutionError if kind is HepflowError else kind
    return ExecutionError


def _text(error: Exception) -> str:
    return " ".join((str(error), *getattr(error, "__notes__", ())))

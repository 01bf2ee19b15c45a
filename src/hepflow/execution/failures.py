"""What to raise when items failed: once, with all of them named."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hepflow.errors import ExecutionError, HepflowError
from hepflow.execution.outcome import Outcome

_SHOWN = 5
# Numbers that stand alone; those in paths and names tell one file from another.
_NUMBER = re.compile(r"(?<![\w/.])-?\d[\d.,]*(?!\w)")


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
    alike: dict[str, list[tuple[Outcome, HepflowError]]] = {}
    for outcome in sorted(failed, key=lambda one: one.index):
        if outcome.error is not None:
            error = outcome.error.to_error()
            alike.setdefault(_NUMBER.sub("#", _text(error)), []).append((outcome, error))
    lines = [_line(group) for group in alike.values()]
    more = f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    shown = "".join(f"\n  {line}" for line in lines[:_SHOWN])
    kept = of - len(failed)
    tail = f"\n{kept} of {of} finished and are kept; the next run goes on from there."
    kind = _shared_class([error for group in alike.values() for _, error in group])
    raise kind(f"{doing}: {len(failed)} of {of} failed.{shown}{more}{tail if kept else ''}")


def _line(group: Sequence[tuple[Outcome, HepflowError]]) -> str:
    """One line for items that failed alike but for numbers: the first, and how many."""
    outcome, error = group[0]
    text, label = _text(error), getattr(outcome.item, "label", "")
    where = [label] if label and getattr(outcome.item, "file", label) not in text else []
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

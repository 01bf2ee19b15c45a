"""What to raise when items failed: once, with all of them named."""

from __future__ import annotations

from collections.abc import Sequence

from hepflow.errors import ExecutionError
from hepflow.execution.outcome import Outcome

_SHOWN = 5


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
        The items' own class where they share one, else `ExecutionError`. What finished is
        kept by the caller.
    """
    if not failed:
        return
    ordered = sorted(failed, key=lambda outcome: outcome.index)
    errors = [outcome.error.to_error() for outcome in ordered if outcome.error is not None]
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 else ExecutionError
    texts = list(dict.fromkeys(_text(error) for error in errors))
    more = f"\n  and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    lines = "".join(f"\n  {text}" for text in texts[:_SHOWN])
    kept = of - len(ordered)
    tail = f"\n{kept} of {of} finished and are kept; the next run goes on from there."
    raise kind(f"{doing}: {len(ordered)} of {of} failed.{lines}{more}{tail if kept else ''}")


def _text(error: Exception) -> str:
    return "; ".join((str(error), *getattr(error, "__notes__", ())))

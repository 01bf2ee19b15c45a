"""How much of a dataset may be missing before what is left does not stand for it any more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from hepflow.errors import IncompleteInput
from hepflow.records.accounts import Account, account_of
from hepflow.records.parts import Loss

_SHOWN = 3


def check_missing(
    losses: Iterable[Loss], sizes: Mapping[str, Mapping[str, int]], limit: float
) -> None:
    """Make sure that no dataset lost more of its events than the limit admits.

    What was not asked for (``max_files``) counts neither as lost nor as expected.

    Parameters
    ----------
    losses
        All of the run so far.
    sizes
        Dataset -> file -> events, of all files that were asked for and could be opened (losses
        say that of their own). A file that could not counts as many events as these on average.
    limit
        ``execution.missing_limit``: admitted fraction of the events of a dataset.

    Raises
    ------
    IncompleteInput
        If a dataset lost more; it names all of these.
    """
    by_dataset: dict[str, list[Loss]] = {}
    for loss in losses:
        by_dataset.setdefault(loss.dataset, []).append(loss)
    over = [
        (account, fraction, mine)
        for name, mine in sorted(by_dataset.items())
        for account in [account_of(name, (), mine, _sizes(mine, sizes.get(name, {})), {}, 0)]
        for fraction in [lost_fraction(account)]
        if fraction > limit
    ]
    if over:
        raise IncompleteInput(_told(over, limit))


def _sizes(losses: Iterable[Loss], known: Mapping[str, int]) -> dict[str, int]:
    told = {one.file: one.file_nevts for one in losses if one.file_nevts is not None}
    return {**told, **known}


def lost_fraction(account: Account) -> float:
    """Lost part of the events that were asked for, while nothing has been processed yet.

    Files count instead of events where no file could be opened, or all that could are empty.
    """
    lost, expected = account.lost_estimate, account.expected_estimate
    if lost is None or not expected:
        return account.failed_unopened / account.files_expected
    return lost / expected


def _told(over: list[tuple[Account, float, list[Loss]]], limit: float) -> str:
    lines = [
        f"\n  {account.dataset}: {_percent(fraction, limit)} is lost: {_what(account)}"
        + "".join(f"\n    {_where(one)}{one.reason} [{one.stage}]" for one in mine[:_SHOWN])
        + (f"\n    and {len(mine) - _SHOWN} more" if len(mine) > _SHOWN else "")
        for account, fraction, mine in over
    ]
    needed = math.ceil(1000 * max(fraction for _, fraction, _ in over)) / 1000
    return (
        f"more is lost than execution.missing_limit admits ({100 * limit:g} % of the events of a "
        f"dataset).{''.join(lines)}\nMend this input and run again: what finished is kept. If what "
        f"is left is enough, set execution.missing_limit to {needed:g} or more; with "
        "execution.on_missing 'drop_dataset' such datasets are left out as a whole."
    )


def _where(loss: Loss) -> str:
    """File and entry range, unless the reason says it all."""
    said = loss.file in loss.reason and loss.place == loss.file
    return "" if said else f"{loss.place}: "


def _what(account: Account) -> str:
    """Files and events that were lost.

    Examples
    --------
    >>> _what(account_of("a", (), [Loss("a", "f", 0, 4, "", "skim", 10)], {"f": 10}, {}, 0))
    '4 of 10 events'
    """
    found = []
    if account.failed_unopened:
        found.append(
            f"{account.failed_unopened:,} of {account.files_expected:,} files cannot be read"
        )
    if account.events_failed:
        of = f"{account.events_failed:,} of {account.events_expected:,} events"
        found.append(f"{of} of the others" if found else of)
    return ", ".join(found)


def _percent(fraction: float, limit: float) -> str:
    """Percentage with as many digits as tell it from the limit."""
    digits = 3
    while float(f"{fraction:.{digits}g}") <= limit:  # 17 digits are exact
        digits += 1
    return f"{100 * fraction:.{digits}g} %"

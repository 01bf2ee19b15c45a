"""Keep a record of what fails, where a run asks for it."""

from __future__ import annotations

import contextlib
import contextvars
import datetime as dt
import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from hepflow.errors import StorageError
from hepflow.failed.command import nearby, replay_command
from hepflow.failed.reading import records_in, to_json
from hepflow.failed.record import FailedError, FailedItem, Invocation, plain_text
from hepflow.records import WorkItem
from hepflow.remote import identity, is_remote
from hepflow.storage import safe_join, write_json
from hepflow.storage.atomic import storage_errors

_log = logging.getLogger(__name__)
MOST: Final = 50  # records of one stage
_ELSEWHERE: Final = {"dataset", "file", "entrystart", "entrystop"}  # stand in the record itself


@runtime_checkable
class Replayable(Protocol):
    """Item of a stage that can be done again by itself."""

    @property
    def stage(self) -> str:
        """One of `STAGES`."""
        ...

    @property
    def work(self) -> WorkItem:
        """The entry range; 0 to 0 where the work is on a whole file."""
        ...


class FailedOutcome(Protocol):
    """What became of an item, as `hepflow.execution` has it."""

    @property
    def item(self) -> Any:
        """What was worked on."""
        ...

    @property
    def error(self) -> Any:
        """Type, message, notes and traceback as text; None where it did not fail."""
        ...


@dataclass
class _Log:
    folder: Path
    invocation: Invocation | None
    kept: dict[str, set[Path]] = field(default_factory=dict)  # by stage


_current: contextvars.ContextVar[_Log | None] = contextvars.ContextVar(
    "what failed in this run", default=None
)


@contextlib.contextmanager
def failure_log(folder: str | Path, invocation: Invocation | None = None) -> Iterator[None]:
    """Have `keep_failed` keep records in a folder; those of an earlier run go away.

    Parameters
    ----------
    folder
        ``logs/failed`` of the run.
    invocation
        The command that started the run; None where it was started from Python.

    Raises
    ------
    StorageError
        If a record of an earlier run cannot be removed.
    """
    log = _Log(Path(folder), invocation)
    for path in records_in(log.folder):
        with storage_errors(path, "remove"):
            path.unlink(missing_ok=True)
    token = _current.set(log)
    try:
        yield
    finally:
        _current.reset(token)


def keep_failed(outcomes: Iterable[FailedOutcome]) -> list[Path]:
    """Keep a record of each item that failed for good, at most `MOST` of a stage.

    Outside of a `failure_log`, and for items that cannot be done again by themselves, nothing
    is kept.

    Parameters
    ----------
    outcomes
        With an error each.

    Returns
    -------
    list of Path
        The records, in the order of the outcomes.
    """
    log = _current.get()
    found = [one for one in outcomes if one.error is not None and isinstance(one.item, Replayable)]
    if log is None or not found:
        return []
    paths = [_keep(log, _record_of(one, log.invocation)) for one in found]
    kept = [path for path in paths if path is not None]
    if len(kept) < len(paths):
        _log.warning("%s: %d of %d have no record", log.folder, len(paths) - len(kept), len(paths))
    return kept


def _keep(log: _Log, failed: FailedItem) -> Path | None:
    """Write one record; None where there are enough, or it cannot be written."""
    mine = log.kept.setdefault(failed.stage, set())
    path = safe_join(log.folder, failed.name)
    if path not in mine and len(mine) >= MOST:
        return None
    try:
        write_json(path, to_json(failed), sort_keys=False)
    except (StorageError, ValueError) as error:  # what failed is told in any case
        _log.warning("no record of what failed in %s: %s", failed.dataset, error)
        return None
    mine.add(path)
    return path


def _record_of(outcome: FailedOutcome, invocation: Invocation | None) -> FailedItem:
    item: Replayable = outcome.item
    work = item.work
    known = {name: value for name, value in work.usermeta.items() if name not in _ELSEWHERE}
    return FailedItem(
        stage=item.stage,
        dataset=work.dataset,
        file=identity(work.filename) if is_remote(work.filename) else work.filename,
        treename=work.treename,
        entrystart=work.entrystart,
        entrystop=work.entrystop,
        fileuuid=work.fileuuid,
        error=FailedError.of(outcome.error),
        when=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        usermeta=_plain(known),
        invocation=invocation,
    )


def _plain(value: Any) -> Any:
    """The same without credentials in its texts."""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, Mapping):
        return {plain_text(str(name)): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def how_to_replay(paths: Sequence[Path]) -> str:
    """End of a message: the command that does the first of these again; nothing for none."""
    log = _current.get()
    if log is None or not paths:
        return ""
    command = replay_command(paths[0], log.invocation)
    which, more = "it", ""
    if len(paths) > 1:
        folder = shlex.quote(str(nearby(log.folder.parent.parent)))
        which, more = "one of them", f"\n`hepflow replay {folder}` lists all {len(paths)}."
    return f"\nTo run {which} again by itself (--pdb opens the debugger):\n  {command}{more}"

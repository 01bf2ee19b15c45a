"""Progress of long steps: a bar on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from hepflow.logging.console import SHOWN_ALREADY, log_console, on_terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_log = logging.getLogger(__name__)

LINE_INTERVAL: Final = 10.0  # [s] between log lines where there is no terminal
BRIEF: Final = 1.0  # [s] steps that last less are not worth a line in a notebook


def progress(label: str, total: int | None = None) -> Task:
    """Return a context manager that shows how far a step is.

    On a terminal it is a bar with rate, elapsed and remaining time. Elsewhere it is a log line
    at level INFO at most every ten seconds, and one at the end; a notebook shows these lines
    also where logging is not set up. Steps may be nested and advanced from several threads.

    Parameters
    ----------
    label : str
        What is done, such as ``"skimming"``.
    total : int, optional
        How many items there are; can be set later.

    Examples
    --------
    >>> with progress("reading", total=2) as task:
    ...     for name in ("a.root", "b.root"):
    ...         task.note(name)
    ...         task.advance()
    >>> task.done
    2
    """
    return Task(label, total)


class Task:
    """One step under way; made by `progress`."""

    def __init__(self, label: str, total: int | None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._note = ""
        self._lock = threading.Lock()
        self._bar: _Bar | None = None
        self._begin = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        """Begin: the clock starts here."""
        self._begin = self._last_line = time.monotonic()
        if on_terminal():
            self._bar = _bars.add(self.label, self.total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End: the last line says how far it got."""
        on_bar = self._bar is not None
        if self._bar is not None:
            _bars.finish(self._bar)
            self._bar = None
        how = "finished" if kind is None else f"stopped by {kind.__name__}"
        self._say(f"{self.label} {how}: {self._state()}", shown=on_bar)

    def advance(self, n: int = 1) -> None:
        """Count `n` more items as done."""
        with self._lock:
            self.done += n
        self._show()

    def set_total(self, n: int) -> None:
        """Say how many items there are, once it is known."""
        with self._lock:
            self.total = n
        self._show()

    def note(self, text: str) -> None:
        """Show a short text beside the progress, such as the file in work."""
        with self._lock:
            self._note = text
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self.done, self.total, self._note)
            return
        with self._lock:
            now = time.monotonic()
            due = now - self._last_line >= LINE_INTERVAL
            if due:
                self._last_line = now
        if due:
            self._say(f"{self.label}: {self._state()}")

    def _say(self, text: str, *, shown: bool = False) -> None:
        if _log.isEnabledFor(logging.INFO):
            _log.info(text, extra={SHOWN_ALREADY: shown})
        elif log_console().is_jupyter and time.monotonic() - self._begin > BRIEF:
            log_console().out(text, highlight=False)

    def _state(self) -> str:
        elapsed = time.monotonic() - self._begin
        rate = self.done / elapsed if elapsed > 0 else 0.0
        parts = [f"{self.done}"]
        if self.total is not None:
            share = f" ({self.done / self.total:.0%})" if self.total else ""
            parts = [f"{self.done}/{self.total}{share}"]
        parts += [f"{rate:.3g}/s", f"{_duration(elapsed)} elapsed"]
        if self.total is not None and 0 < self.done < self.total:
            parts.append(f"{_duration((self.total - self.done) / rate)} left")
        return ", ".join([*parts, self._note] if self._note else parts)


class _Bar:
    """One line of the display on a terminal."""

    def __init__(self, display: Progress, task_id: TaskID) -> None:
        self.display = display
        self.task_id = task_id

    def update(self, done: int, total: int | None, note: str) -> None:
        self.display.update(self.task_id, completed=done, total=total, note=note)


class _Bars:
    """All bars share one live display, because two at once would overwrite each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._display: Progress | None = None
        self._open = 0

    def add(self, label: str, total: int | None) -> _Bar:
        with self._lock:
            if self._display is None:
                self._display = _new_display()
                self._display.start()
            self._open += 1
            return _Bar(self._display, self._display.add_task(label, total=total, note=""))

    def finish(self, bar: _Bar) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0:
                bar.display.stop()
                self._display = None
            else:  # the bar of an inner step goes, the outer one stays
                bar.display.remove_task(bar.task_id)


def _new_display() -> Progress:
    from rich import progress as rich_progress
    from rich.text import Text

    class Rate(rich_progress.ProgressColumn):
        """Items a second."""

        def render(self, task: rich_progress.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.3g}/s", style="progress.data.speed")

    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=None),
        rich_progress.MofNCompleteColumn(),
        Rate(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.fields[note]}", markup=False),
        console=log_console(),
        expand=False,
    )


def _duration(seconds: float) -> str:
    """Return a time span for people.

    Examples
    --------
    >>> _duration(4.21), _duration(75), _duration(7300)
    ('4.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes in an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


_bars: Final = _Bars()

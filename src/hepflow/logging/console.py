"""Where log messages go: standard error for people, a file for later."""

from __future__ import annotations

import functools
import io
import logging
import os
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.logging import RichHandler
from rich.panel import Panel
from rich.text import Text

from hepflow.errors import InputError, StorageError

ROOT_LOGGER: Final = "hepflow"
CONFIG_LOGGER: Final = "hepflow.config"

#: Extra field of records that the console has already shown in another form (bar, banner).
SHOWN_ALREADY: Final = "hepflow_shown_already"

_OURS: Final = "hepflow_handler"  # marks the handlers that a second set-up replaces


@functools.cache
def log_console() -> Console:
    """Return the one console of log messages and progress bars.

    It is shared, because a bar and a message that are drawn through different consoles
    overwrite each other. It follows ``sys.stderr``, also when that is replaced.
    """
    return Console(stderr=True)


def on_terminal() -> bool:
    """Tell whether somebody watches: colours may be forced in a batch job, bars may not."""
    console = log_console()
    return console.is_interactive and console.file.isatty()


def setup_logging(level: int | str = "INFO", log_file: Path | str | None = None) -> None:
    """Send the messages of hepflow to standard error and, if wanted, to a file.

    Only scripts call this; a second call replaces what the first one set.

    Parameters
    ----------
    level : int or str
        Least severe level that is shown, such as ``"INFO"`` or ``logging.DEBUG``.
    log_file : Path, optional
        File to append to, readable by its owner only. Its folder is made where missing.

    Raises
    ------
    InputError
        If `level` is not a known level.
    StorageError
        If `log_file` cannot be written.
    """
    number = _level_number(level)
    handlers: list[logging.Handler] = [_console_handler()]
    if log_file is not None:
        handlers.append(_file_handler(Path(log_file)))
    logger = logging.getLogger(ROOT_LOGGER)
    for old in [handler for handler in logger.handlers if getattr(handler, _OURS, False)]:
        logger.removeHandler(old)
        old.close()
    for handler in handlers:
        setattr(handler, _OURS, True)
        logger.addHandler(handler)
    logger.setLevel(number)


def get_config_logger() -> logging.Logger:
    """Return the one logger for messages about the configuration."""
    return logging.getLogger(CONFIG_LOGGER)


def log_banner(text: str) -> None:
    """Announce a step of a script with a panel on standard error.

    Nothing is shown where the level of the hepflow logger is above INFO. A log file gets
    the text as an ordinary line.
    """
    logger = logging.getLogger(ROOT_LOGGER)
    if logger.level > logging.INFO:
        return
    log_console().print(Panel(Text(text, justify="center", style="bold"), style="cyan"))
    logger.info(text, extra={SHOWN_ALREADY: True})


def _level_number(level: int | str) -> int:
    if isinstance(level, int):
        return level
    names = logging.getLevelNamesMapping()
    number = names.get(level.strip().upper())
    if number is None:
        valid = ", ".join(sorted(names, key=names.__getitem__))
        raise InputError(f"unknown log level {level!r}. Valid: {valid}.")
    return number


def _not_shown_yet(record: logging.LogRecord) -> bool:
    return not getattr(record, SHOWN_ALREADY, False)


def _console_handler() -> logging.Handler:
    handler: logging.Handler
    if on_terminal():
        handler = RichHandler(console=log_console(), show_path=False, log_time_format="[%X]")
    else:
        handler = _PlainHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.addFilter(_not_shown_yet)
    return handler


def _file_handler(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _PrivateFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"the log file {path} cannot be written: {error.strerror}. "
            "Give another file or make its folder writable."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(name)s: %(message)s"))
    return handler


class _PlainHandler(logging.Handler):
    """Whole lines for logs that are read by programs: rich would wrap them at 80 columns."""

    def emit(self, record: logging.LogRecord) -> None:
        log_console().out(self.format(record), highlight=False)


_NEVER = logging.CRITICAL + 1  # a level that no message has


class _PrivateFileHandler(logging.FileHandler):
    """Log file that only its owner can read: messages can hold paths and names of people."""

    def _open(self) -> io.TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(descriptor, 0o600)
        return io.TextIOWrapper(io.FileIO(descriptor, "a"), encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say once that the log is not written any more; the run goes on without it."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.setLevel(_NEVER)
        why = error.strerror or str(error)
        log_console().out(f"the log {self.baseFilename} ends here: {why}", highlight=False)

"""The user's own frames of an exception: shown, or opened in the debugger."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from types import TracebackType

from hepflow.cli.tracebacks import is_users


def show_users_frames(error: BaseException) -> None:
    """Write the frames of the user's code that raised to standard error; nothing without any."""
    raised = _raised_by_user(error)
    if raised is None:
        return
    frames = [one for one in traceback.extract_tb(raised.__traceback__) if is_users(one.filename)]
    lines = traceback.format_list(frames) + traceback.format_exception_only(raised)
    head = "Traceback of your own code (--debug shows all of it):\n"
    sys.stderr.write(head + "".join(lines))


def debug(error: BaseException) -> None:
    """Open the debugger at the innermost frame of the user's code.

    Where the user's code did not raise, such as where it returned something that cannot be
    used, at the frame that found fault with it.
    """
    import pdb  # noqa: T100 - the user asked for it

    raised = _raised_by_user(error)
    shown = error if raised is None else raised
    trace = shown.__traceback__ if raised is None else _down_to_user(raised.__traceback__)
    if trace is not None:
        pdb.post_mortem(trace)


def _raised_by_user(error: BaseException) -> BaseException | None:
    """The first cause in whose traceback is code of the user."""
    found = [
        one for one in _chain(error) if any(_of_user(link) for link in _links(one.__traceback__))
    ]
    return found[-1] if found else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what caused it, and so on."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _links(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _of_user(link: TracebackType) -> bool:
    return is_users(link.tb_frame.f_code.co_filename)


def _down_to_user(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without what libraries did below the user's innermost frame."""
    links = list(_links(trace))
    last = max(i for i, link in enumerate(links) if _of_user(link))
    found: TracebackType | None = None
    for link in reversed(links[: last + 1]):
        found = TracebackType(found, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return found

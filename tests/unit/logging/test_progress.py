"""Progress: bars for people, few lines for logs, right counts for both."""

import io
import logging
import re
import sys
import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from hepflow.logging import console, progress


@pytest.fixture
def progress_module():
    # the attribute of the package is the function of the same name
    return sys.modules["hepflow.logging.progress"]


@pytest.fixture
def clock(monkeypatch, progress_module):
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress_module.time, "monotonic", clock)
    return clock


@pytest.fixture
def screen(monkeypatch, progress_module):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    # no environment: TERM=dumb of a batch job would switch the bar off
    terminal = Console(file=Terminal(), force_terminal=True, width=120, _environ={})
    for module in (console, progress_module):
        monkeypatch.setattr(module, "log_console", lambda: terminal)
    return terminal


def test_short_step_is_one_line(caplog, clock):
    caplog.set_level(logging.INFO, "hepflow")
    with progress("reading", total=4) as task:
        for _ in range(4):
            clock.now += 0.125
            task.advance()
    assert caplog.messages == ["reading finished: 4/4 (100%), 8/s, 0.5 s elapsed"]


def test_long_step_is_a_line_every_ten_seconds(caplog, clock):
    caplog.set_level(logging.INFO, "hepflow")
    with progress("skimming", total=100) as task:
        for _ in range(25):
            clock.now += 1
            task.advance(2)
    assert caplog.messages == [
        "skimming: 20/100 (20%), 2/s, 10.0 s elapsed, 40.0 s left",
        "skimming: 40/100 (40%), 2/s, 20.0 s elapsed, 30.0 s left",
        "skimming finished: 50/100 (50%), 2/s, 25.0 s elapsed, 25.0 s left",
    ]


def test_total_may_be_unknown_and_set_later(caplog, clock):
    caplog.set_level(logging.INFO, "hepflow")
    with progress("listing") as task:
        clock.now += 10
        task.advance(5)
        clock.now += 10
        task.set_total(10)
        task.note("file_7.root")
        clock.now += 10
        task.note("file_8.root")
    assert caplog.messages == [
        "listing: 5, 0.5/s, 10.0 s elapsed",
        "listing: 5/10 (50%), 0.25/s, 20.0 s elapsed, 20.0 s left",
        "listing: 5/10 (50%), 0.167/s, 30.0 s elapsed, 30.0 s left, file_8.root",
        "listing finished: 5/10 (50%), 0.167/s, 30.0 s elapsed, 30.0 s left, file_8.root",
    ]


def test_nothing_to_do_is_no_division_by_zero(caplog, clock):
    caplog.set_level(logging.INFO, "hepflow")
    with progress("reading", total=0):
        pass
    assert caplog.messages == ["reading finished: 0/0, 0/s, 0.0 s elapsed"]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_a_stopped_step_says_so_and_the_error_goes_on(caplog, error):
    caplog.set_level(logging.INFO, "hepflow")

    def fit():
        with progress("fitting", total=3) as task:
            task.advance()
            raise error

    with pytest.raises(type(error)):
        fit()
    assert caplog.messages[0].startswith(f"fitting stopped by {type(error).__name__}: 1/3 (33%)")


def test_nothing_is_printed_without_set_up(capsys):
    with progress("reading", total=1) as task:
        task.advance()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_notebook_shows_lines_without_set_up(monkeypatch, progress_module, clock):
    lines = []
    notebook = SimpleNamespace(is_jupyter=True, out=lambda text, highlight: lines.append(text))
    monkeypatch.setattr(progress_module, "log_console", lambda: notebook)
    with progress("brief", total=1):
        clock.now += 0.5
    with progress("long", total=1) as task:
        clock.now += 2
        task.advance()
    assert lines == ["long finished: 1/1 (100%), 0.5/s, 2.0 s elapsed"]


def test_advancing_from_threads_loses_nothing():
    with progress("skimming", total=8000) as task:

        def work():
            for _ in range(1000):
                task.advance()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert task.done == 8000


def test_bar_on_a_terminal(screen, caplog):
    caplog.set_level(logging.INFO, "hepflow")
    with progress("skim [x]", total=3) as task:
        task.advance(3)
        task.note("last.root")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.file.getvalue())
    assert re.search(r"skim \[x\] .*3/3.*0:00:00.*last\.root", shown)
    assert "\x1b[?25h" in screen.file.getvalue()  # the cursor is back
    assert caplog.records[-1].hepflow_shown_already


def test_nested_bars_and_messages_share_the_screen(screen, progress_module):
    with progress("outer", total=2) as outer:
        with progress("inner", total=1) as inner:
            screen.print("a message")
            inner.advance()
        outer.advance()
        with progress("second", total=None) as second:
            second.set_total(4)
            second.advance()
        outer.advance()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.file.getvalue())
    last = [line for line in shown.replace("\r", "\n").splitlines() if line.strip()][-1]
    assert "a message" in shown
    assert last.startswith("outer")
    assert "2/2" in last
    assert progress_module._bars._display is None


def test_bar_is_taken_down_after_an_error(screen, progress_module):
    with pytest.raises(KeyboardInterrupt), progress("outer", total=2), progress("inner"):
        raise KeyboardInterrupt
    assert progress_module._bars._display is None
    assert "\x1b[?25h" in screen.file.getvalue()

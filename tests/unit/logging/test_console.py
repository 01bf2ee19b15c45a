"""Where messages go, and who may read them."""

import io
import logging
import stat
import subprocess
import sys

import pytest
from rich.console import Console

from hepflow.errors import InputError, StorageError
from hepflow.logging import console, get_config_logger, log_banner, setup_logging


@pytest.fixture(autouse=True)
def _untouched_logger():
    logger = logging.getLogger("hepflow")
    handlers, level = logger.handlers[:], logger.level
    yield
    for handler in [handler for handler in logger.handlers if handler not in handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)


def test_messages_go_to_standard_error_only(capsys):
    setup_logging("INFO")
    logging.getLogger("hepflow.storage").info("written to %s", "/data/a")
    logging.getLogger("hepflow.storage").debug("detail")
    captured = capsys.readouterr()
    assert captured.err == "INFO written to /data/a\n"
    assert captured.out == ""


def test_long_messages_are_not_wrapped_for_programs_and_brackets_stay(capsys):
    setup_logging("INFO")
    message = "channels[0].observables[2].binning: [bold]" + "x" * 300
    logging.getLogger("hepflow").warning(message)
    assert capsys.readouterr().err == f"WARNING {message}\n"


def test_a_second_set_up_replaces_the_first(capsys, tmp_path):
    setup_logging("DEBUG", tmp_path / "a.log")
    setup_logging("WARNING")
    setup_logging("WARNING")
    logging.getLogger("hepflow").info("quiet")
    logging.getLogger("hepflow").warning("once")
    assert capsys.readouterr().err == "WARNING once\n"
    assert (tmp_path / "a.log").read_text() == ""


def test_handlers_of_others_stay():
    other = logging.NullHandler()
    logger = logging.getLogger("hepflow")
    logger.addHandler(other)
    setup_logging()
    setup_logging()
    assert other in logger.handlers
    assert len(logger.handlers) == 2


def test_the_root_logger_is_left_alone():
    before = logging.getLogger().handlers[:], logging.getLogger().level
    setup_logging("DEBUG")
    assert (logging.getLogger().handlers, logging.getLogger().level) == before


def test_log_file_is_private_dated_and_appended_to(tmp_path):
    path = tmp_path / "logs" / "run.log"
    path.parent.mkdir()
    path.write_text("earlier\n")
    path.chmod(0o644)
    setup_logging("INFO", path)
    logging.getLogger("hepflow.skimming").info("µ done")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert first == "earlier"
    assert second[:2] == "20"
    assert second.endswith("INFO     hepflow.skimming: µ done")


def test_folder_of_the_log_file_is_made(tmp_path):
    setup_logging("INFO", tmp_path / "a" / "b" / "run.log")
    assert (tmp_path / "a" / "b" / "run.log").is_file()


def test_a_log_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    before = logging.getLogger("hepflow").handlers[:]
    with pytest.raises(StorageError, match=r"log file .*run\.log cannot be written: File exists"):
        setup_logging("INFO", tmp_path / "file" / "run.log")
    assert logging.getLogger("hepflow").handlers == before


def test_unknown_level_names_the_valid_ones():
    with pytest.raises(InputError, match=r"unknown log level 'LOUD'. Valid: .*DEBUG, INFO, WARN"):
        setup_logging("LOUD")


@pytest.mark.parametrize("level", ["debug", logging.DEBUG, " DEBUG "])
def test_levels_by_name_or_number(level):
    setup_logging(level)
    assert logging.getLogger("hepflow").level == logging.DEBUG


def test_the_config_logger_is_always_the_same():
    assert get_config_logger() is get_config_logger()
    assert get_config_logger() is logging.getLogger("hepflow.config")


def test_banner_is_on_standard_error_and_in_the_file_once(capsys, tmp_path):
    setup_logging("INFO", tmp_path / "run.log")
    log_banner("skimming [1/3]")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("skimming [1/3]") == 1
    assert len(captured.err.splitlines()) == 3
    assert (tmp_path / "run.log").read_text().count("skimming [1/3]") == 1


def test_banner_is_silent_where_messages_are(capsys):
    setup_logging("WARNING")
    log_banner("skimming")
    assert capsys.readouterr().err == ""


def test_terminal_gets_rich_lines(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Console(file=Terminal(), force_terminal=True, width=80, _environ={})
    monkeypatch.setattr(console, "log_console", lambda: screen)
    setup_logging("INFO")
    logging.getLogger("hepflow").info("hello")
    assert "\x1b[" in screen.file.getvalue()
    assert "hello" in screen.file.getvalue()


def test_forced_colours_do_not_make_a_terminal(monkeypatch):
    batch = Console(file=io.StringIO(), force_terminal=True, _environ={})
    monkeypatch.setattr(console, "log_console", lambda: batch)
    assert not console.on_terminal()


def test_a_full_disk_ends_the_log_and_not_the_run(tmp_path, capsys):
    code = """
import atexit, logging, resource, signal, sys
from hepflow.logging import setup_logging
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
anything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
atexit.register(resource.setrlimit, resource.RLIMIT_FSIZE, anything)  # coverage writes then
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
setup_logging("INFO", sys.argv[1])
for i in range(9):
    logging.getLogger("hepflow").info("a message of some length, number %d", i)
print("the run goes on")
"""
    words = [sys.executable, "-c", code, str(tmp_path / "x.log")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == "the run goes on\n"
    assert "Traceback" not in done.stderr
    assert "number 8" in done.stderr
    assert done.stderr.count("x.log ends here: File too large") == 1

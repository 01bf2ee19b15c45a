"""The names of `hepflow.logging` that users rely on."""

import inspect
import logging
import subprocess
import sys

import hepflow.logging as public
from hepflow.logging import (
    display_config_table,
    get_config_logger,
    log_banner,
    print_table,
    progress,
    setup_logging,
)


def arguments(function):
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
    }


def test_display_config_table():
    assert arguments(display_config_table) == {
        "config": inspect.Parameter.empty,
        "expand": False,
        "compare_with": None,
        "show_only_changes": False,
        "table_width": None,
    }


def test_display_takes_the_options_by_position(capsys):
    assert display_config_table({"a": {"b": 1}}, False, {"a": {"b": 2}}, True, 80) is None
    assert "changed" in capsys.readouterr().out


def test_setup_and_banner():
    assert arguments(setup_logging) == {"level": "INFO", "log_file": None}
    assert list(arguments(log_banner)) == ["text"]


def test_config_logger():
    assert isinstance(get_config_logger(), logging.Logger)
    assert get_config_logger() is get_config_logger()


def test_progress_and_table(capsys):
    with progress("reading", total=2) as task:
        task.set_total(1)
        task.note("a.root")
        task.advance()
        task.advance(n=1)
    assert task.done == 2
    print_table("t", ["a"], [[1]])
    assert "t" in capsys.readouterr().out


def test_all_names_exist():
    assert all(hasattr(public, name) for name in public.__all__)


def test_importing_needs_the_standard_library_and_rich_only():
    code = (
        "import sys; before = set(sys.modules); import hepflow.logging;"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(run.stdout.split()) - sys.stdlib_module_names
    assert new <= {"hepflow", "rich", "pygments", "markdown_it", "mdurl"}


def test_importing_sets_up_no_handler():
    code = "import hepflow.logging, logging; print(logging.getLogger('hepflow').handlers)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"

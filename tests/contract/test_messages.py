"""What every message has, and the check that each of them is made by some test."""

from __future__ import annotations

import re

import pytest
from coverage import CoverageData

from hepflow import errors
from tests import check_messages
from tests.contract.test_docs import module

# A command that is copied stands without a full stop.
_ENDS_WITH_A_COMMAND = re.compile(r"(Run|Install it( again)?): [^.]+$")
# Said of what a file holds; the message that names the file completes them.
_PARTS = (
    "hepflow/failed/reading.py",
    "hepflow/importers/standins.py",
    "hepflow/metadata_extractor/shapes.py",
)


@pytest.fixture(scope="module")
def script():
    """The script behind the page of errors."""
    return module("reference_errors")


@pytest.fixture(scope="module")
def sites(script):
    """All places where a message is made."""
    return script.sites()


def test_the_messages_are_found(sites, script):
    assert len(sites) > 400
    spoken = {one.error for one in sites if one.text}
    silent = {one.__name__ for one in script.tree()} - spoken
    assert silent <= {"HepflowError", "IncompleteInput", "WorkflowError"}  # the last: of problems
    tree = next(one for one in sites if one.error == "MissingTree")
    assert tree.file == "hepflow/events/root.py"
    assert tree.text.startswith("<filename>: there is no tree <treename>.")


def test_messages_of_the_tree_are_sentences(sites, script):
    names = {one.__name__ for one in script.tree()} | {"Problem"}
    told = [one for one in sites if one.text and one.made_by in names and one.file not in _PARTS]
    bad = [
        f"{one.file}:{one.first}: {one.text}"
        for one in told
        if one.error != "note"
        and not (one.text.endswith((".", "?", ">")) or _ENDS_WITH_A_COMMAND.search(one.text))
    ]
    assert bad == []


def test_no_message_is_a_single_word(sites):
    said = [one for one in sites if one.text and one.made_by in vars(errors)]
    assert [one for one in said if len(one.text.split()) < 2 and one.text != "missing."] == []


# -- how messages are read from the source ---------------------------------------------------

SOURCE = """
from __future__ import annotations

LIMIT = "Fetch it again."

def other(name) -> InputError:
    return InputError(f"{name}: not so.")

def _by_hand(path):
    return f"Put it at {path}."

def first(self, path, error, kind):
    hint = did_you_mean(path, [])
    if not path:
        raise InputError(f"{shown(path)!r} has no {kind.name}. {hint}")
    if error:
        message = "one way." if kind else f"another way: {error}"
        raise StorageError(message) from error
    raise StorageError(f"{len(path)} of {self.known[3]:>3}. {LIMIT} {_by_hand(path)}")

def second(path):
    if path:
        raise other("x")
    yield Problem(path, "wrong.", "Mend it.")
    raise ValueError("no such thing")
    raise NotImplementedError("left open")
"""


def test_how_messages_are_read(script, tmp_path, monkeypatch):
    (tmp_path / "made_up").mkdir()
    (tmp_path / "made_up" / "speaking.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(script, "SOURCE", tmp_path / "made_up")
    monkeypatch.setattr(script, "_modules", lambda: ["made_up.speaking"])
    found = [(one.made_by, one.error, one.text) for one in script.sites.__wrapped__()]
    assert found == [
        ("InputError", "InputError", "<name>: not so."),
        ("InputError", "InputError", "<path> has no <name>. <hint>"),
        ("StorageError", "StorageError", "another way: <error>"),
        ("StorageError", "StorageError", "one way."),
        ("StorageError", "StorageError", ""),
        ("StorageError", "StorageError", "<number> of <known>. Fetch it again. Put it at <path>."),
        ("other", "InputError", ""),
        ("Problem", "ConfigurationError", "wrong. Mend it."),
        ("ValueError", "ValueError", "no such thing"),
    ]


def test_the_page_escapes_what_it_quotes(script):
    assert script._code("set `x`") == "`` set `x` ``"
    assert script._code("two\n  lines") == "`two lines`"


# -- the check after the tests ---------------------------------------------------------------


def test_a_message_that_no_test_makes_is_listed(script):
    one = script.Site("hepflow/a.py", 3, 5, "InputError", "InputError", "wrong.")
    two = script.Site("hepflow/a.py", 9, 9, "InputError", "InputError", "")
    assert check_messages.never_made([one, two], lambda file: {4}) == [
        "src/hepflow/a.py:9: InputError: text made elsewhere"
    ]
    assert check_messages.never_made([one, two], lambda file: {5, 9}) == []
    assert check_messages.never_made([one], lambda file: {2, 6}) == [
        "src/hepflow/a.py:3: InputError: wrong."
    ]


@pytest.mark.parametrize(("lines", "status"), [((), 1), (range(1, 1000), 0)])
def test_the_check_reads_the_data_of_coverage(lines, status, sites, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COVERAGE_FILE", str(tmp_path / ".coverage"))
    monkeypatch.setattr(check_messages, "sites_of_the_source", lambda: sites)
    data = CoverageData(str(tmp_path / ".coverage"))
    source = check_messages.ROOT / "src"
    data.add_lines({str(source / one.file): list(lines) for one in sites})
    data.write()
    assert check_messages.main() == status
    left = len(sites) if status else 0
    assert f"{left} of {len(sites)} messages are made by no test" in capsys.readouterr().out


def test_the_check_wants_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COVERAGE_FILE", str(tmp_path / ".coverage"))
    assert check_messages.main() == 2
    assert "run the tests first" in capsys.readouterr().err


def test_the_check_finds_the_messages_on_its_own(sites):
    found = check_messages.sites_of_the_source()
    assert [(one.file, one.first, one.text) for one in found] == [
        (one.file, one.first, one.text) for one in sites
    ]

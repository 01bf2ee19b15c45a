"""The tree of errors: statuses, messages, and travelling between processes."""

from __future__ import annotations

import pickle

import pytest

from hepflow import errors
from hepflow.errors import ConfigurationError, HepflowError, OverrideError, Problem, did_you_mean

ALL = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, HepflowError)
]


def drawn():
    """Names in the order of the tree in the module's docstring, with their depth."""
    lines = (errors.__doc__ or "").splitlines()
    for line in lines:
        head, branch, tail = line.partition("+-- ")
        if branch:
            yield tail.split()[0], len(head) // 4
        elif line.startswith("    HepflowError"):
            yield "HepflowError", 0


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    parents: dict[int, str] = {}
    seen = {}
    for name, depth in drawn():
        parents[depth] = name
        if depth:
            seen[name] = parents[depth - 1]
    assert seen == {one.__name__: one.__base__.__name__ for one in ALL if one is not HepflowError}


def test_what_the_user_can_mend_ends_with_status_2():
    of_the_user = (ConfigurationError, errors.InputError)
    for one in ALL:
        assert one.exit_status == (2 if issubclass(one, of_the_user) else 1), one


@pytest.mark.parametrize("kind", [one for one in ALL if not issubclass(one, ConfigurationError)])
def test_an_error_survives_a_pickle(kind):
    error = kind("what, where, what to do")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "what, where, what to do"


@pytest.mark.parametrize("kind", [ConfigurationError, OverrideError])
def test_problems_survive_a_pickle(kind):
    error = kind([Problem("a.b", "wrong.", "Mend it."), Problem("c", "missing.")])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.problems == error.problems
    assert str(again) == str(error)


def test_the_message_counts_and_lists_the_problems():
    one = ConfigurationError([Problem("general.lumi", "missing.", "Give it in 1/pb.")])
    assert str(one) == (
        "the configuration has 1 problem:\n  general.lumi: missing. Give it in 1/pb."
    )
    two = ConfigurationError([Problem("a", "wrong."), Problem("b", "wrong.")])
    assert str(two) == "the configuration has 2 problems:\n  a: wrong.\n  b: wrong."


def test_a_note_keeps_the_type():
    error = errors.MissingBranch("no branch 'pt'")
    error.add_note("in file x.root")
    assert error.__notes__ == ["in file x.root"]
    assert isinstance(error, errors.InputError)


def test_the_nearest_name():
    assert did_you_mean("signl", ["signal", "control"]) == "Did you mean 'signal'?"
    assert did_you_mean("zzz", ["b", "a"]) == "Valid: a, b."
    assert did_you_mean("zzz", []) == ""
    many = did_you_mean("?", (f"name{i}" for i in range(9)))
    assert many.startswith("Valid: name0, name1")
    assert many.endswith(", ...")

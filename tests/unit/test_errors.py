"""The tree of errors: statuses, messages, and travelling between processes."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import re

import pytest

import hepflow
from hepflow import errors
from hepflow.errors import ConfigurationError, HepflowError, OverrideError, Problem, did_you_mean

ALL = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, HepflowError)
]


def everywhere():
    """All classes of the tree, also those that another module defines."""
    for module in pkgutil.walk_packages(hepflow.__path__, "hepflow."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = [HepflowError]
    for one in found:  # grows while it is gone through
        found += [sub for sub in one.__subclasses__() if sub.__module__.startswith("hepflow.")]
    return found


def drawn():
    """Names in the order of the tree in the module's docstring, with their depth and code."""
    lines = (errors.__doc__ or "").splitlines()
    for line in lines:
        head, branch, tail = line.partition("+-- ")
        if branch:
            yield tail.split()[0], len(head) // 4, tail.split()[1]
        elif line.startswith("    HepflowError"):
            yield "HepflowError", 0, line.split()[1]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    parents: dict[int, str] = {}
    seen = {}
    for name, depth, code in drawn():
        parents[depth] = name
        seen[name] = (parents.get(depth - 1, "Exception"), code)
    assert seen == {one.__name__: (one.__base__.__name__, one.code) for one in ALL}


def test_the_docstring_names_the_classes_that_live_elsewhere():
    told = " ".join((errors.__doc__ or "").split())
    named = dict(re.findall(r"`([\w.]+)` \((HF\d{3})", told))
    found = {pkgutil.resolve_name(path): code for path, code in named.items()}
    assert found == {one: one.code for one in set(everywhere()) - set(ALL)}


def lacking(classes):
    wanted = ("code", "cause", "remedy")
    return [(one.__name__, name) for one in classes for name in wanted if name not in vars(one)]


def test_every_class_says_its_own_code_cause_and_remedy():
    class Silent(errors.FitError):
        code = "HF699"

    assert lacking(everywhere()) == []
    assert lacking([Silent]) == [("Silent", "cause"), ("Silent", "remedy")]


def test_codes_are_unique_and_those_of_their_branch():
    classes = everywhere()
    assert len({one.code for one in classes}) == len(classes)
    for one in classes:
        assert re.fullmatch(r"HF\d{3}", one.code)
        if one is not HepflowError and one.__base__ is not HepflowError:
            assert one.code[:3] == one.__base__.code[:3]
        else:
            assert one.code.endswith("00")


def test_cause_and_remedy_are_sentences():
    for one in everywhere():
        for text in (one.cause, one.remedy):
            assert text[0].isupper() or text[0] == "`", one
            assert text.endswith("."), one
            assert len(text) > 40, one


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

"""How values read in a cell."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hepflow.logging import values
from hepflow.logging.values import function_text, is_secret, summary, value_text


class Cut:
    def __call__(self, pt):
        return pt

    def method(self):
        return self


class Shown(Cut):
    def __repr__(self):
        return f"Shown({hex(id(self))[:0]}3)"


def select(muons):
    return muons


HERE = __name__


@pytest.mark.parametrize(
    ("value", "key", "text"),
    [
        (None, "", "None"),
        (True, "", "True"),
        (16400.0, "", "16400.0"),
        (0.1, "", "0.1"),
        ("ttbar", "", "ttbar"),
        ("", "", "''"),
        ("10", "", "'10'"),
        ("1e-3", "", "'1e-3'"),
        ("None", "", "'None'"),
        (" a", "", "' a'"),
        ("200,3000,20", "", "200,3000,20"),
        ("a\nb\x1b[31m", "", r"a\nb\x1b[31m"),
        ("[a, b]", "", "'[a, b]'"),
        (["a, b"], "", "[a, b]"),
        ([], "", "[]"),
        ({}, "", "{}"),
        ({"a": [1, {"b": 2}]}, "", "{a: [1, {b: 2}]}"),
        (Path("/data/x"), "", "/data/x"),
        (np, "", "numpy"),
        ([["Muon", "pt"], ["Jet", None], "x"], "use", "[Muon.pt, Jet, x]"),
        (["Jet", "pt"], "target", "Jet.pt"),
        ([["Jet", "pt"], ["Jet", "mass"]], "target", "[Jet.pt, Jet.mass]"),
        (["Jet", "pt"], "use", "[Jet, pt]"),
        (["up", "down"], "up_and_down_idx", "[up, down]"),
    ],
)
def test_text(value, key, text):
    assert value_text(value, key) == text


def test_addresses_of_objects_are_left_out():
    assert " at 0x" not in value_text(object())


@pytest.mark.parametrize("key", ["password", "auth_token", "CLIENT_SECRET", "apikey", "api_key"])
def test_secrets_are_masked_at_any_depth(key):
    assert is_secret(key)
    assert value_text("hunter2", key) == "***"
    assert value_text({"a": [{key: ["hunter2"]}]}) == "{a: [{" + key + ": ***}]}"
    assert summary(["hunter2"], key) == "***"
    assert value_text(None, key) == "None"
    assert "hunter2" not in value_text(partial(select, **{key: "hunter2"}))


@pytest.mark.parametrize("key", ["key", "name", "use", "keys", "author"])
def test_ordinary_keys_are_no_secrets(key):
    assert not is_secret(key)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("https://me:hunter2@host/a", "https://me:***@host/a"),
        ("https://h/a?x=1&X-Amz-Signature=hunter2&y=2", "https://h/a?x=1&X-Amz-Signature=***&y=2"),
        ("root://host:1094//store/a.root", "root://host:1094//store/a.root"),
    ],
)
def test_secrets_in_addresses(address, text):
    assert value_text(address) == text


def test_functions():
    assert function_text(select) == f"{HERE}:select"
    assert function_text(Cut) == f"{HERE}:Cut"
    assert function_text(Cut().method) == f"{HERE}:Cut.method"
    assert function_text(Cut()) == f"{HERE}:Cut(...)"
    assert function_text(Shown()) == "Shown(3)"
    assert function_text(partial(select, 1, a="x")) == f"partial({HERE}:select, 1, a=x)"
    assert function_text(np.add) == "add" or function_text(np.add).endswith(":add")
    assert function_text(abs) == "builtins:abs"


def test_lambdas_have_their_line():
    cut = lambda pt: pt  # noqa: E731 - its name is what is tested
    line = cut.__code__.co_firstlineno
    assert (
        function_text(cut) == f"{HERE}:test_lambdas_have_their_line.<locals>.<lambda> (line {line})"
    )


def test_a_function_without_code_has_no_line():
    assert values.function_line(abs) is None
    assert values.function_line(SimpleNamespace(__code__="x")) is None


def test_long_lists_are_summarised_unless_expanded():
    assert value_text(list(range(6)), expand=False) == "[0, 1, 2, 3, 4, 5]"
    assert value_text(list(range(7)), expand=False) == "[0, 1, 2, 3, ... 7 in all]"
    assert value_text(list(range(7))) == "[0, 1, 2, 3, 4, 5, 6]"


def test_summaries():
    assert summary({"function": select, "use": [["Muon", None]]}) == f"{HERE}:select"
    assert summary({"cuts": [{"name": "met"}, {"name": "muon"}]}) == "met, muon"
    assert summary([{"name": "a"}, {"name": "b"}]) == "a, b"
    assert summary([{"object": "Muon"}]) == "Muon"
    assert summary([{"x": 1}]) == "1 entry"
    assert summary([{"x": 1}, {"x": 2}]) == "2 entries"
    assert summary({"x": 1}) == "{x: 1}"
    assert summary([]) == "[]"


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        ([200 + 140 * i for i in range(21)], "20 equal bins from 200 to 3000"),
        ([0.1 * i for i in range(11)], "10 equal bins from 0 to 1"),
        ([0, 1, 2, 3, 4, 5, 60], "6 bins from 0 to 60"),
        ([0, 10, 50], "[0, 10, 50]"),
        (["a"] * 7, "[a, a, a, a, ... 7 in all]"),
    ],
)
def test_many_bin_edges_are_summarised(edges, text):
    assert value_text(edges, "binning", expand=False) == text
    assert value_text(edges, "binning").startswith("[")

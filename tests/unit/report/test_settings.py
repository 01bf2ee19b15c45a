"""The configuration as values, and what of it changed."""

from __future__ import annotations

import json

from hepflow.report import differences, keep_previous, leaves
from hepflow.report.settings import PREVIOUS, RESOLVED

FUNCTION = {"function": "user.cuts:met", "fingerprint": "a", "reads": {"user.cuts.CUT": "50"}}


def paths(before, now):
    return [(one.path, one.before, one.now) for one in differences(before, now)]


def test_a_value_list_or_function_is_one_leaf():
    tree = {"a": {"b": [1, 2], "c": FUNCTION, "d": {}}, "e": [{"f": None}, {"f": True}]}
    assert [path for path, _ in leaves(tree)] == ["a.b", "a.c", "a.d", "e[0].f", "e[1].f"]


def test_changed_new_and_gone_values_are_told():
    before, now = {"a": 1, "gone": [1]}, {"a": 2.5, "new": False}
    assert paths(before, now) == [
        ("a", "1", "2.5"),
        ("new", "not there", "no"),
        ("gone", "1", "not there"),
    ]
    assert not paths(now, dict(now))


def test_two_functions_of_one_name_differ_by_what_they_read():
    other = {**FUNCTION, "fingerprint": "b", "reads": {"user.cuts.CUT": "60"}}
    assert paths({"f": FUNCTION}, {"f": other}) == [
        ("f", "user.cuts:met (CUT = 50)", "user.cuts:met (CUT = 60)")
    ]
    unsaid = {**FUNCTION, "fingerprint": "c"}
    assert paths({"f": FUNCTION}, {"f": unsaid})[0][2].startswith("the same name, but")


def test_a_text_that_reads_like_another_value_is_a_change():
    assert paths({"a": "1"}, {"a": 1}) == [("a", "1", "1, of another type")]


def test_the_configuration_of_the_last_run_is_kept(tmp_path):
    keep_previous(tmp_path)
    assert not (tmp_path / PREVIOUS).exists()
    (tmp_path / RESOLVED).write_text('{"a": 1}')
    keep_previous(tmp_path)
    assert json.loads((tmp_path / PREVIOUS).read_text()) == {"a": 1}
    (tmp_path / RESOLVED).unlink()
    keep_previous(tmp_path)
    assert not (tmp_path / PREVIOUS).exists()

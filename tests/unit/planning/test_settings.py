"""What is configured otherwise than in the last run, and which of it led to a change."""

from __future__ import annotations

import copy

import pytest

from hepflow.pipeline import make_output_manager, write_resolved
from hepflow.planning.looking import LookingManager
from hepflow.planning.records import Reason
from hepflow.planning.settings import Difference, behind, differences
from hepflow.schema import Config
from tests.builders import tiny_config, toy_inputs


def at_least_one(values):
    return values >= 1


def at_least_two(values):
    return values >= 2


@pytest.fixture
def plain(tmp_path):
    """A configuration that was run once."""
    content = tiny_config(tmp_path, toy_inputs(tmp_path))
    config = Config(**content)
    write_resolved(config, make_output_manager(config))
    return config.to_dict()


def compared(content):
    config = Config(**content)
    return differences(config, LookingManager.of(config))


def test_the_same_configuration_has_no_differences(plain):
    assert compared(plain) == ()


def test_a_first_run_has_nothing_to_compare_with(tmp_path):
    assert compared(tiny_config(tmp_path, toy_inputs(tmp_path))) == ()


def test_values_are_shown_with_their_path_before_and_now(plain):
    content = copy.deepcopy(plain)
    content["general"]["lumi"] = 123.0
    found = compared(content)
    assert [one.path for one in found] == ["general.lumi"]
    assert found[0].now == "123.0"
    assert found[0].before != "123.0"


def test_a_function_is_shown_by_name_and_an_edited_one_as_such(plain):
    content = copy.deepcopy(plain)
    content["preprocess"]["skimming"]["function"] = at_least_one
    first = compared(content)
    (one,) = [one for one in first if one.path == "preprocess.skimming.function"]
    assert one.now.endswith("at_least_one")

    config = Config(**content)
    write_resolved(config, make_output_manager(config))
    edited = copy.copy(at_least_two)
    edited.__name__, edited.__qualname__ = at_least_one.__name__, at_least_one.__qualname__
    content["preprocess"]["skimming"]["function"] = edited
    try:
        (found,) = compared(content)
    finally:
        edited.__name__ = edited.__qualname__ = "at_least_two"
    assert found.path == "preprocess.skimming.function"
    assert "code" in found.now


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason("channel SR changed"), {"channels[0].selection.function"}),
        (Reason("data, signal: selection changed"), {"preprocess.skimming.function"}),
        (Reason("filled changed", (Reason("luminosity changed"),)), {"general.lumi"}),
        (Reason("scan_points of the model changed"), {"statistics.scan_points"} | set()),
        (Reason("something else"), set()),
    ],
)
def test_only_what_may_have_led_there_is_told(reason, expected):
    paths = (
        "channels[0].selection.function",
        "preprocess.skimming.function",
        "general.lumi",
        "general.lumi_table",
        "statistics.scan_points",
    )
    found = behind([reason], [Difference(path, "a", "b") for path in paths])
    names = {one.path for one in found}
    assert expected <= names
    assert ("general.lumi_table" in names) is False
    if not expected:
        assert names == set()

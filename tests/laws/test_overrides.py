"""Laws: what is set is read back, nothing else changes, and nothing but our errors is raised."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepflow.errors import ConfigurationError, Problem
from hepflow.schema import Config, load_config_with_restricted_cli
from hepflow.schema.shapes import format_path
from tests.unit.schema.examples import valid

POSITIVE = st.floats(min_value=1e-300, max_value=1e300)
COUNT = st.integers(min_value=1, max_value=10**12)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters='[{"'), min_size=1).filter(
    lambda text: text == text.strip() and text.lower() not in {"none", "null"}
)
EDGES = st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=8, unique=True).map(sorted)

# path, values, and how a value is written
FIELDS = [
    (("general", "lumi"), POSITIVE, repr),
    (("general", "max_files"), COUNT, str),
    (("general", "read_from_cache"), st.booleans(), str),
    (("general", "output_dir"), TEXT, str),
    (("general", "cache_dir"), TEXT, str),
    (("datasets", "max_files"), st.none() | COUNT, str),
    (("datasets", "datasets", 2, "cross_section"), POSITIVE, repr),
    (("datasets", "datasets", 0, "filter_efficiency"), st.floats(1e-9, 1), repr),
    (("preprocess", "skimming", "chunk_size"), COUNT, str),
    (("channels", 1, "label"), TEXT, str),
    (("channels", 0, "observables", 1, "binning"), EDGES, json.dumps),
    (("systematics", 0, "size"), st.floats(1e-9, 0.999), repr),
    (("statistics", "norm_factors", 1, "nominal"), st.floats(0, 10), repr),
    (("execution", "workers"), st.none() | COUNT, str),
    (("plotting", "dpi"), st.integers(50, 600), str),
]


@st.composite
def assignments(draw):
    """Draw a path, its value and the argument that sets it."""
    path, values, write = draw(st.sampled_from(FIELDS))
    value = draw(values)
    dashes = draw(st.sampled_from(["", "--"]))
    return path, value, f"{dashes}{format_path(path)}={write(value)}"


def at(config, path):
    """Value at a path of a plain or of a validated configuration."""
    return functools.reduce(lambda here, step: here[step], path, config)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first draw imports a lot
@given(assignments())
def test_what_is_set_is_read_back_and_nothing_else_changes(assignment):
    path, value, argument = assignment
    config = valid()
    before = copy.deepcopy(config)
    new = load_config_with_restricted_cli(config, [argument])
    assert at(new, path) == value
    assert at(Config(**new), path) == value
    assert config == before
    reference = Config(**before).to_dict()
    changed = Config(**new).to_dict()
    at(reference, path[:-1])[path[-1]] = value
    assert changed == reference


@given(st.lists(assignments(), max_size=6))
def test_overrides_of_different_places_do_not_depend_on_their_order(drawn):
    arguments = list({path: argument for path, _, argument in drawn}.values())
    forwards = load_config_with_restricted_cli(valid(), arguments)
    backwards = load_config_with_restricted_cli(valid(), arguments[::-1])
    assert forwards == backwards


STEPS = st.sampled_from(
    ["general", "lumi", "channels", "[0]", "[9]", "observables", "binning", "function", "use",
     "preprocess", "skimming", "static_kwargs", "datasets", "2018", "branches", "Muon", "blind",
     "statistics", "norm_factors", "bounds", "[1]", "plotting", "formats", "..", "[", "="]
)  # fmt: skip
VALUES = st.sampled_from(
    ["", "1", "-1", "nan", "none", "true", "[]", "{}", "[1]", '{"a": [1]}', "a,b", "0,1,2", "[[1]]"]
)


@given(st.lists(st.lists(STEPS, max_size=6).map(".".join), max_size=3), VALUES)
def test_any_override_is_applied_or_refused_and_never_changes_the_argument(paths, value):
    config = valid()
    arguments = [f"{path.replace('.[', '[')}={value}" for path in paths]
    with contextlib.suppress(ConfigurationError):
        Config(**load_config_with_restricted_cli(config, arguments))
    assert config == valid()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All paths of a nested configuration."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, (list, tuple))
        else ()
    )
    for key, one in items:
        yield from _places(one, (*path, key))


PLACES = sorted((path for path in _places(valid()) if path), key=str)
JUNK = st.sampled_from(
    [None, True, 0, -1, 1.5, float("nan"), "", "x", [], {}, [None], {"x": 1}, [[]], {1: 2},
     ("a", "b"), len, object(), b"x", {"x"}, "signal", "mass", [{}], [{"name": []}], "0,1,2"]
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=4))
def test_whatever_stands_in_the_dict_is_valid_or_reported_with_paths(changes):
    config = valid()
    for path, junk in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # replaced further up already
            at(config, path[:-1])[path[-1]] = copy.deepcopy(junk)
    problems = _problems(config)
    paths = [problem.path for problem in problems]
    assert len(set(paths)) == len(paths)
    assert all(paths)
    assert all(problem.message.endswith(".") for problem in problems)
    assert not any("nput should" in problem.message for problem in problems)
    if not problems:
        built = Config(**config)
        assert built.revalidated() == built


def _problems(config: dict[str, Any]) -> tuple[Problem, ...]:
    try:
        Config(**config)
    except ConfigurationError as error:
        return error.problems
    return ()

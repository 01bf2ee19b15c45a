"""JSON files: one text for one content, however large, and quickly read by people as well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import StorageError
from hepflow.metadata_extractor.shapes import WorkitemsAsJson, workitem_to_json
from hepflow.records import WorkItem
from hepflow.storage import read_json, write_json

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # A surrogate alone is no text that UTF-8 has.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=30,
)


@dataclass(frozen=True, slots=True)
class Inner:
    start: int
    weight: float


@dataclass(frozen=True)
class Record:
    name: str
    steps: tuple[tuple[int, int], ...]
    inner: Inner


@given(PLAIN, st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, value, sort):
    path = tmp_path_factory.getbasetemp() / "law.json"
    write_json(path, value, sort_keys=sort)
    assert read_json(path, "a step") == value
    assert path.read_text(encoding="utf-8").endswith("\n")


@given(PLAIN)
@settings(max_examples=100, deadline=None)
def test_the_order_of_a_mapping_does_not_count_where_keys_are_sorted(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp()
    write_json(folder / "one.json", value)
    write_json(folder / "two.json", _turned(value))
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


def _turned(value):
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(value)}
    return [_turned(one) for one in value] if isinstance(value, list) else value


def test_a_record_is_a_mapping_of_its_fields(tmp_path):
    record = Record("a", ((0, 5), (5, 9)), Inner(3, 0.5))
    plain = {"name": "a", "steps": [[0, 5], [5, 9]], "inner": {"start": 3, "weight": 0.5}}
    write_json(tmp_path / "x.json", {"one": record, "all": [record] * 200})
    assert read_json(tmp_path / "x.json", "a step") == {"one": plain, "all": [plain] * 200}


def test_an_entry_of_a_long_list_takes_one_line_and_a_short_one_is_spread(tmp_path):
    write_json(tmp_path / "x.json", [{"a": {"b": i}} for i in range(1000)])
    assert (tmp_path / "x.json").read_text().count("\n") == 1002
    write_json(tmp_path / "y.json", {"channels": [{"name": "SR", "edges": [0, 1, 2]}]})
    assert (tmp_path / "y.json").read_text() == (
        '{\n "channels": [\n  {\n   "edges": [0, 1, 2],\n   "name": "SR"\n  }\n ]\n}\n'
    )


@pytest.mark.parametrize(
    ("value", "way"),
    [
        ([{"a": [0.0, np.inf]}] * 200, r"x\.json\[0\]\.a\[1\] is inf"),
        ({"parts": [Inner(1, 2.0)] * 150 + [Inner(1, np.nan)]}, r"\.parts\[150\]\.weight is nan"),
        ([[{"a": {2: 1}}]], r"x\.json\[0\]\[0\]\.a: key 2 is not a string"),
        ([{"a": {"b": object()}}] * 100, r"x\.json\[0\]\.a\.b is a object"),
        ({"a": Record}, r"x\.json\.a is a type"),
    ],
)
def test_the_way_to_what_json_cannot_hold(tmp_path, value, way):
    with pytest.raises(StorageError, match=way):
        write_json(tmp_path / "x.json", value)
    assert list(tmp_path.iterdir()) == []


def test_entries_may_be_made_while_they_are_written(tmp_path):
    items = [
        WorkItem("mc", "a.root", "Events", i, i + 1, "12345678-1234-5678-1234-567812345678", {})
        for i in range(300)
    ]
    lazy = WorkitemsAsJson(items)
    assert isinstance(lazy, Sequence)
    assert list(lazy[5:7]) == [workitem_to_json(one) for one in items[5:7]]
    write_json(tmp_path / "x.json", lazy)
    plain = [workitem_to_json(one) for one in items]
    assert json.loads((tmp_path / "x.json").read_text()) == plain

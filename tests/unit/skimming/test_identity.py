"""The digest of a work item, and the metadata of parts that share what they have in common."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.keys import Key
from hepflow.records import PartCounts, WorkItem
from hepflow.skimming.making import item_identity, part_name
from hepflow.skimming.parts import LivePart, Part

KEY = Key("skim", {"selection": "a"})
ITEM = WorkItem("mc", "a.root", "Events", 0, 10, "uuid", {"file_nevts": 20})
# Signs by which the parts of the text are told apart, and the shortest of all others.
TEXT = st.text(alphabet="a1: '\n", max_size=4)
NUMBER = st.integers(0, 12)
ITEMS = st.builds(WorkItem, TEXT, TEXT, st.none() | TEXT, NUMBER, NUMBER, TEXT)


@given(ITEMS, ITEMS)
@settings(max_examples=300, deadline=None)
def test_other_work_has_another_identity(one, other):
    assert (item_identity(one, KEY) == item_identity(other, KEY)) == (one == other)


@pytest.mark.parametrize("name", [one.name for one in fields(WorkItem) if one.name != "usermeta"])
def test_each_field_counts_and_so_does_the_key(name):
    before = item_identity(ITEM, KEY)
    value = getattr(ITEM, name)
    changed = value + 1 if isinstance(value, int) else f"{value}_"
    assert item_identity(replace(ITEM, **{name: changed}), KEY) != before
    assert item_identity(ITEM, Key("skim", {"selection": "b"})) != before
    assert item_identity(replace(ITEM, usermeta={}), KEY) == before


def test_the_digest_of_the_file_counts_where_it_is_known():
    one = replace(ITEM, usermeta={"file_digest": "0a", "file_nevts": 20})
    found = {item_identity(item, KEY) for item in (ITEM, one)}
    found.add(item_identity(replace(one, usermeta={"file_digest": "0b"}), KEY))
    assert len(found) == 3
    assert item_identity(replace(one, usermeta={"file_digest": "0a"}), KEY) in found
    for none in ("", None):
        assert item_identity(replace(ITEM, usermeta={"file_digest": none}), KEY) in found
    assert part_name(one, KEY, ".pkl") != part_name(ITEM, KEY, ".pkl")


def test_a_file_name_that_is_no_unicode():
    odd = replace(ITEM, filename=b"/data/\xff.root".decode("utf-8", "surrogateescape"))
    assert item_identity(odd, KEY) != item_identity(ITEM, KEY)
    assert part_name(replace(ITEM, filename="/x/a b.root"), KEY, ".pkl").startswith("a_b_0-10_")


def test_the_digest_of_a_key_is_that_of_its_parts_however_it_came_to_be():
    digest = KEY.digest
    again = Key("skim", {"selection": "a"})
    assert again.digest == digest
    for other in (pickle.loads(pickle.dumps(KEY)), copy.copy(KEY), Key.from_json(KEY.to_json())):
        assert other == again
        assert other.digest == digest
    assert replace(KEY, stage="other").digest != digest


def test_metadata_of_a_part_is_a_dict_of_its_own():
    counts = PartCounts("mc", "a.root", 0, 10, 10, 2.5, 1.0)
    common = {"dataset": "mc", "xsec": 1.0}
    part = Part("x.pkl", common, 4, "identity", ITEM, counts)
    expected = {
        **common,
        "file": "a.root",
        "entrystart": 0,
        "entrystop": 10,
        "part_nevts": 10,
        "file_nevts": 20,
        "part_sum_weights": 2.5,
        "part_sum_signs": 1.0,
    }
    assert part.metadata == expected
    part.metadata["xsec"] = 2.0
    assert part.metadata == expected
    assert common == {"dataset": "mc", "xsec": 1.0}
    assert part.without([1, 3]).metadata == {**expected, "part_repeated": 2}
    assert part.without([1, 3]).n_selected == 2
    assert pickle.loads(pickle.dumps(part)) == part


def test_what_is_said_of_a_live_part_wins_over_its_work_item():
    part = LivePart(None, ITEM, {"dataset": "mc", "file_nevts": 30}, "identity")
    assert part.metadata["file_nevts"] == 30
    assert part.metadata["part_nevts"] == 10
    assert "part_sum_weights" not in part.metadata

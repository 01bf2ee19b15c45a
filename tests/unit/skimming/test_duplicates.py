"""The same event twice in data: found, counted once or refused, and remembered."""

from __future__ import annotations

import json
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import CorrectionError, InputError, MaskError
from hepflow.schema import Functor
from hepflow.skimming.counting import Counting, counted_ids
from hepflow.skimming.duplicates import by_part, joined, repeated
from tests.builders import (
    cut_columns,
    keep_triggered,
    make_skims,
    manager_of,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_nano,
)

COLUMNS = toy_columns(120, 2, data=True)  # as in toy_inputs: event numbers 0 to 119


def ids(*events):
    columns = np.array(events, dtype=np.uint64).reshape(-1, 3)
    return columns[:, 0].astype(np.uint32), columns[:, 1].astype(np.uint32), columns[:, 2]


# -- the pure functions ------------------------------------------------------------------


def duplicated(parts):
    again, _ = repeated(joined(parts))
    return by_part(again, [len(part[0]) for part in parts])


def test_later_parts_lose_what_earlier_ones_have():
    found = duplicated([
        ids((1, 1, 1), (1, 1, 2)),
        ids((1, 1, 2), (2, 1, 2), (1, 2, 2), (1, 1, 3)),
        ids(),
        ids((1, 1, 3), (1, 1, 3), (9, 9, 2**64 - 1)),
    ])  # fmt: skip
    assert [one.tolist() for one in found] == [[], [0], [], [0, 1]]
    assert [one.tolist() for one in duplicated([ids(), ids()])] == [[], []]


TRIPLES = st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(0, 4))


@given(st.lists(st.lists(TRIPLES, max_size=8), min_size=1, max_size=5))
def test_it_is_what_a_loop_with_a_set_finds(parts):
    seen, expected = set(), []
    for part in parts:
        expected.append([])
        for i, one in enumerate(part):
            if one in seen:
                expected[-1].append(i)
            seen.add(one)
    found = duplicated([ids(*part) for part in parts])
    assert [one.tolist() for one in found] == expected


@given(st.lists(TRIPLES, max_size=20))
def test_each_repeated_event_knows_the_first_one(events):
    again, first = repeated(ids(*events))
    for i, j in zip(again.tolist(), first.tolist(), strict=True):
        assert events.index(events[i]) == j


# -- two primary datasets that overlap ---------------------------------------------------

MET = COLUMNS["MET_pt"]
PASSES = COLUMNS["HLT_Mu50"] & (MET > 10.0)


@pytest.fixture
def config(tmp_path):
    """Data has events 0 to 119, more has 80 to 119 again in two files, one of them twice."""
    inputs = toy_inputs(tmp_path / "in")
    write_nano(tmp_path / "in" / "more_0.root", cut_columns(COLUMNS, 100, None))
    write_nano(tmp_path / "in" / "more_1.root", cut_columns(COLUMNS, 80, 110))
    more = {"name": "more", "files": [str(tmp_path / "in" / "more_*.root")], "is_data": True}
    config = tiny_config(tmp_path, [*inputs, more])
    config["preprocess"]["skimming"]["chunk_size"] = 50
    return config


def with_mode(config, *, one_pass=False, form="pickle", **modes):
    for entry in config["datasets"]["datasets"]:
        if entry["name"] in modes:
            entry["duplicates"] = modes[entry["name"]]
    if one_pass:
        config["execution"]["one_pass"] = True
    else:
        config["preprocess"]["skimming"]["output"] = {"format": form}
    return config


def numbers(skims, *names):
    return [int(number) for name in names for events, _ in skims[name] for number in events.event]


WAYS = [{"form": "pickle"}, {"form": "root"}, {"form": "parquet"}, {"one_pass": True}]


NAMES = ["pickle", "root", "parquet", "one_pass"]
BOTH = pytest.mark.parametrize("way", [WAYS[2], WAYS[3]], ids=NAMES[2:])


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_each_event_of_data_counts_once_and_the_first_dataset_keeps_it(config, way):
    skims = make_skims(with_mode(config, **way))
    assert numbers(skims, "data") == np.flatnonzero(PASSES).tolist()
    assert numbers(skims, "more") == []
    assert sum(one["part_nevts"] for one in skims["more"].metadata) == 50  # read nevertheless
    config["datasets"]["datasets"].reverse()  # now the other one is first
    skims = make_skims(config)
    found = numbers(skims, "more", "data")
    assert sorted(found) == np.flatnonzero(PASSES).tolist()
    assert sorted(numbers(skims, "more")) == (80 + np.flatnonzero(PASSES[80:])).tolist()
    assert len(numbers(skims, "mc__nominal")) > 0


# -- events that do not count ------------------------------------------------------------

BLOCKS = COLUMNS["luminosityBlock"]
CERTIFIED = {"late": (BLOCKS >= 20), "early": (BLOCKS <= 40)}


def even_by_muons(muons, events):
    return (events % 2 == 0) & (ak.num(muons.px, axis=1) >= 0)


def by_everything(events):
    return (events.event % 2 == 0) & (events.MET.pt > 0)


def even(events):
    return events % 2 == 0


KEEPS = {
    "column": {"function": even, "use": [("event", "event")]},
    "object": {"function": even_by_muons, "use": ["Muon", ("event", "event")]},
    "everything": {"function": by_everything, "use": [("event", None)]},
}


def once_each(*counts):
    """Numbers of the events that are left of `data` and `more`, given those that count there."""
    first = np.flatnonzero(PASSES).tolist()
    second = [*range(100, 120), *range(80, 110)]
    seen, left = set(), []
    for events, counting in zip((first, second), counts, strict=True):
        for one in events:
            if PASSES[one] and not (counting[one] and one in seen):
                left.append(one)
            seen |= {one} if PASSES[one] and counting[one] else set()
    return left


EVERY, EVEN = np.ones(120, np.bool_), np.arange(120) % 2 == 0


@pytest.mark.parametrize("keep", KEEPS)
@BOTH
def test_only_an_event_that_is_kept_takes_the_place_of_others(config, way, keep):
    data, more = (one for one in config["datasets"]["datasets"] if one["name"] != "mc")
    data["keep"] = KEEPS[keep]
    found = numbers(make_skims(with_mode(config, **way)), "data", "more")
    assert found == once_each(EVEN, EVERY)
    assert len(found) > PASSES.sum()  # odd ones, which do not count in data
    more["keep"] = data.pop("keep")
    assert numbers(make_skims(config), "data", "more") == once_each(EVERY, EVEN)


@BOTH
def test_only_certified_events_take_the_place_of_others(config, way, tmp_path):
    for name, blocks in (("late", [[20, 99]]), ("early", [[0, 40]])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"273158": blocks}))
    data, more = (one for one in config["datasets"]["datasets"] if one["name"] != "mc")
    data["lumi_mask"] = str(tmp_path / "late.json")
    found = numbers(make_skims(with_mode(config, **way)), "data", "more")
    assert found == once_each(CERTIFIED["late"], EVERY)
    more["lumi_mask"] = str(tmp_path / "early.json")
    found = numbers(make_skims(config), "data", "more")
    assert found == once_each(CERTIFIED["late"], CERTIFIED["early"])
    (tmp_path / "late.json").write_text(json.dumps({"273158": [[0, 99]]}))  # another content
    assert numbers(make_skims(config), "data", "more") == once_each(EVERY, CERTIFIED["early"])
    (tmp_path / "late.json").unlink()
    with pytest.raises(CorrectionError, match=r"certified runs .*there is no file .*late\.json"):
        make_skims(config)


FLAGGED = st.tuples(TRIPLES, st.booleans())


@given(st.lists(st.lists(FLAGGED, max_size=8), min_size=1, max_size=5))
def test_with_events_that_do_not_count_it_is_what_a_loop_with_a_set_finds(parts):
    wanted = Functor(function=lambda good: good, use=[("event", "good")])
    seen, expected, counted = set(), [], []
    for part in parts:
        expected.append([])
        for i, (one, good) in enumerate(part):
            if good and one in seen:
                expected[-1].append(i)
            seen |= {one} if good else set()
        run, block, event = ids(*(one for one, _ in part))
        good = np.array([good for _, good in part], np.bool_)
        events = ak.Array({"run": run, "luminosityBlock": block, "event": event, "good": good})
        stored = SimpleNamespace(numbered=lambda _, events=events: events)
        counted.append(counted_ids(stored, Counting(wanted)))
    again, _ = repeated(joined([one.ids for one in counted]))
    found = by_part(again, [one.count for one in counted])
    rows = [one.in_part(there).tolist() for one, there in zip(counted, found, strict=True)]
    assert rows == expected


def test_what_a_dataset_keeps_is_told_where_it_is_wrong(config):
    config["datasets"]["datasets"][1]["keep"] = {
        "function": lambda muons: muons.pt > 0,
        "use": ["Muon"],
    }
    with pytest.raises(MaskError, match=r"datasets\.datasets\[1\]\.keep: returned a nested mask"):
        make_skims(config)


def test_events_that_do_not_count_are_not_refused(config):
    data = config["datasets"]["datasets"][1]
    data["keep"] = {"function": lambda events: events < 80, "use": [("event", "event")]}
    skims = make_skims(with_mode(config, data="refuse", more="once"))
    assert len(numbers(skims, "data")) == PASSES.sum()
    assert sorted(numbers(skims, "more")) == (80 + np.flatnonzero(PASSES[80:])).tolist()


def test_the_identities_say_what_is_left_out(config):
    once = make_skims(config)
    kept = make_skims(with_mode(config, data="keep", more="keep"))
    assert numbers(kept, "more") != []
    assert [p.identity for p in once["data"].parts] == [p.identity for p in kept["data"].parts]
    assert {p.identity for p in once["more"].parts} & {p.identity for p in kept["more"].parts} == (
        set()
    )
    live = make_skims(with_mode(config, one_pass=True, data="once", more="once"))
    assert [p.identity for p in live["more"].parts] == [p.identity for p in once["more"].parts]
    assert once["more"].parts[0].n_selected == 0
    assert "0 events" in repr(once["more"])


@pytest.mark.parametrize("one_pass", [False, True])
def test_refused_events_are_named(config, one_pass):
    with_mode(config, data="refuse", more="refuse", one_pass=one_pass)
    overlap, twice = int(PASSES[80:].sum()), int(PASSES[100:110].sum())
    with pytest.raises(InputError) as caught:
        make_skims(config)
    text = str(caught.value)
    assert f"{overlap + twice} of data again in more" in text
    assert text.count("273158:") == 3
    assert "duplicates" in text


def test_a_dataset_with_itself(config):
    config["general"]["processes"] = ["more", "mc"]
    skims = make_skims(config)
    assert sorted(numbers(skims, "more")) == (80 + np.flatnonzero(PASSES[80:])).tolist()
    with pytest.raises(InputError, match=f"{PASSES[100:110].sum()} twice in more"):
        make_skims(with_mode(config, more="refuse"))


def test_one_that_refuses_does_so_for_both(config):
    with pytest.raises(InputError, match="of data again in more"):
        make_skims(with_mode(config, data="refuse", more="once"))
    with pytest.raises(InputError, match="of data again in more"):
        make_skims(with_mode(config, data="once", more="refuse"))
    skims = make_skims(with_mode(config, data="refuse", more="keep"))  # not looked at
    assert len(numbers(skims, "more")) == PASSES[80:].sum() + PASSES[100:110].sum()


def test_the_second_time_no_numbers_are_read(config, monkeypatch):
    import hepflow.skimming.duplicates as module

    first = numbers(make_skims(config), "data", "more")

    def fail(_):
        raise AssertionError("read again")

    monkeypatch.setattr(module, "read_ids", fail)
    assert numbers(make_skims(config), "data", "more") == first
    config["preprocess"]["skimming"]["static_kwargs"] = {"threshold": 20.0}
    with pytest.raises(Exception, match="read again"):
        make_skims(config)


def test_a_damaged_memory_is_made_anew(config):
    first = numbers(make_skims(config), "data", "more")
    for path in (manager_of(config).get_cache_dir() / "duplicates").iterdir():
        path.write_bytes(b"")
    assert numbers(make_skims(config), "data", "more") == first


@BOTH
def test_numbers_of_events_are_kept_of_data_that_is_looked_at(config, way):
    """Where the list of branches does not have them, too."""
    expected = numbers(make_skims(with_mode(config, **way)), "data", "more")
    config["preprocess"]["branches"]["event"] = ["HLT_Mu50", "run"]
    skims = make_skims(config)
    assert numbers(skims, "data", "more") == expected
    assert {"luminosityBlock", "event"}.isdisjoint(skims["mc__nominal"][0][0].fields)
    skims = make_skims(with_mode(config, data="keep", more="keep"))
    assert {"luminosityBlock", "event"}.isdisjoint(skims["data"][0][0].fields)
    assert skims["more"].parts[0].metadata.get("part_repeated") is None


@pytest.mark.parametrize("ignore", [False, True])
@BOTH
def test_files_without_numbers_of_events(config, way, ignore, tmp_path, caplog):
    """A single dataset need not have them: a first analysis of flat trees goes on."""
    nameless = {name: one for name, one in COLUMNS.items() if name != "event"}
    for i in range(2):
        write_nano(tmp_path / "in" / f"more_{i}.root", nameless)
    config["preprocess"]["branches"]["event"] = ["HLT_Mu50", "run"]
    config["preprocess"]["ignore_missing"] = ignore
    config["general"]["processes"] = ["more", "mc"]
    skims = make_skims(with_mode(config, **way))
    assert sum(len(events) for events, _ in skims["more"]) == 2 * PASSES.sum()
    assert skims["more"][0][0].fields.count("run") == 1
    assert "files of more do not number their events (run, luminosityBlock, event)" in caplog.text
    with pytest.raises(InputError, match=r"more_0\.root: has no event, by which repeated events"):
        make_skims(with_mode(config, more="once"))
    config["datasets"]["datasets"][-1]["duplicates"] = None
    config["general"]["processes"] = None
    with pytest.raises(InputError, match=r"Set datasets\.datasets\[\]\.duplicates to keep"):
        make_skims(config)
    config["preprocess"]["branches"]["event"] += ["luminosityBlock", "event"]
    wrong = "has no event, by which" if ignore else "branch 'event', wanted by preprocess.branches"
    with pytest.raises(InputError, match=wrong):  # asked for: as any other branch
        make_skims(config)


def test_a_selection_that_reads_whole_objects_finds_the_same_in_one_pass(config):
    config["preprocess"]["skimming"].update(function=keep_by_objects, use=["Muon", "MET"])
    expected = numbers(make_skims(config), "data", "more")
    assert numbers(make_skims(with_mode(config, one_pass=True)), "data", "more") == expected


def keep_by_objects(muons, met):
    return keep_triggered(met.pt > 0, met.pt) & (met.phi > -2) & (ak.num(muons.px, axis=1) >= 1)


def test_simulation_is_never_looked_at(config):
    path = config["datasets"]["datasets"][0]["files"]
    config["datasets"]["datasets"].append({"name": "again", "files": path, "cross_section": 1.0})
    skims = make_skims(config)
    assert numbers(skims, "again__nominal") == numbers(skims, "mc__nominal") != []

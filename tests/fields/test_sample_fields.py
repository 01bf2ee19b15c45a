"""Fields of alternative samples and of data."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from hepflow.errors import HepflowError, InputError, MissingBranch
from tests.builders import write_nano
from tests.fields.project import (
    MC,
    added,
    columns,
    data_columns,
    filled,
    inputs,
    real,
    simulation,
    times,
    values,
)


@pytest.fixture
def here(tmp_path):
    return inputs(tmp_path / "in")


# -- alternative samples -----------------------------------------------------------------


def shower(here, x, **fields):
    """Alternative sample of 8 events with one value of `x`."""
    file = write_nano(here / f"alt_{x}.root", columns(x=np.full(8, x, np.float32)))
    return {"name": f"alt_{x:g}".replace(".", "p"), "process": "mc", "files": [str(file)],
            "cross_section": 2.0, "variation": "shower_up", **fields}  # fmt: skip


SHOWER = {"name": "shower", "type": "sample"}


@pytest.mark.field("datasets.datasets[].variation", "systematics[].type")
def test_an_alternative_sample_is_a_template_of_its_process(tmp_path, here):
    datasets = [simulation(here), shower(here, 2.5)]
    found = filled(tmp_path, datasets, systematics=[SHOWER])
    assert found.processes("SR", "x") == ("mc",)
    assert found.variations("SR", "x") == ("nominal", "shower_up")
    assert values(found) == MC
    assert values(found, "shower_up") == [0.0, 0.0, 8.0, 0.0]
    assert values(found, "shower_down") == MC  # not given: nominal
    datasets.append(shower(here, 3.5, variation="shower_down"))
    found = filled(tmp_path, datasets, systematics=[SHOWER])
    assert values(found, "shower_down") == [0.0, 0.0, 0.0, 8.0]


@pytest.mark.field("systematics[].symmetrise")
def test_the_side_of_an_alternative_sample_can_be_reflected(tmp_path, here):
    datasets = [simulation(here), shower(here, 2.5)]
    found = filled(tmp_path, datasets, systematics=[{**SHOWER, "symmetrise": True}])
    assert values(found, "shower_down") == [6.0, 4.0, -6.0, 4.0]  # 2 nominal - up


@pytest.mark.field("datasets.datasets[].replaces")
def test_an_alternative_sample_takes_the_place_of_what_it_replaces(tmp_path, here):
    shutil.copy(here / "mc.root", here / "second.root")
    second = {**simulation(here, files=[str(here / "second.root")]), "name": "second",
              "process": "mc"}  # fmt: skip
    nominal = [simulation(here), second]
    found = filled(tmp_path, [*nominal, shower(here, 2.5)], systematics=[SHOWER])
    assert values(found) == times(2)
    assert values(found, "shower_up") == [0.0, 0.0, 8.0, 0.0]
    one = shower(here, 2.5, replaces="second")
    found = filled(tmp_path, [*nominal, one], systematics=[SHOWER])
    assert values(found, "shower_up") == added(MC, [0.0, 0.0, 8.0, 0.0])


# -- data --------------------------------------------------------------------------------


@pytest.mark.field("datasets.datasets[].lumi_mask", "general.lumifile")
def test_only_certified_blocks_of_data_count(tmp_path, here):
    for name, blocks in (("two", [[1, 2]]), ("last", [[4, 9]])):
        (here / f"{name}.json").write_text(json.dumps({"1": blocks}))
    both = [simulation(here), real(here)]
    general = {"lumifile": str(here / "two.json")}
    found = filled(tmp_path, both, general=general)
    assert values(found, process="data") == [1.0, 1.0, 0.0, 0.0]
    assert values(found) == MC
    both[1]["lumi_mask"] = str(here / "last.json")
    assert values(filled(tmp_path, both, general=general), process="data") == [0, 0, 1.0, 0]


def overlapping(here, how):
    """Two datasets of data that have one event in common, and what to do about it."""
    write_nano(here / "first.root", data_columns(0.5, 1.5, 2.5, first=1))
    second = data_columns(2.5, 3.5, first=3) | {"luminosityBlock": np.array([3, 4], np.uint32)}
    write_nano(here / "second.root", second)
    return [
        {"name": f"data_{name}", "process": "data", "is_data": True, "duplicates": how,
         "files": [str(here / f"{name}.root")]}
        for name in ("first", "second")
    ]  # fmt: skip


@pytest.mark.field("datasets.datasets[].duplicates")
def test_an_event_in_two_primary_datasets_counts_once_or_is_refused(tmp_path, here):
    once = [1.0, 1.0, 1.0, 1.0]
    assert values(filled(tmp_path, overlapping(here, "once")), process="data") == once
    assert values(filled(tmp_path, overlapping(here, None)), process="data") == once
    kept = filled(tmp_path, overlapping(here, "keep"))
    assert values(kept, process="data") == [1.0, 1.0, 2.0, 1.0]
    with pytest.raises(HepflowError, match="event 1:3:3"):
        filled(tmp_path, overlapping(here, "refuse"))


ONE_PASS = pytest.mark.parametrize("one_pass", [False, True])


@ONE_PASS
def test_an_event_that_one_primary_dataset_rejects_counts_in_the_other(tmp_path, here, one_pass):
    (here / "two.json").write_text(json.dumps({"1": [[1, 2]]}))
    keep = {"function": lambda x: x < 2, "use": [("event", "x")]}
    execution = {"backend": "inprocess", "one_pass": one_pass}
    for fields in ({"keep": keep}, {"lumi_mask": str(here / "two.json")}):
        first, second = overlapping(here, "once")
        found = filled(tmp_path, [simulation(here), first | fields, second], execution=execution)
        assert values(found, process="data") == [1.0, 1.0, 1.0, 1.0]
        assert repeated_of(found) == {"data_first": 0, "data_second": 0}
        first, second = overlapping(here, "refuse")
        found = filled(tmp_path, [first | fields, second], execution=execution)  # none to refuse
        assert values(found, process="data") == [1.0, 1.0, 1.0, 1.0]
        first, second = overlapping(here, "once")
        found = filled(tmp_path, [simulation(here), first, second | fields], execution=execution)
        assert values(found, process="data") == [1.0, 1.0, 1.0, 0.0]


@ONE_PASS
def test_events_are_told_apart_though_nobody_asked_for_their_numbers(tmp_path, here, one_pass):
    """Where the list of branches has not all of them, data has them nevertheless."""
    preprocess = {"branches": {"event": ["run", "x"]}}
    execution = {"backend": "inprocess", "one_pass": one_pass}
    given = {"preprocess": preprocess, "execution": execution}
    found = filled(tmp_path, overlapping(here, None), **given)
    assert values(found, process="data") == [1.0, 1.0, 1.0, 1.0]
    assert repeated_of(found) == {"data_first": 0, "data_second": 1}
    first, second = overlapping(here, None)
    both = {**first, "files": [*first["files"], *second["files"]]}  # one dataset, two triggers
    found = filled(tmp_path, [both], **given)
    assert values(found, process="data") == [1.0, 1.0, 1.0, 1.0]
    assert repeated_of(found) == {"data_first": 1}


@ONE_PASS
def test_data_without_numbers_of_events(tmp_path, here, one_pass, caplog):
    for name in ("first", "second"):
        write_nano(here / f"{name}.root", {"x": data_columns(0.5, 1.5)["x"]})
    first, second = (
        {"name": f"data_{name}", "process": "data", "is_data": True,
         "files": [str(here / f"{name}.root")]}
        for name in ("first", "second")
    )  # fmt: skip
    given = {
        "preprocess": {"branches": {"event": ["x"]}},
        "execution": {"backend": "inprocess", "one_pass": one_pass},
    }
    for _ in range(2):  # also where it is read back
        caplog.clear()
        assert values(filled(tmp_path, [first], **given), process="data") == [1.0, 1.0, 0.0, 0.0]
        assert "files of data_first do not number their events (run, lumi" in caplog.text
    with pytest.raises(InputError, match=r"\.root: has no run, luminosityBlock, event, by which"):
        filled(tmp_path, [first, second], **given)
    kept = [one | {"duplicates": "keep"} for one in (first, second)]
    caplog.clear()
    assert values(filled(tmp_path, kept, **given), process="data") == [2.0, 2.0, 0.0, 0.0]
    assert "do not number" not in caplog.text


def repeated_of(found):
    parts = [one for one in found.ledger.parts.values() if one.dataset != "mc__nominal"]
    return {name: sum(one.repeated for one in parts if one.dataset == name)
            for name in dict.fromkeys(one.dataset for one in parts)}  # fmt: skip


@pytest.mark.field("datasets.datasets[].branch_map")
def test_branches_of_other_names_are_read_as_if_they_had_the_wanted_ones(tmp_path, here):
    renamed = columns(y=columns()["x"], Puppi_pt=columns()["MET_pt"], Puppi_phi=np.zeros(8))
    for name in ("x", "MET_pt", "MET_phi"):
        del renamed[name]
    write_nano(here / "renamed.root", renamed)
    one = simulation(here, files=[str(here / "renamed.root")])
    with pytest.raises(MissingBranch, match=r"MET_|'x'"):
        filled(tmp_path, [one])
    one["branch_map"] = {"x": "y", "MET": "Puppi"}
    assert values(filled(tmp_path, [one])) == MC

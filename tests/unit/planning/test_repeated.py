"""What a plan knows of repeated events of data."""

from __future__ import annotations

import json

import pytest

from hepflow.planning.forecast import forecast
from tests.builders import make_skims, write_nano
from tests.fields.project import data_columns, inputs, make_config, simulation

UNKNOWN = ("no event of data is repeated",)


@pytest.fixture
def config(tmp_path):
    here = inputs(tmp_path / "in")
    write_nano(here / "more.root", data_columns(0.5, 1.5))
    (here / "list.json").write_text(json.dumps({"1": [[2, 9]]}))
    keep = {"function": lambda x: x < 2, "use": [("event", "x")]}
    data = {"process": "data", "is_data": True}
    first = {"name": "a", "files": [str(here / "data.root")], "keep": keep, **data}
    second = {"name": "b", "files": [str(here / "more.root")], **data}
    first["lumi_mask"] = str(here / "list.json")
    return make_config(tmp_path, [simulation(here), first, second])


def identities(skims):
    return {name: [part.identity for part in skim.parts] for name, skim in skims.items()}


def repeated(skims):
    return {name: skim.parts[0].metadata.get("part_repeated", 0) for name, skim in skims.items()}


def test_what_an_earlier_run_found_is_known_until_other_events_count(config, tmp_path):
    made = make_skims(config)
    assert made["b"].parts[0].n_selected == 1  # of block 2; the one of block 1 counts here
    found = forecast(config)
    assert found.skims.notes == ()
    assert identities(found.skims.skims) == identities(made)
    assert repeated(found.skims.skims) == repeated(made) == {"mc__nominal": 0, "a": 0, "b": 1}
    config["datasets"]["datasets"][1]["keep"]["function"] = lambda x: x < 3
    assert forecast(config).skims.notes == UNKNOWN
    make_skims(config)
    assert forecast(config).skims.notes == ()
    (tmp_path / "in" / "list.json").write_text("{}")
    assert forecast(config).skims.notes == UNKNOWN


def test_a_list_of_certified_runs_that_is_not_there_yet(config, tmp_path):
    make_skims(config)
    (tmp_path / "in" / "list.json").unlink()
    config["general"]["analysis"] = "skip"
    assert forecast(config).skims.notes == UNKNOWN

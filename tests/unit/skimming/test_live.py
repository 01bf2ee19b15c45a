"""One pass: parts that are read from the input files when they are loaded."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import awkward as ak
import cloudpickle
import pytest

from hepflow.errors import InputError, UnreadableFile
from hepflow.skimming import LivePart, process_workitems_with_skimming
from tests.builders import make_metadata, make_skims, manager_of, tiny_config, toy_inputs


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"))


def live(config):
    return {**config, "execution": {**config["execution"], "one_pass": True}}


def test_live_parts_are_those_on_disk(config):
    stored, read = make_skims(config), make_skims(live(config))
    assert list(stored) == list(read)
    for name, skim in stored.items():
        assert [part.identity for part in skim.parts] == [p.identity for p in read[name].parts]
        for (events, metadata), (same, known) in zip(skim, read[name], strict=True):
            del metadata["sum_signs"]  # known only after everything is read
            assert known.pop("sum_weights") == pytest.approx(metadata.pop("sum_weights"), rel=1e-12)
            assert known == metadata
            assert events.type == same.type
            assert ak.array_equal(events, same)
            assert type(events.Muon) is type(same.Muon)


def test_nothing_is_written_and_nothing_is_read_before_it_is_asked_for(config, tmp_path):
    skims = make_skims(live(config))
    assert not (tmp_path / "out" / "skimmed").exists()
    (tmp_path / "in" / "mc_1.root").unlink()
    skim = skims["mc__nominal"]
    assert len(skim) == 3
    assert "3 parts, read live" in repr(skim)
    assert skim.metadata[2]["nevts"] == 250
    assert {part.n_selected for part in skim.parts} == {None}
    assert len(skim[0]) == 2
    with pytest.raises(UnreadableFile, match="mc_1"):
        skim[2]


def test_the_totals_are_those_of_the_metadata(config):
    for metadata in make_skims(live(config))["mc__nominal"].metadata:
        assert metadata["nevts"] == 250
        assert metadata["sum_weights"] == pytest.approx(
            make_skims(config)["mc__nominal"].metadata[0]["sum_weights"]
        )
        assert "part_sum_weights" not in metadata  # counted when it is loaded


@pytest.mark.parametrize("without", ["summary", "items"])
def test_totals_that_are_not_known_are_an_error(config, without):
    found = make_metadata(config)
    summary = None if without == "summary" else found.nanoaods_summary
    items = found.workitems[1 if without == "items" else 0 :]
    with pytest.raises(InputError, match=r"one_pass.*same metadata step"):
        process_workitems_with_skimming(
            items, live(config), manager_of(config), found.fileset, summary
        )


def test_a_live_part_travels_small_and_loads_elsewhere(config):
    part = make_skims(live(config))["mc__nominal"].parts[0]
    assert isinstance(part, LivePart)
    content = cloudpickle.dumps(part)
    assert len(content) < 20_000
    assert len(pickle.loads(content).load()[0]) == len(part.load()[0])


def test_the_identity_follows_what_the_events_depend_on(config, tmp_path):
    first = make_skims(live(config))["mc__nominal"].parts[0]
    config["preprocess"]["skimming"]["static_kwargs"] = {"threshold": 30.0}
    other = make_skims(live(config))["mc__nominal"].parts[0]
    assert first.identity != other.identity
    assert first.without([1]).identity not in {first.identity, first.without([2]).identity}
    moved = dataclasses.replace(first, common={})
    assert moved.identity == first.identity


def test_form_of_an_empty_range_is_that_of_the_events(config):
    part = make_skims(live(config))["mc__nominal"].parts[0]
    assert part.form().type == part.load()[0].layout.form.type
    assert Path(part.item.filename).exists()

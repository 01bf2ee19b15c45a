"""Weights of the shower whose order no title tells, and positions in lists that differ."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.analysis.results import all_remarks
from hepflow.corrections.theory import parton_shower
from hepflow.errors import ConfigurationError
from hepflow.records import Ledger
from hepflow.records.parts import PartCounts
from hepflow.reinterpretation.reinterpreting import _on_weights
from hepflow.schema import Config
from tests.builders import write_nano
from tests.fields.project import columns, fill, simulation, values
from tests.unit.theory.weighted import X, entry, in_bins, lists, project, tilted

FOUR = tilted([0.25, 0.0, -0.125, 0.0])  # initial, final, initial and final state


def of_files(folder, weights, *systematics):
    """Configuration of one dataset with a file for each list of weights."""
    for i, one in enumerate(weights):
        write_nano(folder / "in" / f"mc_{i}.root", columns(PSWeight=lists(one)))
    dataset = simulation(folder / "in", files=[str(folder / "in" / "mc_*.root")])
    return {**project(folder, {}, *systematics), "datasets": {"datasets": [dataset]}}


def sides(found, name):
    """Bins of `x` of both sides."""
    return [values(found, f"{name}_up"), values(found, f"{name}_down")]


def test_an_assumed_order_is_said_once_a_dataset(tmp_path, caplog):
    config = of_files(tmp_path, [FOUR, FOUR], *parton_shower())
    found = fill(config)
    assert sides(found, "isr") == [in_bins(1 + 0.25 * X), in_bins(1 - 0.125 * X)]
    said = all_remarks(Config.of(config), found)
    assert said == ("order of fsr weights assumed in mc", "order of isr weights assumed in mc")
    told = "mc__nominal: no title tells the order of the weights of fsr, isr. That of NanoAOD 9"
    assert caplog.text.count(told) == caplog.text.count("no title") == 1


def test_without_systematics_nothing_is_said_of_it(tmp_path, caplog):
    config = of_files(tmp_path, [FOUR], *parton_shower())
    config["general"]["run_systematics"] = False
    assert all_remarks(Config.of(config), fill(config)) == ()
    assert "no title" not in caplog.text


def test_positions_settle_the_order(tmp_path, caplog):
    given = entry(name="isr", weights="PSWeight", members=[2, 0])
    config = of_files(tmp_path, [FOUR], given)
    found = fill(config)
    assert sides(found, "isr") == [in_bins(1 - 0.125 * X), in_bins(1 + 0.25 * X)]
    assert all_remarks(Config.of(config), found) == ()
    assert "no title" not in caplog.text


def test_positions_pass_over_files_with_one_dummy_weight(tmp_path):
    given = entry(weights="PSWeight", members=[2, 0])
    config = of_files(tmp_path, [FOUR, np.ones((8, 1))], given)
    found = fill(config)
    assert sides(found, "t") == [in_bins((FOUR[:, place] + 1) / 2) for place in (2, 0)]
    assert all_remarks(Config.of(config), found) == ("no t weights in mc",)


def test_positions_may_differ_between_years(tmp_path):
    config, datasets = project(tmp_path, {}), []
    sources = {"old": [entry(members=[2, 0])], "new": [entry(members=[0, 2])]}
    for year, slopes in (("old", [-0.125, 0.0, 0.25]), ("new", [0.25, 0.0, -0.125])):
        path = write_nano(tmp_path / "in" / f"{year}.root", columns(Some=lists(tilted(slopes))))
        dataset = simulation(tmp_path / "in", files=[str(path)], name=year, process="mc")
        datasets.append({**dataset, "year": year})
    general = {**config["general"], "lumi": {"old": 4.0, "new": 4.0}}
    config |= {"datasets": {"datasets": datasets}, "general": general, "systematics": sources}
    assert sides(fill(config), "t") == [in_bins(2 + 0.5 * X), in_bins(2 - 0.25 * X)]
    for source, members in (sources["old"][0], [0, 1, 2]), (sources["new"][0], [0, 1]):
        source |= {"members": members, "combine": "envelope"}
    with pytest.raises(ConfigurationError, match=r"members: differs from systematics.old\[0\]"):
        Config.of(config)


def test_a_signal_says_it_too():
    theory = (("a", "isr_assumed__0-1", (1.0, 1.0), (1.0, 1.0)), ("b", "", (), ()))
    part = PartCounts("s", "f", 0, 1, 1, 1.0, 1.0, theory=theory)
    ledger = Ledger({part.item_key: part})
    assert ledger.assumed_theory() == {"a": ("s",)}
    assert ledger.without_theory() == {"b": ("s",)}
    assert _on_weights(ledger) == (
        "no b weights in the signal",
        "order of a weights assumed in the signal",
    )

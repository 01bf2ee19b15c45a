"""Plans of an inference that goes on from the skims of an analysis."""

from __future__ import annotations

import sys
import types

import pytest

pytest.importorskip("h5py", reason="needs the extra sbi")
pytest.importorskip("jax", reason="needs the extra sbi")

from hepflow import pipeline
from hepflow.cli import main
from hepflow.inference import run_study
from hepflow.pipeline.skim_events import skim_events
from hepflow.planning import forecast
from hepflow.planning.explain import explain
from hepflow.schema import Study
from tests.pipeline import test_sbi_skims as skims

inputs = skims.inputs


def below(values):
    return values > 0.5


def stage(config, name="events"):
    return next(one for one in forecast(config).inference if one.name == name)


@pytest.fixture
def config(inputs, tmp_path):
    def make(**changes):
        general = {"analysis": "skip", "report": False, **changes.pop("general", {})}
        return skims.config(inputs, tmp_path / "out", general, **changes)

    return make


def test_before_the_skim_and_after_it(config, tmp_path):
    whole = config()
    assert stage(whole).why == "nothing is stored from an earlier run"
    assert not (tmp_path / "out").exists()
    run_study(Study.of(whole), "physics", supply=lambda: skim_events(whole))
    assert stage(whole).status == "reused"
    assert stage(whole, "training").status == "runs"
    found = explain(forecast(whole), "inference/events.h5")
    assert (found.stage.name, found.pieces[0].status) == ("events", "reused")
    assert explain(forecast(whole), "plots/inference").stage.name == "inference-plots"
    assert explain(forecast(whole), "plots").stage.name == "plots"
    cut = {"name": "positive", "function": below, "use": [("event", "x")]}
    assert stage(config(cuts=[cut])).why == "cuts changed"
    parts = list((tmp_path / "out/skimmed/signal__nominal").glob("*.pkl*"))
    assert parts
    for part in parts:
        part.unlink()
    lost = stage(whole)
    assert lost.status == "unknown"
    assert lost.why.startswith("hangs on the cross_sections <- signal__nominal: parts are new")
    again = run_study(Study.of(whole), "physics", supply=lambda: skim_events(whole))
    assert [one.outcome for one in again.stages if one.name == "events"] == ["reused"]


def test_a_run_of_the_analysis_says_who_does_the_inference(config):
    finished = pipeline.run(config())
    (record,) = [one for one in finished.stages if one.name == "inference"]
    assert (record.outcome, record.why) == ("left out", "`hepflow sbi run` does it")
    assert [one.name for one in forecast(config()).inference] == [
        "events", "training", "limits", "inference-plots",
    ]  # fmt: skip


def test_the_commands_take_a_whole_configuration(config, monkeypatch, capsys):
    module = types.ModuleType("planned_here")
    module.config, module.without = config(), config()
    del module.without["inference"]
    monkeypatch.setitem(sys.modules, "planned_here", module)
    assert main(["sbi", "plan", "--config", "planned_here:config"]) == 0
    assert "runs: 1 of 1 event files" in capsys.readouterr().out
    assert main(["plan", "--config", "planned_here:config"]) == 0
    shown = capsys.readouterr().out
    assert "What a run would do" in shown
    assert "What `hepflow sbi run` would do" in shown
    assert main(["sbi", "plan", "--config", "planned_here:without"]) == 2
    assert "has no such section" in capsys.readouterr().err
    assert main(["plan", "--config", "planned_here:without"]) == 0
    assert "sbi" not in capsys.readouterr().out


def test_a_configuration_without_the_section_has_no_such_stages(config):
    whole = config()
    del whole["inference"]
    assert forecast(whole).inference == ()

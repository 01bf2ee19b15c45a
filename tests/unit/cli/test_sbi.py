"""``hepflow sbi`` and ``hepflow doctor``: words, exit statuses, one message."""

from __future__ import annotations

import json

import pytest

from hepflow.cli import main
from hepflow.inference.workflow import installed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fit"], "Valid: ml, physics, plan, plot, run"),
        (["run", "--inference.seeds=3"], "Did you mean 'seed'?"),
        (["run", "--inferrence.seed=3"], "unknown key"),
        (["run", "--inference.cuts[0].name=3"], "there is no such entry"),
        (["run", "--config=nothing.json"], "there is no such file"),
        (["run", "--config=broken.json"], "this is not JSON"),
        (["run", "--nothing"], "there is no option --nothing"),
        (["run", "--events=events.h5"], "--events is for ml and plot"),
        (["--json", "x.json", "run", "--inference.seeds=3"], "Did you mean 'seed'?"),
        (["run", "--inference.process.source=skim"], "needed with process.source 'skim'"),
    ],
)
def test_wrong_words_are_status_2_with_one_message(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    assert main(["sbi", *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("hepflow: error:") == 1
    assert "Traceback" not in error


def test_without_an_action_there_is_help(capsys):
    assert main(["sbi"]) == 2
    assert "physics" in capsys.readouterr().out


def test_what_is_missing_stops_the_run_and_nothing_takes_its_place(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = {
        "inference": {
            "process": {"source": "madgraph", "madgraph": {"process": ["generate p p > t t~"]}},
            "parameters": [{"name": "c", "range": [-1, 1], "lha_block": "SMEFT", "lha_id": 1}],
            "observables": [{"name": "x", "expression": "met.pt"}],
        },
        "general": {"output_dir": str(tmp_path / "out")},
    }
    (tmp_path / "s.json").write_text(json.dumps(settings))
    assert main(["sbi", "run", "--config", str(tmp_path / "s.json")]) == 2
    error = capsys.readouterr().err
    assert "mg5_aMC" in error
    assert "nothing else takes its place" in error
    assert not (tmp_path / "out/inference").exists()
    assert main(["doctor", "--config", str(tmp_path / "s.json"), "--json", "-"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == ["mg5_aMC"]
    named = {one["name"]: one for one in found["tools"]}
    assert named["mg5_aMC"]["wanted"] is True
    assert "mg5amcnlo" in named["mg5_aMC"]["install"]
    assert named["h5py"]["installed"] is True


def test_doctor_lists_everything(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for word in ("pythia8mc", "DelphesHepMC2", "DelphesHepMC3", "Cores", "Memory", "Cache"):
        assert word in text
    assert main(["doctor", "--inference.seed=3"]) == 0
    assert "can run here" in capsys.readouterr().out


def test_a_tool_with_a_path_of_its_own(tmp_path):
    program = tmp_path / "mg5"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    tool = installed.tool_named("mg5_aMC")
    assert installed.look_for(tool, str(program)).place == str(program)
    absent = installed.Tool("surely_not_there", "package", "", "")
    assert not installed.look_for(absent).there


def test_doctor_tells_of_a_package_that_cannot_be_imported(tmp_path, monkeypatch, capsys):
    (tmp_path / "optax.py").write_text("raise ImportError('half an installation')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["doctor", "--inference.seed=3", "--json", "-"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == ["optax"]
    named = {one["name"]: one for one in found["tools"]}
    assert named["optax"]["fault"] == "ImportError: half an installation"
    assert named["jax"]["fault"] is None


def test_stages_stand_in_their_order_and_the_report_names_no_analysis():
    from hepflow.journal import recorded, tell
    from hepflow.report.what_ran import _command

    with recorded() as stages:
        for name in ("plots", "limits", "events", "training"):
            tell(name, "ran", "")
    assert [one.name for one in stages] == ["events", "training", "limits", "plots"]
    told = dict(_command({"prog": "hepflow sbi run", "config": ""}))
    assert told["Configuration"] == "the built-in one"
    assert "Analysis" not in told
    assert "Analysis" in dict(_command({"prog": "hepflow run", "config": "a:b"}))

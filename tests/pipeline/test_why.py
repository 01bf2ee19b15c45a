"""What is said of an artifact before a run, and by which commands."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

from tests.pipeline import run_once
from tests.pipeline.run_once import (
    WORDS,
    analysis,
    configured,
    correct,
    edit,
    exchange,
    planned,
    run,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it
finished, folder = run_once.finished, run_once.folder

# --- why ---------------------------------------------------------------------------------


def why(artifact, *words):
    from hepflow.planning import forecast
    from hepflow.planning.explain import explain

    return explain(forecast(configured(*words), analysis()), artifact)


def reasons(found):
    return [str(one) for piece in found.pieces for one in piece.reasons]


def test_an_edited_cut_is_named_down_the_chain(folder):
    edit(folder, ("axis=1) >= 2", "axis=1) >= 3"))
    found = why("statistics/fit.json")
    assert found.stage.name == "statistics"
    assert reasons(found) == ["histograms changed <- filled changed <- channel SR changed"]
    assert [(one.path, one.before) for one in found.settings] == [
        ("channels[0].selection.function", "mine:many_jets")
    ]
    assert found.made is not None
    assert reasons(why("histograms/histograms.root")) == ["filled changed <- channel SR changed"]
    assert reasons(why("histograms")) == ["channel SR changed"]
    assert reasons(why("skim")) == []


def test_what_did_not_change_is_kept(folder):
    for artifact in ("plots/SR/met.png", "out/plots/SR/met", "skimmed/data", "metadata", "plots"):
        found = why(artifact)
        assert {piece.status for piece in found.pieces} == {"reused"}, artifact
        assert found.settings == ()
    assert [piece.name for piece in why("plots/SR/met.png").pieces] == ["plots/SR/met"]
    assert {piece.name for piece in why("plots/SR").pieces} == {"plots/SR/met", "plots/SR/muon_pt"}


def test_values_are_shown_before_and_now(folder):
    found = why("histograms/histograms.zip", "general.lumi=200")
    assert reasons(found) == ["datasets changed", "luminosity changed"]  # of each and of all
    (one,) = found.settings
    assert (one.path, one.before, one.now) == ("general.lumi", "100.0", "200.0")


def test_a_constant_is_shown_with_the_function_that_reads_it(folder):
    edit(folder, ("MUON_PT = 30.0", "MUON_PT = 60.0"))
    found = why("histograms")
    assert set(reasons(found)) == {"object mask 0 (Muon) changed"}
    (one,) = found.settings
    assert one.path == "good_object_masks.analysis[0].function"
    assert one.before == "mine:good_muons (MUON_PT = 30.0)"
    assert one.now == "mine:good_muons (MUON_PT = 60.0)"


def test_a_correction_file_is_named_with_its_digests(folder):
    correct(folder)
    found = why("histograms")
    assert set(reasons(found)) == {"correction 0 (pileup) changed"}
    (one,) = found.inputs
    assert one.path.endswith("pileup.json")
    assert one.before != one.now


def test_an_input_file_is_named(folder):
    exchange(folder)
    found = why("skimmed/signal__nominal")
    assert reasons(found) == ["input changed <- 1 changed file"]
    (one,) = found.inputs
    assert one.path.endswith("signal_0.root")
    assert "bytes of" in one.before


def test_parts_of_the_key_are_compared(folder):
    from hepflow.planning.explain import part_rows

    (piece,) = why("histograms", "general.channels=SR").pieces
    rows = {row.name: row for row in part_rows(piece)}
    assert rows["baseline selection"].state == "same"
    (piece,) = why("histograms/key.json", "channels[0].observables[0].binning=0,200,8").pieces
    states = {row.name: row.state for row in part_rows(piece)}
    assert states["binning"] == "changed"
    assert states["filled"] == "changed"
    assert states["luminosity"] == "same"
    assert states["ledger"] == "not known yet"


def test_what_cannot_be_fingerprinted_says_so(folder):
    lock = ("import os\n", "import os\nimport threading\n\nLOCK = threading.Lock()\n")
    edit(folder, lock, ("met > SKIM_MET", "met > SKIM_MET + LOCK.locked()"))
    found = why("skimmed/data")
    assert "selection cannot be fingerprinted" in reasons(found)


@pytest.mark.parametrize(
    ("artifact", "expected"),
    [
        ("statistcs", "Did you mean 'statistics'?"),
        ("skimmed/signal", "skimmed/signal__nominal"),
        ("plots/SR/mett.png", "plots/SR/met"),
        ("report/run.json", "each run writes it anew"),
        ("cache/nothing", "`hepflow cache ls`"),
        ("cache/histograms/merged/abc.pkl", "another configuration"),
    ],
)
def test_an_unknown_artifact_is_one_error(folder, artifact, expected):
    from hepflow.errors import InputError

    with pytest.raises(InputError) as raised:
        why(artifact)
    assert expected in str(raised.value)


def test_a_file_of_the_cache_is_known(folder):
    (path, *_) = sorted((folder / "cache" / "histograms" / "merged").glob("*.pkl"))
    (piece,) = why(str(path)).pieces
    assert piece.name in {"SR", "CR"}


# --- commands ----------------------------------------------------------------------------


def call(capsys, *words):
    from hepflow.cli import main

    sys.modules.pop("mine", None)
    importlib.invalidate_caches()
    options = ["--config=mine:config", "--analysis=analysis.nondiff:NonDiffAnalysis"]
    status = main([*words, *options, *WORDS])
    return status, *capsys.readouterr()


def test_the_command_why_tells_it_to_people_and_programs(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    edit(folder, ("axis=1) >= 2", "axis=1) >= 3"))
    status, told, _ = call(capsys, "why", "statistics/fit.json")
    assert status == 0
    assert max(map(len, told.splitlines())) <= 80
    flat = " ".join(told.split())
    assert "makes it again" in flat
    assert "channel SR changed" in flat
    assert "mine:many_jets" in flat
    _, told, _ = call(capsys, "why", "histograms", "--json=-")
    found = json.loads(told)
    assert {one["name"]: one["status"] for one in found["pieces"]} == {"SR": "runs", "CR": "reused"}
    assert found["why"] == ["channel SR changed"]
    status, _, told = call(capsys, "why", "nothing")
    assert status == 2
    assert "neither a stage" in told


def test_the_command_plan_tells_what_it_costs(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, told, _ = call(capsys, "plan")
    assert "nothing to do" in told
    edit(folder, ("MUON_PT = 30.0", "MUON_PT = 60.0"))
    _, told, _ = call(capsys, "plan")
    assert "What it would cost" in told
    assert max(map(len, told.split("Times")[0].splitlines())) <= 80
    _, told, _ = call(capsys, "plan", "--json=-", "general.read_from_cache=false")
    work = {one["name"]: one["work"] for one in json.loads(told)}
    assert work["prepare"] is None
    assert work["skim"]["read_bytes"] > 0
    assert work["skim"]["memory"] > 1e8
    assert work["histograms"]["cpu_seconds"] > 0


def test_the_variations_are_listed(folder, capsys):
    status, told, _ = call(capsys, "plan", "--variations")
    assert status == 0
    assert "2 distinct variations of 1 source" in " ".join(told.split())
    _, told, _ = call(capsys, "plan", "--variations", "--json=-")
    (one,) = json.loads(told)["sources"]
    assert list(one["templates"]) == ["pileup_up", "pileup_down"]
    assert one["parameter"] == "pileup"
    assert one["kind"] == "weight"
    assert one["datasets"] == ["signal__nominal", "background__nominal"]
    _, told, _ = call(capsys, "plan", "--variations", "--json=-", "general.run_systematics=false")
    assert json.loads(told)["sources"] == []


def test_times_come_from_earlier_runs_where_they_measured(folder, capsys):
    from hepflow.rates import Rate, write_rates

    write_rates(folder / "out" / "report", {"skim": Rate(400, 3.0)})
    _, told, _ = call(capsys, "plan", "--json=-", "general.read_from_cache=false")
    skim = next(one["work"] for one in json.loads(told) if one["name"] == "skim")
    assert skim["cpu_seconds"] == pytest.approx(30.0)  # 4000 events
    assert "earlier run" in skim["source"]


def test_what_the_project_keeps_verifies(folder, capsys):
    from hepflow.cli import main

    words = ["cache", "verify", "--config=mine:config"]
    assert main(words) == 0
    part = next((folder / "out" / "skimmed" / "data").glob("*.pkl"))
    content = bytearray(part.read_bytes())
    content[100] ^= 0xFF
    part.write_bytes(bytes(content))
    (folder / "out" / "statistics" / "fit.json").write_text("{}")
    capsys.readouterr()
    assert main([*words, "--json=-"]) == 1
    damaged = json.loads(capsys.readouterr().out)["damaged"]
    assert {one["path"].rpartition("/")[2] for one in damaged} == {part.name, "fit.json"}
    assert main([*words, "--remove"]) == 0
    stages = planned()
    assert {n for n, one in stages.items() if one.runs} >= {"skim", "statistics"}
    done = run(folder)
    assert done["skim"] == done["statistics"] == "ran"
    assert main(words) == 0


# --- what need not be said again -----------------------------------------------------------


def test_a_run_remembers_how_it_was_started(folder, capsys):
    from hepflow.cli import main, main_for

    words = ["--execution.backend=inprocess", "--general.lumi=50", "--general.run_statistics=false"]
    started = {"config": "mine:config", "analysis": "analysis.nondiff:NonDiffAnalysis"}
    assert main_for(**started, argv=words) == 0
    capsys.readouterr()
    assert main(["why", "out/histograms/histograms.root"]) == 0
    told = capsys.readouterr().out
    assert "Next run  keeps it" in told
    assert main(["why", "out/histograms/histograms.root", "--general.lumi=60"]) == 0
    assert "luminosity changed" in capsys.readouterr().out
    # the class is known as well, so that nothing seems to have changed; luminosity was overridden
    assert main(["plan", "--config", "mine:config", "--execution.backend=inprocess"]) == 0
    told = capsys.readouterr().out
    assert "Analysis" in told
    assert "analysis.nondiff:NonDiffAnalysis, as in the last run" in told
    assert "analysis changed" not in told
    assert "luminosity changed" in told


def test_a_run_that_was_started_elsewhere_is_not_taken_for_ones_own(folder, capsys):
    from hepflow.cli import main

    path = folder / "out" / "config" / "invocation.json"
    record = {"prog": "x", "cwd": "/elsewhere", "config": "os:environ", "analysis": None,
              "overrides": [], "withheld": [], "script_dir": ""}  # fmt: skip
    for content in (json.dumps(record), "{}", "nonsense"):
        path.write_text(content)
        assert main(["why", "out/histograms/histograms.root"]) == 2
        assert "which configuration? Give --config" in capsys.readouterr().err


def test_a_class_that_only_the_last_run_named_is_told_as_such(folder, capsys):
    from hepflow.cli import main

    path = folder / "out" / "config" / "invocation.json"
    record = {"prog": "x", "cwd": str(folder), "config": "mine:config", "analysis": "gone:Mine",
              "overrides": [], "withheld": [], "script_dir": ""}  # fmt: skip
    path.write_text(json.dumps(record))
    for words in (["plan"], ["why", "skim"]):
        assert main([*words, "--config", "mine:config"]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert "gone:Mine, as in the last run (out/config/invocation.json): there is no" in told
        assert "--analysis gone" not in told
        assert main([*words, "--config", "mine:config", "--analysis", "gone:Mine"]) == 2
        assert "--analysis gone:Mine: there is no" in capsys.readouterr().err

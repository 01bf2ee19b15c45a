"""What a plan says before a run is what the run then does."""

from __future__ import annotations

import pytest
import uproot

from hepflow.errors import CorrectionError
from tests.pipeline import run_once
from tests.pipeline.projects import assert_same_templates, stamps, templates
from tests.pipeline.run_once import (
    RAN,
    analysis,
    configured,
    correct,
    damage,
    edit,
    exchange,
    planned,
    run,
    source,
    touch,
)
from tests.pipeline.test_missing import HOT, LOSSES

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it
finished, folder = run_once.finished, run_once.folder

# what is done, words on the command line, stages that run, stages of which cannot be told before
CASES = {
    "nothing": (None, (), "", ""),
    "comment": (source(("# [GeV]\nMUON", "# [GeV]\n# more\nMUON")), (), "", ""),
    "skim": (
        source(("SKIM_MET = 10.0", "SKIM_MET = 60.0")),
        (),
        "skim histograms normalisation statistics",
        "plots",
    ),
    "mask": (
        source(("MUON_PT = 30.0", "MUON_PT = 60.0")),
        (),
        "histograms normalisation statistics",
        "plots",
    ),
    "cut of a channel": (
        source(("axis=1) >= 2", "axis=1) >= 3")),
        (),
        "histograms normalisation statistics",
        "plots",
    ),
    "binning": (
        None,
        ("channels[0].observables[0].binning=0,200,8",),
        "histograms normalisation statistics",
        "plots",
    ),
    "luminosity": (None, ("general.lumi=200",), "normalisation statistics plots", ""),
    "colour": (None, ('plotting.process_colors={"signal": "red"}',), "plots", ""),
    "scan": (None, ("statistics.scan_points=7",), "statistics", "plots"),
    "touched file": (touch, (), "metadata", ""),
    "exchanged file": (
        exchange,
        (),
        "metadata skim histograms normalisation statistics",
        "plots",
    ),
    "correction": (correct, (), "histograms normalisation statistics", "plots"),
    "chunks": (
        None,
        ("preprocess.skimming.chunk_size=200",),
        "metadata skim histograms normalisation statistics",
        "plots",
    ),
    "cache off": (
        None,
        ("general.read_from_cache=false",),
        "metadata skim histograms normalisation statistics plots",
        "",
    ),
    "no manifest": (damage("skimmed/data/manifest.json"), (), "", ""),
    "no fit": (damage("statistics/fit.json"), (), "statistics", "plots"),
    "no figure": (damage("plots/SR/met.png"), (), "plots", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_what_the_run_does(case, folder):
    do, words, ran, open_ = CASES[case]
    if do:
        do(folder)
    before = stamps(folder)
    stages = planned(*words)
    assert stamps(folder) == before  # to look changes nothing
    told = {name: RAN.get(one.status, one.status) for name, one in stages.items()}
    del told["prepare"]
    done = run(folder, *words)
    unknown = {name for name, status in told.items() if status == "unknown"}
    assert unknown == set(open_.split())
    assert {name for name, outcome in told.items() if outcome == "ran"} == set(ran.split())
    assert {n: o for n, o in told.items() if n not in unknown} == {
        n: o for n, o in done.items() if n not in unknown
    }
    assert all(one.status == "reused" for one in planned(*words).values() if one.name in done) or (
        case == "cache off"
    )


SWITCHES = {
    "skim off": ("general.run_skimming=false",),
    "metadata off": ("general.run_metadata_generation=false",),
    "histograms off": ("general.run_histogramming=false",),
    "statistics off": ("general.run_statistics=false",),
    "one pass": ("execution.one_pass=true",),
    "plots only": ("general.run_plots_only=true",),
    "no figures": ("plotting.enabled=false",),
    "no analysis": ("general.analysis=skip",),
}


@pytest.mark.parametrize("case", SWITCHES)
def test_switches_are_foreseen(case, folder):
    words = SWITCHES[case]
    stages = planned(*words)
    done = run(folder, *words)
    told = {name: RAN.get(one.status, one.status) for name, one in stages.items()}
    assert {name: told[name] for name in done} == done
    assert {told[name] for name in told.keys() - done.keys()} <= {"left out"}


def test_a_run_that_would_stop_is_foreseen(folder):
    (folder / "data_1.root").unlink()
    stages = planned()
    assert stages["metadata"].status == "fails"
    assert "data_1.root" in stages["metadata"].why
    assert {stages[name].status for name in ("skim", "histograms", "plots")} == {"unknown"}


def test_a_stored_skim_that_does_not_fit_is_foreseen(folder):
    edit(folder, ("SKIM_MET = 10.0", "SKIM_MET = 60.0"))
    stage = planned("general.run_skimming=false")["skim"]
    assert stage.status == "fails"
    assert "general.run_skimming" in stage.why


def test_parts_of_an_interrupted_run_count(folder, monkeypatch):
    from hepflow.analysis import filling
    from hepflow.errors import StorageError

    edit(folder, ("axis=1) >= 2", "axis=1) >= 3"))

    def stop(*_):
        raise StorageError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(filling, "merge_parts", stop)
        with pytest.raises(StorageError, match="stopped"):
            run(folder)
    (again, kept) = planned()["histograms"].pieces
    assert (again.name, again.there, again.total) == ("SR", 10, 10)
    assert kept.status == "reused"


def test_what_was_lost_is_tried_again(folder):
    path = folder / "background_1.root"
    path.write_bytes(path.read_bytes()[:1000])
    stage = planned("execution.on_missing=rescale")["skim"]
    assert stage.status == "fails"
    assert "execution.missing_limit" in stage.why
    words = ("execution.on_missing=rescale", "execution.missing_limit=1")
    done = run(folder, *words)
    assert done["histograms"] == "ran"
    stages = planned(*words)
    assert "background_1.root" in stages["metadata"].why
    assert {name for name, one in stages.items() if one.runs} == {"metadata"}
    assert run(folder, *words)["normalisation"] == "reused"


def largest_met(path):
    with uproot.open(path) as file:
        return float(file["Events"]["MET_pt"].array(library="np").max())


def test_parts_that_were_lost_leave_the_rest_open(folder):
    met = {path.stem: largest_met(path) for path in folder.glob("*.root")}
    most = max(met.values())
    assert met["signal_0"] == most  # data that were incomplete would be no success
    edit(folder, ("met < 0", f"met > {most - 1e-3!r}"))
    words = ("execution.on_missing=rescale", "execution.retry_wait=0")
    run(folder, *words)
    stages = planned(*words)
    assert stages["skim"].runs
    assert stages["histograms"].status == "unknown"
    assert "tried again" in stages["histograms"].why


def test_many_new_files_are_not_opened_but_their_cost_is_estimated(folder, monkeypatch):
    from hepflow.planning import forecast
    from hepflow.planning.work import work_of

    words = ("preprocess.skimming.chunk_size=200",)
    exact = {one.stage: one for one in work_of(forecast(configured(*words), analysis()))}
    monkeypatch.setattr("hepflow.planning.files._PEEKED", 0)
    found = forecast(configured(*words), analysis())
    assert found.stage("metadata").count == "5 of 5 files"
    assert {found.stage(name).status for name in ("skim", "histograms")} == {"unknown"}
    work = {one.stage: one for one in work_of(found)}
    assert work["skim"].read_bytes == pytest.approx(exact["skim"].read_bytes, rel=0.05)
    assert work["skim"].cpu_seconds == pytest.approx(exact["skim"].cpu_seconds, rel=0.05)


def test_before_prepare_nothing_but_that_is_known(folder):
    (folder / "pileup.json").unlink()
    with pytest.raises(CorrectionError, match=r"pileup\.json"):
        planned()
    edit(folder, ('"datasets": {\n', '"datasets": {\n        "prepare": few_jets,\n'))
    stages = planned()
    assert stages["prepare"].why == "mine:few_jets knows what is missing"
    assert stages["histograms"].status == "unknown"
    (folder / "signal.txt").unlink()
    assert planned()["metadata"].status == "unknown"


def test_without_the_cache_what_a_function_reads_of_a_file_counts(folder):
    cut = folder / "cut.txt"
    cut.write_text("30.0")
    edit(folder, ("return pt > MUON_PT", 'return pt > float((HERE / "cut.txt").read_text())'))
    run(folder)
    low = templates(folder)
    cut.write_text("60.0")
    assert run(folder)["histograms"] == "reused"  # nobody can know
    words = ("general.read_from_cache=false", "plotting.fold_overflow=true")
    stages = planned(*words)
    done = run(folder, *words)
    assert done["normalisation"] == "ran"
    assert {name: RAN[stages[name].status] for name in done} == done
    high = templates(folder)
    assert high["SR/met"].sum() < low["SR/met"].sum()
    cutflow = (folder / "out" / "histograms" / "cutflow.json").read_bytes()
    fitted = folder / "out" / "statistics" / "templates.root"
    with uproot.open(fitted) as file:
        before = {name: one.values().tolist() for name, one in file.items(filter_classname="TH1*")}
    cut.write_text("30.0")
    run(folder, *words)
    assert_same_templates(templates(folder), low)
    assert (folder / "out" / "histograms" / "cutflow.json").read_bytes() != cutflow
    with uproot.open(fitted) as file:
        assert any(file[name].values().tolist() != one for name, one in before.items())
    assert set(run(folder, words[1]).values()) == {"reused"}


@pytest.mark.parametrize("one_pass", ["false", "true"])
def test_what_was_lost_in_filling_is_tried_again_though_nothing_changed(folder, one_pass):
    LOSSES["histograms"].do(folder)
    edit(folder, HOT)
    words = ("execution.on_missing=rescale", "execution.missing_limit=1", "execution.retry_wait=0")
    words = (*words, f"execution.one_pass={one_pass}")
    run(folder, *words)
    stages = planned(*words)
    assert {piece.status for piece in stages["skim"].pieces} <= {"reused", "left out"}
    assert stages["histograms"].why == "what was lost is tried again"
    assert stages["normalisation"].status == "unknown"  # whether it is lost again
    assert run(folder, *words)["normalisation"] == "reused"
    changed = planned(*words, "channels[0].observables[0].binning=0,200,8")
    assert changed["histograms"].why == "channel SR changed, what was lost is tried again"
    assert changed["normalisation"].status == "runs"


REASONS = {
    "chunks": (
        ("preprocess.skimming.chunk_size=200",),
        {"metadata": "chunk_size changed", "skim": "chunk_size changed"},
    ),
    "format": (
        ("preprocess.skimming.output.format=root",),
        {"skim": "format of the parts changed"},
    ),
    "colour": (
        ('plotting.process_colors={"signal": "red"}',),
        {"plots": "look of the figures changed <- plotting.process_colors.signal changed"},
    ),
    "label": (
        ("channels[0].label=Signal",),
        {"plots": "look of the figures changed"},
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_reasons_name_what_was_edited(case, folder):
    words, reasons = REASONS[case]
    stages = planned(*words)
    assert {name: stages[name].why for name in reasons} == reasons


def test_a_file_that_changed_is_told_beside_another_chunk_size(folder):
    exchange(folder)
    stages = planned("preprocess.skimming.chunk_size=200")
    assert stages["metadata"].why == "signal__nominal: 1 changed file, chunk_size changed"
    assert "signal__nominal: input changed <- 1 changed file" in stages["skim"].why


def test_parts_that_were_lost_and_are_tried_again_are_told_as_such(folder):
    LOSSES["skim"].do(folder)
    words = ("execution.on_missing=rescale", "execution.missing_limit=1", "execution.retry_wait=0")
    run(folder, *words)
    assert planned(*words)["skim"].why == "background__nominal: what was lost is tried again"

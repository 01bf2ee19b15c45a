"""A whole inference: what is made, what is kept, what a change makes again, what faults leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("jax", reason="needs the extra sbi")
pytest.importorskip("h5py", reason="needs the extra sbi")

from hepflow.errors import InputError, MissingArtifact
from hepflow.execution import make_executor
from hepflow.inference import read_events, run_study
from hepflow.inference.workflow import training
from hepflow.inference.workflow.learning import draws_of, trainees_of
from hepflow.planning import forecast_study
from tests.unit.inference.workflow.small import study


def outcomes(finished):
    return {one.name: one.outcome for one in finished.stages}


def times(folder, pattern):
    return {str(path): path.stat().st_mtime_ns for path in folder.glob(pattern)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sbi")
    return folder, run_study(study(folder), "run")


@pytest.mark.field("inference.plots")
def test_all_is_made_where_the_contract_says(made):
    folder, finished = made
    assert finished.exit_status == 0
    assert outcomes(finished) == dict.fromkeys(("events", "training", "limits", "plots"), "ran")
    for name in (
        "inference/events.h5", "inference/events.json", "inference/limits.json",
        "inference/information.json", "inference/accuracy.json", "inference/run.json",
        "models/sally/member_0/model.json", "models/alice/member_0/weights.npz",
        "plots/inference/contours.png", "plots/inference/losses_alice.png",
        "report/index.html", "report/run.json", "config/resolved.json",
    ):  # fmt: skip
        assert (folder / name).is_file(), name
    assert {path.stem.partition("_")[0] for path in finished.parts.figures} == {
        "contours", "losses",
    }  # fmt: skip
    limits = json.loads((folder / "inference/limits.json").read_text())
    assert set(limits) == {"sally", "alice", "histogram", "exact"}


def test_the_report_shows_limits_figures_and_networks(made):
    text = (made[0] / "report/index.html").read_text()
    for word in ("Inference report", "sbi-limits", "sbi-trainings", "inference-contours"):
        assert word in text
    assert "No fit" not in text


def test_the_same_again_does_nothing(made):
    folder, _ = made
    before = times(folder, "inference/*.h5") | times(folder, "models/*/*/weights.npz")
    assert {one.status for one in forecast_study(study(folder)).inference} == {"reused"}
    again = run_study(study(folder), "run")
    assert set(outcomes(again).values()) == {"reused"}
    assert times(folder, "inference/*.h5") | times(folder, "models/*/*/weights.npz") == before


def test_calibrating_changes_what_ratios_give_and_trains_nothing(made):
    folder, _ = made
    before = json.loads((folder / "inference/limits.json").read_text())
    weights = times(folder, "models/*/*/weights.npz")
    own = {"calibrate": True, "calibration": True}
    again = run_study(study(folder, evaluation=own, plots=["calibration", "ratios"]), "run")
    assert outcomes(again)["training"] == "reused"
    assert times(folder, "models/*/*/weights.npz") == weights
    after = json.loads((folder / "inference/limits.json").read_text())
    assert after["exact"] == before["exact"]
    areas = [one["alice"]["limits"]["regions"][0]["area"] for one in (before, after)]
    assert areas[0] != areas[1]
    said = after["alice"]["limits"]["model"]["calibration"]
    assert (said["events"], said["effective_events"] > 0) == (480, True)
    few = f"with {said['effective_events']:.0f} effective validation events for 167 events of data"
    assert few in " ".join(after["alice"]["limits"]["fit"]["notes"])
    assert not any("calibration" in after[name]["limits"]["model"] for name in ("sally", "exact"))
    checks = json.loads((folder / "inference/calibration.json").read_text())
    kinds = {"closure", "reweighting", "reliability"}
    assert set(checks["alice"]) == kinds | {"uncalibrated"}
    assert set(checks["sally"]) == {"closure"}
    assert set(checks["alice"]["uncalibrated"]) == kinds
    assert checks["alice"]["uncalibrated"]["closure"] != checks["alice"]["closure"]
    accuracy = json.loads((folder / "inference/accuracy.json").read_text())["alice"]["accuracy"]
    assert accuracy["log_ratio"] < accuracy["log_ratio_uncalibrated"]
    text = (folder / "report/index.html").read_text()
    for word in ("ALICE, calibrated", "Calibrated ratios", "C_LL [1/TeV²]", "Estimates: ALICE"):
        assert word in text
    places = [text.index(f"inference-ratio-{name}") for name in ("sally", "alice")]
    assert places == sorted(places)  # as configured
    assert run_study(study(folder), "run").parts.results.made == 2  # those that are checked


def test_calibrating_evaluates_ratios_anew_and_nothing_else(made):
    folder, _ = made
    run_study(study(folder), "run")
    again = run_study(study(folder, evaluation={"calibrate": True}), "ml")
    assert again.parts.results.made == 1  # ALICE, of four
    run_study(study(folder), "run")


def test_a_plot_option_draws_again_and_nothing_else(made):
    folder, _ = made
    again = run_study(study(folder, {"plotting": {"experiment": "Mine"}}), "run")
    assert outcomes(again) == {
        "events": "reused", "training": "reused", "limits": "reused", "plots": "ran",
    }  # fmt: skip
    alone = run_study(study(folder, plots=["losses"]), "plot")
    assert {path.stem for path in alone.parts.figures} == {"losses_sally", "losses_alice"}
    assert not (folder / "plots/inference/contours.png").exists()
    run_study(study(folder), "plot")


def test_a_lost_job_is_made_again_alone(made):
    folder, _ = made
    (folder / "inference/jobs/sm_0.npz").unlink()
    (folder / "inference/events.h5").unlink()
    again = run_study(study(folder), "physics")
    assert again.parts.physics.made == 1
    assert outcomes(run_study(study(folder), "ml"))["training"] == "reused"  # the same events


def test_ml_takes_another_event_file(made, tmp_path):
    events = made[0] / "inference/events.h5"
    found = run_study(study(tmp_path, methods=[{"method": "sally"}]), "ml", events=str(events))
    assert set(found.parts.results.methods) == {"sally", "histogram", "exact"}
    with pytest.raises(MissingArtifact, match="hepflow sbi physics"):
        run_study(study(tmp_path / "none"), "ml")
    with pytest.raises(MissingArtifact, match="to draw"):
        run_study(study(tmp_path / "none"), "plot")


def test_a_training_that_is_killed_keeps_the_others(made, tmp_path, monkeypatch):
    table = read_events(made[0] / "inference/events.h5")
    own, calls = study(tmp_path).inference, []
    draws = draws_of(own, table.parameters)

    def dies_once(task):
        calls.append(task.method)
        if task.method == "alice" and calls.count("alice") == 1:
            raise KeyboardInterrupt
        for name in training.FILES:
            (Path(task.folder) / name).write_text(task.method)

    def train():
        events, executor = training.Events(table, "digest"), make_executor("inprocess")
        return training.train_all(events, trainees_of(own), draws, tmp_path, executor, reuse=True)

    monkeypatch.setattr(training, "train_one", dies_once)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert (tmp_path / "sally/member_0/weights.npz").is_file()
    assert train().made == 1
    assert train().made == 0
    assert calls == ["sally", "alice", "alice"]


def test_too_few_events_are_told(tmp_path):
    with pytest.raises(InputError, match="event"):
        run_study(study(tmp_path, events=1), "run")


def test_cuts_that_nothing_passes(tmp_path):
    cuts = [{"name": "hard", "expression": "mu[0].pt > 9000"}]
    with pytest.raises(InputError, match=r"none of \d+ events is left, none after 'hard'"):
        run_study(study(tmp_path, events=50, cuts=cuts), "physics")
    assert not list(tmp_path.rglob("*.tmp"))
    assert list((tmp_path / "inference/jobs").iterdir())


def test_a_setting_of_one_method_trains_that_one_only(made):
    folder, _ = made
    events = times(folder, "inference/**/*.npz") | times(folder, "inference/*.h5")
    sally = times(folder, "models/sally/*/weights.npz")
    methods = [{"method": "sally"}, {"method": "alice", "epochs": 3}]
    again = run_study(study(folder, methods=methods), "run")
    assert outcomes(again)["events"] == "reused"
    assert (again.parts.trained.made, again.parts.results.made) == (1, 1)
    assert times(folder, "inference/**/*.npz") | times(folder, "inference/*.h5") == events
    assert times(folder, "models/sally/*/weights.npz") == sally

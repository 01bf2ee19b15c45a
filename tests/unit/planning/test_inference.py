"""What a plan says of an inference is what the run then does; networks and limits are stand-ins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("jax", reason="needs the extra sbi")
pytest.importorskip("h5py", reason="needs the extra sbi")

from hepflow.cli import main
from hepflow.errors import InputError
from hepflow.inference import run_study
from hepflow.inference.workflow import figures, results, training
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.planning import forecast_study
from hepflow.planning.explain import explain, part_rows
from tests.unit.inference.workflow.small import study

METHODS = [{"method": "sally"}, {"method": "alice"}]
CHECKED = {"plots": ["samples", "losses"], "events": 60, "training": {"ensemble": 2}}
BASIS = "jobs/morphing_basis_vector"
RAN = {"runs": "ran", "partly": "ran", "reused": "reused"}


def train(task):
    history = {"training": [1.0, 0.5], "validation": [1.0, 0.6], "best_epoch": 1}
    for name in training.FILES:
        text = json.dumps({**history, "seed": task.seed})
        (training.Path(task.folder) / name).write_text(text)


def evaluate(task):
    fit = {"converged": True, "notes": [], "label": task.label}
    return {"limits": {"fit": fit, "scan": None, "regions": []}, "information": [1]}


def draw(task):
    path = task.folder / f"{task.name}.png"
    path.write_bytes(repr(task.content).encode())
    return [path]


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    stand_in(monkeypatch)


def stand_in(patch):
    patch.setattr(training, "train_one", train)
    patch.setattr(results, "evaluate", evaluate)
    patch.setattr(figures, "write_figure", draw)


def small(folder, changes=None, **inference):
    changes = {"general": {"report": False}, **(changes or {})}
    return study(folder, changes, **{**CHECKED, **inference})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planned")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        run_study(small(folder), "run")
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "out", copy_function=shutil.copy2)
    return tmp_path / "out"


def stages(folder, *changes, **inference):
    found = forecast_study(small(folder, *changes, **inference))
    return {one.name: one for one in found.inference}


def left(folder, *changes, **inference):
    """Steps that would be made, with why; figures of which cannot be told are left out."""
    return {
        piece.name: [str(one) for one in piece.reasons]
        for stage in stages(folder, *changes, **inference).values()
        for piece in stage.pieces
        if piece.status in {"runs", "partly"}
    }


def lose(*names):
    def act(folder):
        for name in names:
            (folder / name).unlink()

    return act


# what is done to files, sections, changes of the inference, stages that run, that cannot be told
CASES = {
    "nothing": (None, {}, {}, "", ""),
    "epochs of one": (
        None,
        {},
        {"methods": [{"method": "sally"}, {"method": "alice", "epochs": 3}]},
        "training limits",
        "inference-plots",
    ),
    "numerators": (
        None, {}, {"sampling": {"numerators": "grid"}}, "training limits", "inference-plots",
    ),
    "events": (None, {}, {"events": 80}, "events training limits", "inference-plots"),
    "jobs": (None, {}, {"jobs": 2}, "events training limits", "inference-plots"),
    "levels": (None, {}, {"evaluation": {"levels": [0.5]}}, "limits", "inference-plots"),
    "one method less": (None, {}, {"methods": METHODS[:1]}, "", ""),
    "a network more": (
        None, {}, {"training": {"ensemble": 3}}, "training limits", "inference-plots",
    ),
    "range": (
        None,
        {},
        {"evaluation": {"ranges": {"C_LL": [-0.5, 0.5]}}},
        "limits",
        "inference-plots",
    ),
    "unit": (
        None,
        {},
        {
            "parameters": [
                {"name": "C_LL", "range": [-1.0, 1.0], "unit": "1/GeV$^2$"},
                {"name": "C_RR", "range": [-1.0, 1.0]},
            ]
        },
        "events limits inference-plots",
        "",
    ),
    "look": (None, {"plotting": {"experiment": "Mine"}}, {}, "inference-plots", ""),
    "lost network": (lose("models/sally/member_0/weights.npz"), {}, {}, "training", ""),
    "lost events": (
        lose("inference/events.h5", "inference/jobs/sm_0.npz"),
        {}, {}, "events", "training limits inference-plots",
    ),
    "lost figure": (lose("plots/inference/samples_mass.png"), {}, {}, "inference-plots", ""),
    "cache off": (
        None,
        {"general": {"read_from_cache": False, "report": False}},
        {},
        "events training limits inference-plots",
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_run_does_what_was_planned(folder, case):
    act, sections, inference, runs, unsure = CASES[case]
    if act:
        act(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    planned = stages(folder, sections, **inference)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    status = {name: stage.status for name, stage in planned.items()}
    assert {name for name, one in status.items() if one in {"runs", "partly"}} == set(runs.split())
    assert {name for name, one in status.items() if one == "unknown"} == set(unsure.split())
    done = run_study(small(folder, sections, **inference), "run")
    outcomes = {one.name: one.outcome for one in done.stages}
    outcomes["inference-plots"] = outcomes.pop("plots")
    for name, one in status.items():
        assert one == "unknown" or RAN[one] == outcomes[name], name
    made = {"events": done.parts.physics.made, "training": done.parts.trained.made}
    made["limits"] = done.parts.results.made
    assert {n: planned[n].todo for n in made if status[n] != "unknown"} == {
        n: number for n, number in made.items() if status[n] != "unknown"
    }
    assert {one.status for one in stages(folder, sections, **inference).values()} <= {
        "reused", *(["runs"] if case == "cache off" else []),
    }  # fmt: skip


def test_reasons_name_the_part_of_the_key_down_the_chain(folder):
    chain = "jobs changed <- number of events changed"
    found = left(folder, events=80)
    assert found["jobs/sm"] == ["number of events changed"]
    assert found["events.h5"] == [chain]
    assert found["models/alice/member_1"] == ["events changed <- number of events changed"]
    assert found["histogram"] == ["events changed <- number of events changed"]
    found = left(folder, methods=[{"method": "sally"}, {"method": "alice", "epochs": 3}])
    assert found == {
        "models/alice/member_0": ["settings changed"],
        "models/alice/member_1": ["settings changed"],
        "alice": ["networks changed <- settings changed"],
    }
    assert left(folder, sampling={"numerators": "grid"})["alice"] == [
        "networks changed <- sample changed"
    ]
    lost = lose("models/sally/member_0/weights.npz")
    lost(folder)
    assert left(folder) == {"models/sally/member_0": ["what was stored is not there any more"]}


@pytest.mark.parametrize(
    ("evaluation", "made"),
    [
        ({"histogram": {"bins": 5}}, {"histogram"}),
        ({"histogram": {"enabled": False}}, set()),
        ({"information": False}, {"sally", "alice", "histogram"}),
        ({"calibration": True}, {"sally", "alice"}),
        ({"calibrate": True}, {"alice"}),
        ({"rate": False}, {"sally", "alice", "histogram", "exact"}),
    ],
)
def test_only_what_listens_to_a_setting_is_evaluated_anew(folder, evaluation, made):
    assert set(left(folder, evaluation=evaluation)) == made


def test_before_the_first_run_all_is_to_be_done_and_nothing_is_written(tmp_path):
    found = stages(tmp_path / "none")
    assert {one.status for one in found.values()} == {"runs"}
    assert [one.count for one in found.values()] == [
        "6 of 6 jobs", "4 of 4 networks", "4 of 4 methods", "",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_ranges_and_powers_of_parameters_count_where_they_matter(folder):
    points = {
        one.name: dict(zip(("C_LL", "C_RR"), one.values, strict=True))
        for one in PhysicsSpec.of(small(folder)).benchmarks
    }

    def changed(low, power):
        names = ("C_LL", "C_RR")
        own = [{"name": one, "range": [low, 1.0], "max_power": power} for one in names]
        found = left(folder, parameters=own, benchmarks=points)
        assert found.pop("events.h5") == ["parameters changed"]
        assert not any(one.startswith("jobs") for one in found)
        done = run_study(small(folder, parameters=own, benchmarks=points), "run").parts
        assert done.trained.made == sum(one.startswith("models") for one in found)
        assert done.results.made == 4
        return found

    wider = changed(-1.5, 2)
    assert wider["models/alice/member_0"] == ["sample changed"]  # numerators of a prior
    assert "models/sally/member_0" not in wider
    assert wider["sally"] == wider["exact"] == ["events changed <- parameters changed"]
    lower = changed(-1.0, 1)  # another polynomial between the same benchmarks
    assert lower["models/sally/member_0"] == ["events changed <- parameters changed"]


def test_without_plots_and_with_what_cannot_run(folder):
    off = stages(folder, {"plotting": {"enabled": False}})["inference-plots"]
    assert (off.status, off.why) == ("left out", "plotting.enabled is off")
    observed = folder / "observed.csv"
    data = {"data": "observed", "observed": str(observed)}
    fails = stages(folder, evaluation=data)
    assert {one.status for one in fails.values()} == {"fails"}
    assert "there is no file" in fails["events"].why
    observed.write_text("mass,rapidity\n91,0\n")
    wrong = stages(folder, evaluation=data)
    assert wrong["events"].status == "reused"
    assert {wrong[one].status for one in ("training", "limits", "inference-plots")} == {"fails"}
    assert "no column 'cos_theta'" in wrong["limits"].why


def test_events_of_files(folder, tmp_path):
    def found(*files):
        process = {"source": "event_file", "files": list(map(str, files))}
        planned = forecast_study(study(tmp_path / "mine", process=process)).inference
        return {one.name: one for one in planned}

    missing = found(tmp_path / "no.h5")
    assert {one.status for one in missing.values()} == {"fails"}
    assert "there is no file" in missing["events"].why
    named = found(folder / "inference/events.h5")
    assert [one.name for one in named["events"].pieces] == ["jobs/file_0", "events.h5"]
    assert named["events"].count == "1 of 1 jobs"
    # the parameters are those of the file, which is read when it is joined
    assert {named[one].status for one in ("training", "limits", "inference-plots")} == {"unknown"}
    assert "hangs on the events" in named["training"].why


@pytest.mark.parametrize(
    ("artifact", "stage", "pieces"),
    [
        ("inference/events.h5", "events", {"events.h5"}),
        ("inference/events.json", "events", {"events.h5"}),
        ("inference/jobs/sm_0.npz", "events", {"jobs/sm"}),
        ("inference/jobs/morphing_basis_vector_2_0.npz", "events", {f"{BASIS}_2"}),
        ("models/alice", "training", {"models/alice/member_0", "models/alice/member_1"}),
        ("models/alice/member_1/history.json", "training", {"models/alice/member_1"}),
        ("inference/methods/exact.json", "limits", {"exact"}),
        ("inference/limits.json", "limits", {"sally", "alice", "histogram", "exact"}),
        ("inference", "limits", {"sally", "alice", "histogram", "exact"}),
        ("plots/inference/losses_sally.png", "inference-plots", {"plots/inference/losses_sally"}),
        ("limits", "limits", {"sally", "alice", "histogram", "exact"}),
    ],
)  # fmt: skip
def test_why_finds_the_step_of_a_file(folder, artifact, stage, pieces):
    found = explain(forecast_study(small(folder)), artifact)
    assert found.stage.name == stage
    assert {one.name for one in found.pieces} == pieces
    assert {one.status for one in found.pieces} == {"reused"}
    assert found.made is not None


def test_why_tells_parts_and_settings(folder):
    found = explain(forecast_study(small(folder, events=80)), "models/sally/member_0")
    (piece,) = found.pieces
    states = {row.name: row.state for row in part_rows(piece)}
    assert states["events"] == "changed"
    assert states["settings"] == "same"
    assert ("inference.events", "60", "80") in [
        (one.path, one.before, one.now) for one in found.settings
    ]


@pytest.mark.parametrize(
    ("artifact", "told"),
    [
        ("inference/run.json", "each run writes it anew"),
        ("config/resolved.json", "each run writes it anew"),
        ("inference/methods/carl.json", "Did you mean"),
        ("inference/other.txt", "neither a stage"),
        ("metadata", "Stages are events, training, limits, inference-plots"),
        ("histograms/histograms.root", "neither a stage"),
        ("nothing", "neither a stage"),
    ],
)
def test_what_why_does_not_know_is_one_error(folder, artifact, told):
    with pytest.raises(InputError, match=told):
        explain(forecast_study(small(folder)), artifact)


def test_the_commands(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "s.json").write_text(json.dumps(small(folder).to_dict()))
    monkeypatch.chdir(tmp_path)
    one = ["--config", "s.json", "--inference.training.epochs=3"]
    for words in (["sbi", "plan"], ["plan"]):
        assert main([*words, *one]) == 0
        shown = capsys.readouterr().out
        assert "runs: 4 of 4 networks" in shown
        assert "settings changed" in shown
        assert main([*words, *one, "--json", "-"]) == 0
        found = {stage["name"]: stage for stage in json.loads(capsys.readouterr().out)}
        assert found["training"]["why"] == ["settings changed"]
        assert found["training"]["command"] == "hepflow sbi run"
        assert found["events"]["runs"] is False
    assert main(["why", "out/models/sally/member_0/model.json", *one, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["why"] == ["settings changed"]
    assert main(["plan", "--variations", "--config", "s.json"]) == 2
    assert "no datasets" in capsys.readouterr().err
    assert main(["sbi", "plan", "--events", "e.h5"]) == 2
    assert "tells of those that run makes" in capsys.readouterr().err


def test_a_plan_does_not_import_jax(folder, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps(small(folder).to_dict()))
    told = (
        "import sys; from hepflow.cli import main; main(['sbi', 'plan', '--config', 's.json']); "
        "print([name for name in ('jax', 'optax', 'equinox', 'pythia8mc') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "nothing to do" in done.stdout

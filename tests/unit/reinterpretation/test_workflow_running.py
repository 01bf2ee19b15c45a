"""Steps run in folders of their own, are kept, and are run again where something has changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hepflow.cli import main
from hepflow.errors import ExecutionError, InputError, StorageError
from hepflow.reinterpretation.workflows import (
    WorkflowResult,
    caching,
    load_workflow,
    run_workflow,
)
from hepflow.reinterpretation.workflows.caching import opened
from hepflow.reinterpretation.workflows.executing import Processes
from hepflow.reinterpretation.workflows.secrets import Redaction
from hepflow.reinterpretation.workflows.selecting import _grouped
from hepflow.reinterpretation.workflows.specification import Process, Scatter
from tests.unit.reinterpretation import workflow_files as made


def _run(files: tuple[Path, Path], workdir: Path | None = None, **options) -> WorkflowResult:
    plan = load_workflow(files[0], [files[1]])
    return run_workflow(plan, workdir or files[0].parent / "run", trusted=True, **options)


def _ran(result: WorkflowResult) -> list[str]:
    return [step.name for step in result.steps if not step.reused]


def _one(folder: Path, cmd: str, publish=None, parameters=None, **publisher) -> tuple[Path, Path]:
    what = made.step(cmd, publish or {}, **publisher)
    return made.write(folder, [made.stage("one", [], parameters or {}, what)], {})


def test_a_chain_of_single_and_multiple_steps(tmp_path):
    result = _run(made.write_chain(tmp_path), workers=2)
    all_of_it = Path(result.outputs["join"]["all"])
    assert all_of_it == tmp_path / "run" / "join" / "all.txt"
    assert all_of_it.read_text() == "a\nb\na note; with 'signs'\n"
    assert [step.name for step in result.steps] == ["copy_0", "copy_1", "join"]
    assert (tmp_path / "run/logs/join.log").read_text().startswith("$ sh -c\ncat /")


def test_what_has_finished_is_reused_and_what_changed_is_not(tmp_path):
    files = made.write_chain(tmp_path)
    assert _ran(_run(files)) == ["copy_0", "copy_1", "join"]
    first = _run(files)
    assert _ran(first) == []
    assert first.outputs == _run(files).outputs
    (tmp_path / "b.txt").write_text("new\n")
    assert _ran(_run(files)) == ["copy_1", "join"]
    (tmp_path / "run/copy_0/copy.txt").write_text("by hand\n")  # noticed, and made again as it was
    assert _ran(_run(files)) == ["copy_0"]
    (tmp_path / "run/join/all.txt").unlink()
    assert _ran(_run(files)) == ["join"]
    files[1].write_text(json.dumps({"files": "?.txt", "note": "other"}))
    assert _ran(_run(files)) == ["join"]
    (tmp_path / "run/_hepflow/join.json").write_text("{}")
    assert _ran(_run(files)) == ["join"]
    record = tmp_path / "run/_hepflow/join.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "version": 0}))
    assert _ran(_run(files)) == ["join"]


def test_scripts_that_a_command_names_and_folders_of_inputs_count(tmp_path):
    script, data = tmp_path / "make.sh", tmp_path / "data"
    script.write_text("ls $1")
    data.mkdir()
    (data / "x").write_text("1")
    files = _one(tmp_path, f"sh {script} {{data}}; cat <<E\nit's\nE\n", None, {"data": str(data)})
    assert _ran(_run(files)) == ["one"]
    assert _ran(_run(files)) == []
    script.write_text("ls -l $1")
    assert _ran(_run(files)) == ["one"]
    (data / "x").write_text("2")
    assert _ran(_run(files)) == ["one"]
    assert _ran(_run(files)) == []


def test_folders_without_end_are_not_followed(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(caching, "_MOST_FILES", 1)
    data = tmp_path / "data"
    data.mkdir()
    for name in "ab":
        (data / name).write_text("")
    _run(_one(tmp_path, "ls {data}", None, {"data": str(data)}))
    assert f"{data} has more than 1 files: changes in it do not run a step again." in caplog.text


def test_a_failing_step_is_named_with_the_end_of_its_log(tmp_path):
    files = made.write_chain(tmp_path)
    stages = made.chain()
    stages[1]["scheduler"]["step"]["process"]["cmd"] = "seq 30; printf 'oops\\033[2K' >&2; exit 3"
    made.write(tmp_path, stages, json.loads(files[1].read_text()))
    with pytest.raises(ExecutionError) as caught:
        _run(files)
    text = str(caught.value)
    assert text.startswith("step join failed: it ended with exit code 3. The last lines of /")
    assert text.splitlines()[1:] == [
        *(f"    {n}" for n in range(22, 31)),
        "    oops?[2K",
        "2 finished steps are kept for the next run.",
    ]
    made.write(tmp_path, made.chain(), json.loads(files[1].read_text()))
    assert _ran(_run(files)) == ["join"]


@pytest.mark.parametrize(
    ("cmd", "publish", "more", "message"),
    [
        ("kill -9 $$", {}, {}, "it was ended by signal SIGKILL. It said nothing"),
        (
            "touch a",
            {"x": "b"},
            {"relative_paths": True},
            "did not make b, which it publishes. Its folder holds: a.",
        ),
        (
            "true",
            {"x": "{workdir}/b/"},
            {},
            "did not make b, which it publishes. Its folder holds: nothing.",
        ),
    ],
)
def test_how_a_step_can_fail(tmp_path, cmd, publish, more, message):
    with pytest.raises(ExecutionError, match="step one failed") as caught:
        _run(_one(tmp_path, cmd, publish, **more))
    assert message in str(caught.value)


def test_of_many_steps_the_failed_one_is_named_and_no_more_are_begun(tmp_path):
    what = made.step("echo {x}; exit {x}", {})
    scatter = {"method": "cartesian", "parameters": ["x"]}
    files = made.write(
        tmp_path, [made.stage("many", [], {"x": [0, 1, 0]}, what, scatter=scatter)], {}
    )
    with pytest.raises(ExecutionError, match=r"step many_1 \(2 of 3\) failed: it ended with exit"):
        _run(files)
    assert not (tmp_path / "run/many_2").exists()


def test_publishers(tmp_path):
    def publishing(
        name, publisher, cmd="mkdir d; touch d/a.txt d/b.txt; echo '{{k: [1]}}' > y.yml"
    ):
        what = {**made.step(cmd, {}), "publisher": publisher}
        parameters = {"out": "{workdir}/d", "n": ["p", "q"], "k": 2}
        return made.stage(name, [], parameters, what)

    interpolated = {"publisher_type": "interpolated-pub"}
    publish = {"l": ["{workdir}/{k}", "{n[0]}"], "n": 3}
    stages = [
        publishing("plain", {**interpolated, "publish": publish}, "touch {k} {n[0]}"),
        publishing("rel", {**interpolated, "publish": "d", "relative_paths": True}),
        publishing(
            "glob",
            {
                **interpolated,
                "publish": {"g": "*/*.txt", "none": "*.no"},
                "glob": True,
                "relative_paths": True,
            },
        ),
        publishing(
            "par", {"publisher_type": "frompar-pub", "outputmap": {"o": {"p": "out"}, "n": "n"}}
        ),
        publishing(
            "fromglob",
            {"publisher_type": "fromglob-pub", "outputkey": "f", "globexpression": "d/*"},
        ),
        publishing("const", {"publisher_type": "constant-pub", "publish": {"c": [1, "x"]}}),
        publishing("yaml", {"publisher_type": "fromyaml-pub", "yamlfile": "y.yml"}),
    ]
    run = str(tmp_path / "run")
    both = [f"{run}/{{}}/d/a.txt", f"{run}/{{}}/d/b.txt"]
    assert _run(made.write(tmp_path, stages, {})).outputs == {
        "plain": {"l": [f"{run}/plain/2", "p"], "n": 3},
        "rel": f"{run}/rel/d",
        "glob": {"g": [one.format("glob") for one in both], "none": "*.no"},
        "par": {"o": {"p": f"{run}/par/d"}, "n": ["p", "q"]},
        "fromglob": {"f": [one.format("fromglob") for one in both]},
        "const": {"c": [1, "x"]},
        "yaml": {"k": [1]},
    }
    stages = [publishing("yaml", {"publisher_type": "fromyaml-pub", "yamlfile": "no.yml"})]
    with pytest.raises(ExecutionError, match="what is to be published can't be read: cannot read"):
        _run(made.write(tmp_path, stages, {}), tmp_path / "other")


def test_scripts_have_their_interpreter_and_nothing_to_run_publishes(tmp_path):
    what = made.step("", {"out": "o.txt"}, relative_paths=True)
    script = "import sys\nopen('o.txt', 'w').write('{word} {{}}')\nprint(1, flush=True)"
    what["process"] = {
        "process_type": "interpolated-script-cmd",
        "script": script,
        "interpreter": f"{sys.executable} -",
    }
    shell = made.step("", {})
    shell["process"] = {"process_type": "interpolated-script-cmd", "script": "exit 0\n" * 20_000}
    parameters = {"got": made.reference("step", "py", "out")}
    published = {"publisher_type": "frompar-pub", "outputmap": {"file": "got"}}
    nothing = {"process": None, "environment": None, "publisher": published}
    stages = [
        made.stage("py", [], {"word": "it is"}, what),
        made.stage("sh", [], {}, shell),
        made.stage("last", ["py"], parameters, nothing),
    ]
    result = _run(made.write(tmp_path, stages, {}))
    assert Path(result.outputs["last"]["file"]).read_text() == "it is {}"
    assert (tmp_path / "run/logs/py.log").read_text().endswith("\n---\n1\n")
    assert [step.log for step in result.steps] == ["logs/py.log", "logs/sh.log", ""]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [["a", "b"], ["c"]]),
        ({"flatten": True}, ["a", "b", "c"]),
        ({"unwrap": True}, [["a", "b"], ["c"]]),
    ],
)
def test_batches_and_lists_of_lists(tmp_path, more, expected):
    what = {
        **made.step("true", {}),
        "publisher": {"publisher_type": "frompar-pub", "outputmap": {"x": "x"}},
    }
    scatter = {"method": "zip", "parameters": ["x"]}
    stages = [
        made.stage("deal", [], {"x": ["a", "b", "c"]}, what, scatter=scatter, batchsize=2),
        made.stage("all", ["deal"], {"x": made.reference("stages", "deal[*]", "x", **more)}, what),
        made.stage(
            "each",
            ["deal"],
            {"x": made.reference("step", "deal[0]", "x")},
            what,
            scatter=scatter,
        ),
        made.stage("second", ["deal"], {"x": made.reference("step", "deal[1]", "x[0]")}, what),
    ]
    result = _run(made.write(tmp_path, stages, {}))
    assert result.outputs == {
        "all": {"x": expected},
        "each": [{"x": "a"}, {"x": "b"}],
        "second": {"x": "c"},
    }


def test_partitions_are_dealt_out_as_yadage_does():
    scatter = Scatter((), "zip", partitions=3)
    assert _grouped(list(range(8)), scatter) == [[0, 1], [2, 3, 4], [5, 6, 7]]
    assert _grouped([1], scatter) == [[1]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("step", "deal[5]", "x"), r"one step of deal is asked for, and it has 2"),
        (("step", "deal[0]", "k[7]"), r"nothing is published as 'k\[7\]'. Valid: k."),
    ],
)
def test_what_only_a_run_tells(tmp_path, asked, message):
    publisher = {"publisher_type": "fromyaml-pub", "yamlfile": "y.yml"}
    what = {**made.step("echo 'k: [1]' > y.yml", {}), "publisher": publisher}
    scatter = {"method": "zip", "parameters": ["x"]}
    files = made.write(
        tmp_path,
        [
            made.stage("deal", [], {"x": [1, 2]}, what, scatter=scatter),
            made.stage("all", ["deal"], {"x": made.reference(*asked)}, made.step("{x}", {})),
        ],
        {},
    )
    with pytest.raises(ExecutionError, match=message):
        _run(files)


def test_a_stage_without_steps_is_done(tmp_path):
    scatter = {"method": "zip", "parameters": ["x"]}
    what = made.step("echo {x}", {"o": "{x}"})
    parts = {"x": made.reference("stages", "none", "o")}
    stages = [
        made.stage("none", [], {"x": []}, what, scatter=scatter),
        made.stage("all", ["none"], parts, made.step("echo {x}", {"o": "1"})),
    ]
    assert _run(made.write(tmp_path, stages, {})).outputs == {"all": {"o": "1"}}


def test_steps_see_few_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_SEEN", "1")
    monkeypatch.setenv("HF_UNSEEN", "1")
    files = _one(tmp_path, "env > env.txt")
    _run(files, variables=["HF_SEEN"])
    seen = (tmp_path / "run/one/env.txt").read_text()
    assert "HF_SEEN=1\n" in seen
    assert "PATH=" in seen
    assert "HF_UNSEEN" not in seen


def test_nothing_runs_untrusted_or_in_a_folder_of_others(tmp_path):
    files = _one(tmp_path, "touch ran")
    plan = load_workflow(files[0], [files[1]])
    with pytest.raises(InputError, match="nothing was run: a workflow runs commands"):
        run_workflow(plan, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="--workers: 0 is not a number of steps"):
        run_workflow(plan, tmp_path / "run", trusted=True, workers=0)
    mine = tmp_path / "run/one/thesis.tex"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(ExecutionError, match=r"run/one is there, and not from a run of a workflow"):
        _run(files)
    assert mine.read_text() == "years of work"


def test_one_run_at_a_time_and_folders_that_cannot_be_made(tmp_path):
    files = _one(tmp_path, "true")
    with opened(tmp_path / "run"), pytest.raises(InputError, match="another run, or a step"):
        _run(files)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot work in"):
        _run(files, tmp_path / "file")
    _run(files)
    (tmp_path / "run/logs/one.log").unlink()
    (tmp_path / "run/logs/one.log").mkdir()
    made.write(tmp_path, [made.stage("one", [], {}, made.step("echo 2", {}))], {})
    with pytest.raises(ExecutionError, match=r"cannot write .*one\.log: Is a directory"):
        _run(files)
    (tmp_path / "run/one").rmdir()
    (tmp_path / "run/one").write_text("")
    with pytest.raises(ExecutionError, match=r"cannot make .*/run/one anew"):
        _run(files)


def test_processes_that_cannot_begin(tmp_path):
    log = tmp_path / "x.log"
    processes = Processes({"PATH": os.environ["PATH"]}, Redaction([]), 0)
    with pytest.raises(ExecutionError, match="/no/such can't be run: No such file"):
        processes.run(Process("x", "/no/such", ""), "x", tmp_path, log)
    processes.stop()
    with pytest.raises(ExecutionError, match="not begun, because the run was stopped"):
        processes.run(Process("x", None, ""), "x", tmp_path, log)


def _begin(folder: Path) -> subprocess.Popen[bytes]:
    """A run whose second step waits for a file; returns when that step has begun."""
    stages = made.chain()
    process = stages[1]["scheduler"]["step"]["process"]
    process["cmd"] += "; echo $$ > pid; while [ ! -e {go} ]; do sleep 0.02; done"
    stages[1]["scheduler"]["parameters"].append({"key": "go", "value": str(folder / "go")})
    made.write_chain(folder)
    made.write(folder, stages, {"files": "?.txt", "note": "x"})
    words = ["workflow", "run", "workflow.yml", "inputs.yml", "--trust", "--workdir", "run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "hepflow.cli", *words], cwd=folder, stderr=subprocess.PIPE
    )
    pid = folder / "run/join/pid"
    deadline = time.monotonic() + 60
    while not (pid.exists() and pid.read_text().strip()):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.02)
    return run


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    run = _begin(tmp_path)
    run.kill()
    run.communicate()
    plan = load_workflow(tmp_path / "workflow.yml", [tmp_path / "inputs.yml"])
    with pytest.raises(InputError, match="a step that it left behind, works in"):
        run_workflow(plan, tmp_path / "run", trusted=True)
    (tmp_path / "go").write_text("")  # the step that was left behind ends
    deadline = time.monotonic() + 60
    while True:
        try:
            with opened(tmp_path / "run"):
                break
        except InputError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert _ran(run_workflow(plan, tmp_path / "run", trusted=True)) == ["join"]


def test_an_interrupted_run_ends_its_steps(tmp_path):
    run = _begin(tmp_path)
    pid = int((tmp_path / "run/join/pid").read_text())
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"interrupted. What was finished is kept" in said
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_command(tmp_path, monkeypatch, capsys):
    made.write_chain(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["workflow", "run", "workflow.yml", "inputs.yml", "--workdir", "w", "--set", "extra=1"]
    assert main(words) == 2
    shown = capsys.readouterr()
    assert "copy_0   cat " in shown.out
    assert "--set extra: no stage uses this input." in shown.out
    assert "nothing was run" in shown.err
    assert not (tmp_path / "w").exists()
    assert main([*words, "--trust", "--json", "r.json"]) == 0
    assert "join     ran " in capsys.readouterr().out
    first = json.loads((tmp_path / "r.json").read_text())
    assert main([*words, "--trust", "--json", "-"]) == 0
    shown = capsys.readouterr()
    assert "join     reused " in shown.err
    again = json.loads(shown.out)
    assert (
        again["outputs"] == first["outputs"] == {"join": {"all": str(tmp_path / "w/join/all.txt")}}
    )
    assert [step["reused"] for step in again["steps"]] == [True, True, True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["workflow", "rum"], "hepflow workflow has no action 'rum'. Did you mean 'run'?"),
        (["workflow"], ""),
        (["workflow", "run", "w.yml", "--set", "x"], "--set takes NAME=VALUE"),
        (["workflow", "run", "none.yml"], "none.yml: cannot read"),
    ],
)
def test_what_the_command_refuses(words, message, capsys):
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_failing_step_fails_the_command_with_its_warnings(tmp_path, capsys):
    files = _one(tmp_path, "exit 4")
    words = [str(files[0]), str(files[1]), "--set", "x=1", "--workdir", str(tmp_path / "w")]
    assert main(["workflow", "run", *words, "--trust"]) == 1
    told = capsys.readouterr().err
    assert "step one failed: it ended with exit code 4." in told
    assert "warning: --set x: no stage uses this input." in told

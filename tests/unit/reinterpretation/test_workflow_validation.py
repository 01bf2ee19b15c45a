"""What is wrong in a workflow is told before the first step, all at once."""

from __future__ import annotations

import contextlib
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepflow.reinterpretation.workflows import WorkflowError, load_workflow
from tests.unit.reinterpretation import workflow_files as made


def _told(folder: Path, stages: Any, inputs: Any = None, **options: Any) -> list[str]:
    """Problems of a workflow; none must run a step or make a folder."""
    files = made.write(folder, stages, {} if inputs is None else inputs)
    with pytest.raises(WorkflowError) as caught:
        load_workflow(files[0], [files[1]], **options)
    assert "nothing was run" in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def _single(parameters: Any, cmd: str = "true", publish: Any = None, after: Any = ()) -> Any:
    return made.stage("one", list(after), parameters, made.step(cmd, publish or {}))


def test_a_sound_workflow_has_its_commands(tmp_path):
    files = made.write_chain(tmp_path)
    plan = load_workflow(files[0], [files[1]], settings={"note": '"a b"', "extra": "{"})
    assert plan.commands == {
        "copy_0": f"cat {tmp_path}/a.txt > copy_0/copy.txt",
        "copy_1": f"cat {tmp_path}/b.txt > copy_1/copy.txt",
        "join": "cat <copy.copied> > join/all.txt; echo 'a b' >> join/all.txt",
    }
    assert plan.warnings == ("--set extra: no stage uses this input.",)


def test_all_problems_are_told_at_once(tmp_path):
    stages = made.chain()
    join = stages[1]
    join["dependencies"]["expressions"] = ["copyy"]
    join["scheduler"]["parameters"][1]["value"]["output"] = "notes"
    join["scheduler"]["step"]["process"]["cmd"] = "cat {parst}"
    join["scheduler"]["step"]["publisher"]["publish"] = {"all": "{workdirr}/x"}
    told = _told(tmp_path, stages, {"files": "gone.txt", "note": "x", "password": "hunter22"})
    where = "workflow.yml: stages[1].scheduler"
    assert told == [
        (
            "inputs.yml: password: 'password' is named like a credential, and its value is not a "
            "reference. Give a reference: env:NAME for an environment variable, file:PATH for a "
            "file of mode 0600; Kerberos tickets, proxies and token files are found by their own "
            "variables."
        ),
        f"{where}: dependencies: there is no stage 'copyy'. Did you mean 'copy'?",
        (
            f"inputs.yml: files: there is no file 'gone.txt' in {tmp_path}. Name its folder with "
            "--initdir, or give a path that exists."
        ),
        (
            f"{where}.parameters[0].value: it takes an output of 'copy' and does not wait for it. "
            "Add 'copy' to the dependencies."
        ),
        f"{where}.parameters[1].value: the inputs have no value 'notes'. Did you mean 'note'?",
        (
            f"{where}.step.process.cmd: {{parst}} is a placeholder that nothing fills. "
            "Did you mean 'parts'? Braces that are none are doubled."
        ),
        (
            f"{where}.step.publisher.publish.all: {{workdirr}} is a placeholder that nothing "
            "fills. Did you mean 'workdir'? Braces that are none are doubled."
        ),
    ]


def _edited(path: str, value: Any) -> list[dict[str, Any]]:
    """The chain with one entry changed; `path` has slashes."""
    stages = deepcopy(made.chain())
    at: Any = stages
    *way, last = [int(key) if key.isdecimal() else key for key in path.split("/")]
    for key in way:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return stages


_SCHEDULER = "0/scheduler"
_STEP = f"{_SCHEDULER}/step"
_PUBLISHER = {"publisher_type": "frompar-pub", "outputmap": {"copied": "outt"}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("0/nam", "x", "stages[0]: unknown key 'nam'. Did you mean 'name'?"),
        ("0/name", None, "stages[0]: 'name' is missing"),
        ("0/name", "logs", "'logs' can't be the name of a stage. Letters"),
        ("1/name", "copy_7", "its name is also that of a step of the scattered stage 'copy'"),
        ("0/name", "a/b", "'a/b' can't be the name of a stage"),
        ("0/name", 3, "name must be a text, not int '3'"),
        ("0/name", "join", "two stages have the name 'join'"),
        ("0/scheduler", [], "scheduler must be a mapping, not list"),
        (
            f"{_SCHEDULER}/scheduler_type",
            "multistage",
            "scheduler_type 'multistage' is not run. Did",
        ),
        (f"{_SCHEDULER}/workflow", {}, "'workflow' is not run here"),
        (f"{_SCHEDULER}/scatter/method", "zipp", "method 'zipp' is not run. Did you mean 'zip'?"),
        (f"{_SCHEDULER}/scatter/parameters", ["fil"], "there is no parameter 'fil'. Did you mean"),
        (f"{_SCHEDULER}/scatter/parameters", [], "at least one is to be scattered"),
        (f"{_SCHEDULER}/batchsize", 0, "batchsize must be a whole number from 1, not int '0'"),
        (f"{_SCHEDULER}/parameters", [3], "a mapping with 'key' and 'value' is expected here"),
        (
            f"{_SCHEDULER}/step",
            {"$ref": "#/x"},
            "$ref '#/x': workflow.yml has no 'x'. Valid: stages.",
        ),
        (f"{_SCHEDULER}/step", {"$ref": "s.yml#/x"}, "cannot read"),
        (f"{_SCHEDULER}/step", {"$ref": "https://a.b/s.yml"}, "is a URL; files of this machine"),
        (f"{_SCHEDULER}/step", {"$ref": "#/stages/0/scheduler/step"}, "leads back to itself"),
        (
            f"{_SCHEDULER}/parameters/0/value",
            {"a": {"$ref": "#/stages/0/scheduler/parameters/0/value"}},
            "a $ref leads back to what it is in",
        ),
        (f"{_STEP}/process", "cmd", "a mapping with 'process_type' is expected here"),
        (
            f"{_STEP}/process/process_type",
            "string-cmd",
            "process_type 'string-cmd' is not run. Did",
        ),
        (
            f"{_STEP}/process/cmd",
            "cat {fil} > {out}",
            "{fil} is a placeholder that nothing fills. Did you mean 'file'?",
        ),
        (
            f"{_STEP}/process/cmd",
            "cat {workdir}",
            "Add a parameter workdir: '{workdir}' to the stage.",
        ),
        (f"{_STEP}/process/cmd", "cat {", "Write {{ and }} for braces"),
        (f"{_STEP}/process/cmd", "cat `{file}`", "{file} stands in backticks, where no quoting"),
        (
            f"{_STEP}/process/cmd",
            "x --key AKIAABCDEFGHIJKLMNOP",
            "the value of 'cmd' looks like a credential",
        ),
        (
            f"{_STEP}/process",
            {"process_type": "interpolated-script-cmd", "script": "x", "interpreter": "pythonn9"},
            "the interpreter 'pythonn9' is not on the PATH",
        ),
        (
            f"{_STEP}/publisher/publisher_type",
            "fromparjq-pub",
            "publisher_type 'fromparjq-pub' is not run",
        ),
        (f"{_STEP}/publisher/glob", "yes", "glob must be true or false, not str 'yes'"),
        (f"{_STEP}/publisher/publish", {"copied": "{"}, "publish.copied: Single '{'"),
        (
            f"{_STEP}/publisher",
            _PUBLISHER,
            "there is no parameter 'outt' to publish. Did you mean 'out'?",
        ),
        (
            f"{_STEP}/environment",
            {"environment_type": "noop-env"},
            "environment_type 'noop-env' is not run",
        ),
        (
            f"{_STEP}/environment",
            {"environment_type": "docker-encapsulated", "image": "a/b"},
            "in the container a/b:latest, and no container engine is used here. Give --ignore-env",
        ),
        ("1/dependencies", "copy", "a list of names of stages is expected here"),
        (
            "1/dependencies/dependency_type",
            "expressions_fulfilled",
            "'expressions_fulfilled' is not run",
        ),
        ("1/dependencies/expressions", ["$..copy"], "'$..copy' is not the name of a stage; other"),
        (
            "0/dependencies/expressions",
            ["join"],
            "stages wait for each other: copy -> join -> copy",
        ),
        (
            "1/scheduler/parameters/0/value/stages",
            "coppy",
            "there is no stage 'coppy'. Did you mean 'copy'?",
        ),
        (
            "1/scheduler/parameters/0/value/stages",
            "a.b",
            "stages: 'a.b' is not the name of a stage. Names such as",
        ),
        (
            "1/scheduler/parameters/0/value/output",
            "copid",
            "stage 'copy' does not publish 'copid'. Did you mean 'copied'?",
        ),
        (
            "1/scheduler/parameters/0/value",
            made.reference("step", "copy", "copied"),
            "'copy' has several steps, and 'step:' asks for one. Use 'stages:'",
        ),
        (
            "1/scheduler/parameters/0/value/expression_type",
            "fromvalue",
            "expression_type 'fromvalue' is not run",
        ),
        (
            "1/scheduler/parameters/2/value",
            "{other}/x",
            "{other} is a placeholder that nothing fills. Valid: workdir.",
        ),
        ("1/scheduler/parameters/2/value", "{", "Single '{' encountered"),
        (
            "1/scheduler/parameters/2",
            {"key": "api_token", "value": "abc"},
            "'api_token' is named like a credential",
        ),
    ],
)
def test_each_problem(tmp_path, path, value, message):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
    told = _told(tmp_path, _edited(path, value), {"files": "?.txt", "note": "x"})
    assert any(message in one for one in told), told


@pytest.mark.parametrize(
    ("stages", "inputs", "message"),
    [
        ([], {}, "stages: there is no stage"),
        ([3], {}, "stages[0]: a mapping is expected here, not int '3'"),
        (["x"], [], "inputs.yml: a mapping of names to values is expected in it"),
        ([_single({"x": made.init("x")}, "run {x}")], {"x": "a\0"}, "holds a NUL sign"),
        ([_single({"x": made.init("x.b")}, "run {x}")], {"x": {"a": 1}}, "nothing is published as"),
        ([_single({"x": made.init("x")}, "run {x}")], {"x": "./gone"}, "there is no file './gone'"),
        (
            [_single({"token": made.init("token")}, "run {token}")],
            {"token": "env:HF_NONE"},
            "env:HF_NONE: there is no such environment variable",
        ),
        (
            [
                _single({"x": [1]}, "run {x}")
                | {
                    "scheduler": {
                        "scheduler_type": "multistep-stage",
                        "parameters": {"x": 1},
                        "scatter": {"method": "zip", "parameters": ["x"]},
                        "step": made.step("{x}", {}),
                    }
                }
            ],
            {},
            "x is to be scattered, and it is no list",
        ),
        (
            [
                made.stage(
                    "a",
                    [],
                    {"x": [1, 2], "y": [1]},
                    made.step("{x} {y}", {}),
                    scatter={"method": "zip", "parameters": ["x", "y"]},
                )
            ],
            {},
            "lists that are zipped must be equally long: x has 2, y has 1",
        ),
    ],
)
def test_problems_of_values(tmp_path, stages, inputs, message):
    told = _told(tmp_path, stages, inputs)
    assert any(message in one for one in told), told


def _places(tree: Any, path: str = "") -> list[str]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    found = [f"{path}/{key}".removeprefix("/") for key in keys]
    return [
        *found,
        *(two for key, one in zip(keys, found, strict=True) for two in _places(tree[key], one)),
    ]


_JUNK = [
    [],
    {},
    0,
    "",
    "x",
    "{",
    [[]],
    {"a": 1},
    [{}],
    True,
    {"$ref": "#/none"},
    {"step": []},
    1.5,
    "a[0]",
]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(_places(made.chain())), st.sampled_from([None, *_JUNK]))
def test_whatever_stands_in_a_workflow_is_a_problem_or_a_plan(tmp_path, path, value):
    stages = _edited(path, value)
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
    files = made.write(tmp_path, stages, {"files": "?.txt", "note": "x"})
    with contextlib.suppress(WorkflowError):  # any other error fails the test
        assert load_workflow(files[0], [files[1]]).commands


def test_what_depends_on_a_broken_stage_is_not_told_as_well(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    told = _told(tmp_path, _edited(f"{_STEP}/publisher", None), {"files": "a.txt", "note": "x"})
    assert told == ["workflow.yml: stages[0].scheduler.step: 'publisher' is missing"]


def test_a_workflow_cannot_ask_for_any_number_of_steps(tmp_path):
    values = {name: list(range(400)) for name in "abcd"}
    scatter = {"method": "cartesian", "parameters": list(values)}
    stages = [made.stage("many", [], values, made.step("{a}", {}), scatter=scatter)]
    (told,) = _told(tmp_path, stages)
    assert told.endswith("it has 25600000000 steps; at most 100000 are run.")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(
        WorkflowError, match=r"(?s)gone\.yml: cannot read.*inputs\.yml: cannot read"
    ):
        load_workflow(tmp_path / "gone.yml", [tmp_path / "inputs.yml"])
    files = made.write_chain(tmp_path)
    with pytest.raises(WorkflowError, match=r"--initdir: .*/none is not a folder"):
        load_workflow(files[0], [files[1]], initdir=tmp_path / "none")


def test_names_of_outputs_are_no_missing_files(tmp_path):
    one = _single({"name": made.init("name"), "out": made.init("out")}, "true", {"a": "{name}"})
    other = _single({"out": made.init("out")}) | {"name": "two"}
    other["scheduler"]["step"]["publisher"] = {**_PUBLISHER, "outputmap": {"o": "out"}}
    files = made.write(tmp_path, [one, other], {"name": "plot.png", "out": "limit.json"})
    assert set(load_workflow(files[0], [files[1]]).commands) == {"one", "two"}


def test_short_forms_and_references_to_other_files(tmp_path):
    (tmp_path / "steps.yml").write_text(
        "base: {image: &e {environment_type: docker-encapsulated, image: x, resources: [CVMFS]}}\n"
        "skim/all:\n"
        "  process: {process_type: interpolated-script-cmd, script: 'echo {x} {l}'}\n"
        "  publisher: {$ref: 'pub.yml'}\n  environment: *e\n"
    )
    (tmp_path / "pub.yml").write_text("{publisher_type: constant-pub, publish: {a: [1]}}")
    workflow = tmp_path / "w.yml"
    workflow.write_text(
        "stages:\n- name: one\n  dependencies: [init]\n  scheduler:\n"
        "    scheduler_type: singlestep-stage\n"
        "    parameters: {x: {step: init, output: x}, l: [{step: init, output: x}, 2]}\n"
        "    step: {$ref: 'steps.yml#/skim~1all'}\n"
        "- name: two\n  dependencies: [one]\n  scheduler:\n"
        "    scheduler_type: singlestep-stage\n"
        "    parameters: {x: {stages: one, output: 'a[0]', unwrap: true}, l: 2020-01-01}\n"
        "    step: {$ref: '#/stages/0/scheduler/step'}\n"
    )
    plan = load_workflow(workflow, settings={"x": "1"}, initdir=tmp_path, ignore_environment=True)
    assert plan.commands == {"one": "echo 1 1 2", "two": "echo <one.a[0]> 2020-01-01"}
    assert json.dumps(plan.workflow.last) == '["two"]'

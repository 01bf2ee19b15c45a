"""The same workflow run by hepflow and by yadage itself publishes the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hepflow.reinterpretation.workflows import load_workflow, run_workflow
from tests.unit.reinterpretation import workflow_files as made

pytest.importorskip("yadage", reason="yadage is not installed")


def _by_yadage(folder: Path) -> dict[str, list]:
    """What yadage's steps publish, by name of the step."""
    script = Path(sys.executable).with_name("yadage-run")
    words = ["--no-visualize", "-d", f"initdir={folder}", "yadage", "workflow.yml", "inputs.yml"]
    done = subprocess.run(
        [script, *words],
        cwd=folder,
        env={**os.environ, "PACKTIVITY_LOGGING_DISABLE": "true"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    state = json.loads((folder / "yadage/_yadage/yadage_snapshot_workflow.json").read_text())
    return {node["name"]: node["result"] for node in state["dag"]["nodes"]}


def test_single_and_multiple_steps_publish_what_yadage_publishes(tmp_path):
    """Zip in batches, cartesian, flattened and unwrapped lists, three publishers."""
    (tmp_path / "data").mkdir()
    for name in "abc":
        (tmp_path / "data" / f"{name}.txt").write_text(f"{name}\n")
    found = {"publisher_type": "fromglob-pub", "outputkey": "text", "globexpression": "*.txt"}
    parameter = {"publisher_type": "frompar-pub", "outputmap": {"made": "out", "given": "n"}}
    deal = {**made.step("cat {files} > {out}", {}), "publisher": parameter}
    vary = {**made.step("cat {all} > {a}{b}.txt", {}), "publisher": found}
    join = made.step(
        "cat {parts} > all.txt; echo {word} > word.dat",
        {"all": "all.txt", "data": ["*.dat", "{one}"], "n": 3},
        relative_paths=True,
        glob=True,
    )
    stages = [
        made.stage(
            "deal",
            ["init"],
            {"files": made.init("files"), "out": "{workdir}/out.txt", "n": made.init("n")},
            deal,
            scatter={"method": "zip", "parameters": ["files"]},
            batchsize=2,
        ),
        made.stage(
            "vary",
            ["deal"],
            {"all": made.reference("stages", "deal", "made"), "a": ["x", "y"], "b": [1, 2]},
            vary,
            scatter={"method": "cartesian", "parameters": ["a", "b"]},
        ),
        made.stage(
            "join",
            ["vary"],
            {
                "parts": made.reference("stages", "vary", "text", flatten=True),
                "word": made.init("word"),
                "one": "all.txt",
            },
            join,
        ),
        made.stage(
            "again",
            ["join"],
            {"out": made.reference("stages", "join", "all", unwrap=True), "n": "{workdir}/x"},
            {**made.step("cat {out}; touch {n}", {}), "publisher": parameter},
        ),
    ]
    inputs = {
        "files": [f"data/{name}.txt" for name in "abc"],
        "n": [1, {"k": "v"}],
        "word": "hello",
        "one": "data/b*",
    }
    files = made.write(tmp_path, stages, inputs)
    plan = load_workflow(files[0], [files[1]])
    result = run_workflow(plan, tmp_path / "hepflow", trusted=True, workers=2)
    theirs = _by_yadage(tmp_path)
    assert plan.inputs.values == theirs.pop("init")
    ours = {step.name: step.published for step in result.steps}
    text = json.dumps(ours).replace(str(tmp_path / "hepflow"), str(tmp_path / "yadage"))
    assert json.loads(text) == theirs
    for name in ("join/all.txt", "join/word.dat", "vary_2/y1.txt"):
        assert (tmp_path / "hepflow" / name).read_text() == (tmp_path / "yadage" / name).read_text()
    assert len((tmp_path / "hepflow/join/all.txt").read_text()) == 4 * 6

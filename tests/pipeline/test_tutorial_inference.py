"""The tutorial on simulation-based inference: its configurations are valid, its blocks run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hepflow.inference.likelihood import rise
from hepflow.inference.methods.losses import LOSSES
from hepflow.schema import Study
from tests.pipeline import test_tutorial
from tests.pipeline.test_tutorial import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial_inference.md"
# What is asked for on the page, with fewer events and epochs.
_SMALL = "--inference.sampling.events=3000 --inference.training.epochs=2"
_EVENTS = "--inference.events=1500"  # where events are made


def configurations() -> dict[str, dict]:
    """The files that the page writes, by their names."""
    found = {}
    for _, language, code in blocks(PAGE):
        for name, text in re.findall(r"cat > (\w+)\.py <<'END'\n(.*?)\nEND\n", code, re.DOTALL):
            assert language == "shell"
            names: dict = {}
            exec(compile(text, name, "exec"), names)  # noqa: S102 - our own page
            found[name] = names["config"]
    return found


def test_the_configurations_are_valid():
    found = configurations()
    assert set(found) == {"study", "from_file"}
    assert [len(Study.of(one).inference.methods) for one in found.values()] == [2, 2]


def test_every_method_is_named():
    text = PAGE.read_text(encoding="utf-8")
    assert [one.title for one in LOSSES.values() if one.title not in text] == []
    assert {one.paper for one in LOSSES.values()} <= set(re.findall(r"\d{4}\.\d{5}", text))


def test_the_heights_of_contours_are_those_of_the_page():
    text = PAGE.read_text(encoding="utf-8")
    for level, parameters, written in [
        (0.95, 2, "5.99"), (0.68, 2, "2.28"), (0.95, 1, "3.84"), (0.68, 1, "0.99"),
    ]:  # fmt: skip
        assert f"{rise(level, parameters):.2f}" == written
        assert written in text


@pytest.mark.nightly
def test_the_blocks_run(tmp_path):
    binaries = Path(sys.executable).parent
    wrapper = tmp_path / "bin" / "hepflow"
    wrapper.parent.mkdir()
    real = binaries / "hepflow"
    wrapper.write_text(
        f'#!/bin/sh\nif [ "$1" = sbi ]; then part=$2; shift 2; '
        f'case "$*" in *from_file*) events=;; *) events={_EVENTS};; esac; '
        f'exec {real} sbi "$part" {_SMALL} $events "$@"; fi\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = os.pathsep.join([str(wrapper.parent), str(binaries), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, test_tutorial.__file__, str(PAGE)],
        cwd=place,
        env={**variables, "PATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert (place / "outputs_detector" / "inference" / "events.h5").exists()
    assert re.search(r"^0\.95 \(\(", done.stdout, re.MULTILINE)

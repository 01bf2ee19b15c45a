"""What starting up may load: the heavy libraries are not part of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "awkward",
    "boost_histogram",
    "cabinetry",
    "coffea",
    "correctionlib",
    "dask",
    "dask_awkward",
    "distributed",
    "hist",
    "iminuit",
    "jax",
    "loky",
    "matplotlib",
    "mplhep",
    "pyhf",
    "scipy",
    "uproot",
    "vector",
}
QUIETLY = "import contextlib, hepflow.cli\nwith contextlib.suppress(SystemExit):\n    "
HELP = QUIETLY + "hepflow.cli.main({})"
FOR_SCRIPT = QUIETLY + "hepflow.cli.main_for(config='a:b', analysis='c:D', argv=['--help'])"


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running the code."""
    tail = "\nimport sys, json\nsys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr)}


@pytest.mark.parametrize(
    "code",
    [
        "import hepflow",
        "import hepflow.schema",
        "import hepflow.records",
        "import hepflow.logging",
        "import hepflow.cli",
        HELP.format("['--help']"),
        HELP.format("['--version']"),
        HELP.format("['run', '--help']"),
        HELP.format("['plan', '--help']"),
        FOR_SCRIPT,
    ],
)
def test_no_heavy_library_is_loaded(code):
    assert loaded_by(code) & HEAVY == set()


def test_help_loads_neither_configuration_nor_numpy():
    assert loaded_by(HELP.format("['--help']")) & {"pydantic", "numpy", "rich"} == set()


def test_the_check_can_fail():
    assert loaded_by("import uproot") & HEAVY

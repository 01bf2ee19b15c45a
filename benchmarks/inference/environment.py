"""Processes of the benchmark: one core, one thread, and an environment of its own for JAX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_HERE = Path(__file__).parent
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def jax_python(folder: Path) -> Path:
    """Python of an environment with pyhf and JAX, which is made unless it is there.

    Raises
    ------
    RuntimeError
        If it cannot be made.
    """
    place = folder / "jax-venv"
    python = place / "bin" / "python"
    if not (place / ".whole").exists():
        venv.create(place, clear=True)  # without pip: not every Python brings ensurepip
        wanted = [f"pyhf=={version('pyhf')}", f"iminuit=={version('iminuit')}", "jax"]
        words = ["-m", "pip", "--python", str(python), "install", "--quiet", *wanted]
        done = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(
                f"JAX cannot be installed into {place}; --without-jax leaves it out.\n{done.stderr}"
            )
        (place / ".whole").touch()
    return python


def measure(
    script: str,
    what: str,
    workspace: dict[str, Any],
    values: Sequence[float] = (),
    python: Path | None = None,
) -> dict[str, Any]:
    """Run one script in a process of its own.

    Parameters
    ----------
    script
        A file of this folder.
    what
        Its first argument.
    workspace
        The model.
    values
        Signal strengths.
    python
        Default the one that runs this.

    Returns
    -------
    dict
        ``cpu`` [s] and ``found``.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    one_thread = dict.fromkeys(_THREADS, "1")
    variables = {**os.environ, **one_thread, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        model, output = Path(folder) / "workspace.json", Path(folder) / "found.json"
        model.write_text(json.dumps(workspace))
        words = [str(python or sys.executable), str(_HERE / script), what, str(model)]
        command = [*words, json.dumps(list(values)), str(output)]
        done = subprocess.run(
            command, cwd=ROOT, env=variables, check=False, capture_output=True, text=True,
            preexec_fn=_one_core,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{script} {what}: {done.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(output.read_text())
    return found


def _one_core() -> None:
    """Libraries count the cores to decide on the number of their threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

"""Processes of the benchmark: one core, one thread, and an environment of its own for madminer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MADMINER = "madminer==0.9.6"
TORCH = "torch==2.13.0+cpu"  # without "+cpu" PyPI's brings gigabytes of CUDA
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"  # asked where pip's own indexes have no "+cpu"
_HERE = Path(__file__).parent
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def existing_python(folder: Path) -> Path | None:
    """Python of the environment with madminer below `folder`; None unless it was made before."""
    place = folder / "madminer-venv"
    return place / "bin" / "python" if (place / ".whole").exists() else None


def madminer_python(folder: Path) -> Path:
    """Python of an environment with madminer, which is made unless it is there.

    Raises
    ------
    RuntimeError
        If it cannot be made.
    """
    found = existing_python(folder)
    if found is not None:
        return found
    place = folder / "madminer-venv"
    venv.create(place, clear=True)  # without pip: not every Python brings ensurepip
    python = place / "bin" / "python"
    done = _install(python)
    if done.returncode:
        done = _install(python, "--extra-index-url", CPU_BUILDS)
    if done.returncode:
        raise RuntimeError(
            f"{MADMINER} cannot be installed into {place}; --without-madminer leaves it out.\n"
            f"{done.stderr}"
        )
    (place / ".whole").touch()
    return python


def _install(python: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["-m", "pip", "--python", str(python), "install", "--quiet", MADMINER, TORCH, *more]
    return subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)


def measure(module: str, work: Path, method: str, seed: int, python: Path | None = None) -> Any:
    """Train and evaluate one method in a process of its own.

    Parameters
    ----------
    module
        A module of this package.
    work
        Folder with events, points and settings (`benchmarks.sbi.truth`).
    method
        As hepflow calls it.
    seed
        Of sampling and training.
    python
        Default the one that runs this.

    Returns
    -------
    dict
        What the process measured; arrays lie beside it, in the file that ``arrays`` names.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    output = work / f"{module}_{method}_{seed}.json"
    one_thread = dict.fromkeys(_THREADS, "1")
    variables = {**os.environ, **one_thread, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    script = str(_HERE / f"{module}.py")
    done = subprocess.run(
        [str(python or sys.executable), script, str(work), method, str(seed), str(output)],
        cwd=ROOT, env=variables, check=False, capture_output=True, text=True,
        preexec_fn=_one_core,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{module} {method}: {done.stderr[-3000:]}")
    return json.loads(output.read_text(encoding="utf-8"))


def _one_core() -> None:
    """Libraries count the cores to decide on the number of their threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

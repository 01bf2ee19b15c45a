"""What is measured: one process for each case and repetition."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.variations.records import Found
from benchmarks.variations.sample import EVENTS, SampleFile, ensure

ROOT = Path(__file__).resolve().parents[2]
CHUNKS = (32_000, 64_000, 100_000, 128_000, 256_000, 512_000)  # where coffea's best is looked for
USUAL, REFERENCE = 100_000, 128_000  # events of a chunk
MANY = 1500  # branches of NanoAOD
FEW = 150
_WARM_UP = 20_000  # events
OPENING = (50_000, 1_000_000)  # events of the files that show what opening costs
_FIXED = 1000  # events: what a run costs that has next to none


@dataclass(frozen=True)
class Case:
    """One thing that is measured."""

    peer: str  # hepflow, hepflow-skim, coffea, root or reading
    file: SampleFile
    variations: bool = False
    code: str = "awkward"  # of the user's functions; or numba
    chunk: int = 0  # events of a chunk of coffea

    @property
    def name(self) -> str:
        """Unique name."""
        what = "101" if self.variations else "nominal"
        parts = [self.peer, what, self.file.codec, str(self.file.branches), str(self.file.events)]
        parts += [self.code] if self.code != "awkward" else []
        parts += [f"chunks of {self.chunk}"] if self.chunk else []
        return " ".join(parts if self.peer != "reading" else [self.peer, *parts[2:]])

    @property
    def compares(self) -> bool:
        """Whether it makes histograms."""
        return self.peer != "reading"


def all_cases(events: int = EVENTS) -> tuple[Case, ...]:
    """Everything that is measured, for a sample of so many events."""
    both = (False, True)
    files = [SampleFile(c, b, events) for b in (FEW, MANY) for c in ("zlib", "zstd", "lzma")]
    cases = [Case(peer, f, v) for f in files for v in both for peer in ("hepflow", "root")]
    for branches in (FEW, MANY):
        file = SampleFile("zlib", branches, events)
        for variations in both:
            cases += [Case("coffea", file, variations, chunk=c) for c in (USUAL, REFERENCE)]
    many = SampleFile("zlib", MANY, events)
    cases.append(Case("hepflow", many, True, "numba"))
    cases += [Case("hepflow-skim", many, True, code) for code in ("awkward", "numba")]
    cases += [Case("reading", f) for f in files]
    for size in OPENING:
        file = SampleFile("zlib", MANY, max(1, events * size // EVENTS))
        cases += [Case("hepflow", file, v) for v in both]
        cases.append(Case("reading", file))
    fixed = SampleFile("zlib", MANY, _FIXED)
    cases += [Case("hepflow", fixed, v) for v in both]
    cases.append(Case("hepflow-skim", fixed, True))
    return tuple(cases)


def searched(events: int = EVENTS) -> tuple[Case, ...]:
    """Cases among which the best chunk size of coffea is found, for each file and kind."""
    files = [SampleFile("zlib", branches, events) for branches in (FEW, MANY)]
    return tuple(
        Case("coffea", f, v, chunk=c) for f in files for v in (False, True) for c in CHUNKS
    )


def kind_of(case: Case) -> str:
    """What a best chunk size is found for."""
    return f"{'101' if case.variations else 'nominal'}, {case.file.branches} branches"


def root_python(folder: Path) -> Path:
    """Python of an environment with ROOT, which is made unless it is there.

    Raises
    ------
    RuntimeError
        If it cannot be made.
    """
    place = folder / "root-venv"
    python = place / "bin" / "python"
    if not (place / ".whole").exists():
        venv.create(place, clear=True)  # without pip: not every Python brings ensurepip
        words = ["-m", "pip", "--python", str(python), "install", "--quiet", "root"]
        done = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(
                f"the package root cannot be installed into {place}; --without-root leaves "
                f"RDataFrame out.\n{done.stderr}"
            )
        (place / ".whole").touch()
    return python


def measure(case: Case, folder: Path, output: Path) -> dict[str, Any]:
    """Run one case in a process of its own.

    Parameters
    ----------
    folder
        Cache folder of samples and of the environment with ROOT.
    output
        Folder for figures and histograms.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    command = [*_command(case, folder), "--output", str(output)]
    if case.variations:
        command.append("--variations")
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "EXTRA_CLING_ARGS": "-O2"}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{case.name}: {' '.join(command)}\n{done.stdout}\n{done.stderr}")
    found: dict[str, Any] = json.loads((output / "figures.json").read_text(encoding="utf-8"))
    return found


def _command(case: Case, folder: Path) -> Sequence[str]:
    path = str(ensure(case.file, folder))
    if case.peer == "root":
        return [str(root_python(folder)), "-m", "benchmarks.variations.rdataframe", path]
    if case.peer == "reading":
        return [sys.executable, "-m", "benchmarks.variations.reading", path]
    small = SampleFile(case.file.codec, case.file.branches, _WARM_UP)
    words = ["-m", "benchmarks.variations.one", case.peer, path]
    words += ["--warm-up", str(ensure(small, folder)), "--code", case.code]
    return [sys.executable, *words, *(["--chunk", str(case.chunk)] if case.chunk else [])]


def histograms(output: Path) -> Found:
    """Histograms that a case has written."""
    return Found.read(output / "histograms.json")


Figures = Mapping[str, Mapping[str, Any]]  # name of a case -> its medians

"""Which packages and programs are installed, what each is for, and how to get it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

from hepflow.errors import InputError
from hepflow.inference.needs import PACKAGES
from hepflow.schema import Study

Kind = Literal["package", "program"]
_SBI: Final = "pip install 'hepflow[sbi]'"


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that hepflow can use."""

    name: str  # of the module or of the program
    kind: Kind
    purpose: str
    install: str
    distribution: str = ""  # of a package, where it is not called as the module


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a tool is there."""

    tool: Tool
    version: str | None  # None: it is not; "" : there, without a version
    place: str = ""  # of a program

    @property
    def there(self) -> bool:
        """Whether it can be used."""
        return self.version is not None


_MADGRAPH: Final = "https://launchpad.net/mg5amcnlo (or conda install -c conda-forge mg5amcnlo)"
_DELPHES: Final = "https://github.com/delphes/delphes (or conda install -c conda-forge delphes)"
TOOLS: Final[tuple[Tool, ...]] = (
    Tool("pythia8mc", "package", "parton shower; its parton distributions", _SBI),
    Tool("mg5_aMC", "program", "events of any model (process.source madgraph)", _MADGRAPH),
    Tool("DelphesHepMC2", "program", "fast detector simulation behind MadGraph", _DELPHES),
    Tool("DelphesHepMC3", "program", "the same, of events in HepMC 3", _DELPHES),
    Tool("lhapdf", "package", "parton distributions for MadGraph", "https://lhapdf.hepforge.org"),
    Tool("jax", "package", "training of networks", _SBI),
    Tool("equinox", "package", "training of networks", _SBI),
    Tool("optax", "package", "training of networks", _SBI),
    Tool("h5py", "package", "event files of simulation-based inference", _SBI),
    Tool("pylhe", "package", "Les Houches event files", _SBI),
    Tool("madminer", "package", "comparison of event files; nothing here needs it", "pip"),
    Tool("XRootD", "package", "files at root://", "pip install 'hepflow[xrootd]'", "xrootd"),
    Tool("s3fs", "package", "files at s3://", "pip install 'hepflow[s3]'"),
    Tool("cernopendata-client", "program", "open data", "pip install 'hepflow[opendata]'"),
    Tool("hepdata_lib", "package", "submissions to HEPData", "pip install 'hepflow[publish]'"),
    Tool("yadage-run", "program", "exported workflows", "pip install yadage packtivity"),
    Tool("snakemake", "program", "exported workflows", "pip install snakemake"),
    Tool("dot", "program", "pictures of workflows", "your system's package graphviz"),
    Tool("git", "program", "which commit of your code made a result", "your system's package git"),
    Tool("docker", "program", "containers of preserved analyses", "https://docs.docker.com"),
    Tool("chromium", "program", "tests of the report only", "your system's package chromium"),
)


def look_for(tool: Tool, executable: str | None = None) -> Found:
    """Look for a tool; nothing is imported or run.

    Parameters
    ----------
    tool
        What to look for.
    executable
        Path of a program that is not on the search path.
    """
    if tool.kind == "program":
        beside = str(Path(sys.executable).parent)  # of an environment that is not activated
        place = shutil.which(executable or tool.name) or shutil.which(tool.name, path=beside)
        return Found(tool, None if place is None else "", place or "")
    if importlib.util.find_spec(tool.name) is None:
        return Found(tool, None)
    try:
        return Found(tool, version(tool.distribution or tool.name))
    except PackageNotFoundError:
        return Found(tool, "")


_TRY: Final = """
import importlib, json, sys
faults = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        faults[name] = f"{type(error).__name__}: {error}"
print(json.dumps(faults))
"""


def broken_packages(found: Sequence[Found]) -> dict[str, str]:
    """Packages of the extra that are installed and cannot be imported, with the error of each.

    They are imported in a process of its own, which may also end altogether.
    """
    names = [one.tool.name for one in found if one.there and one.tool.name in PACKAGES]
    if not names:
        return {}
    done = subprocess.run(  # noqa: S603 - this Python, and names from the table above
        [sys.executable, "-c", _TRY, *names], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return dict.fromkeys(names, f"importing them ends Python with status {done.returncode}")
    faults: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return faults


def tool_named(name: str) -> Tool:
    """One of `TOOLS`."""
    return next(one for one in TOOLS if one.name == name)


def wanted_tools(study: Study) -> Iterator[tuple[Tool, str | None]]:
    """What a configuration cannot be run without, with the path that it names."""
    own = study.inference
    process, detector = own.process, own.detector
    names = ["h5py", "jax", "equinox", "optax"]
    drell_yan = process.source == "drell_yan"
    if drell_yan and (process.drell_yan.shower or process.drell_yan.pdf == "pythia8"):
        names.append("pythia8mc")
    if process.source in {"lhe", "madgraph", "delphes_trees"}:
        names.append("pylhe")
    for name in names:
        yield tool_named(name), None
    if process.source == "madgraph":
        yield tool_named("mg5_aMC"), process.madgraph.executable
    if detector.kind == "delphes":
        yield tool_named("DelphesHepMC2"), detector.executable  # what its Pythia writes


def require_tools(study: Study, *, physics: bool = True, learning: bool = True) -> None:
    """Stop before anything is computed where something is missing; nothing takes its place.

    Raises
    ------
    InputError
        It names all that is missing, and how to install each.
    """
    only_learning = {"jax", "equinox", "optax"}
    missing = [
        found.tool
        for tool, executable in wanted_tools(study)
        if (learning if tool.name in only_learning else physics or tool.name == "h5py")
        and not (found := look_for(tool, executable)).there
    ]
    if missing:
        lines = [f"  {one.name} ({one.purpose}): {one.install}" for one in missing]
        raise InputError(
            "the configuration needs what is not installed, and nothing else takes its place:\n"
            + "\n".join([*lines, "`hepflow doctor` lists what is there."])
        )


def environment() -> Sequence[tuple[str, str]]:
    """Python, machine and folders, for people."""
    from hepflow.output_manager import default_cache_dir

    cache = default_cache_dir()
    existing = next(one for one in (cache, *cache.parents) if one.exists())
    free = shutil.disk_usage(existing).free
    writable = "" if os.access(existing, os.W_OK) else ", not writable"
    return (
        ("hepflow", version("hepflow")),
        ("Python", f"{platform.python_version()} ({Path(sys.executable)})"),
        ("Platform", platform.platform()),
        ("Cores", f"{_cores()} usable"),
        ("Memory", f"{_memory() / 1e9:.1f} GB"),
        ("Cache", f"{cache} ({free / 1e9:.1f} GB free{writable})"),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """Memory of the machine [byte]."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

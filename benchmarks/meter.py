"""CPU time of chosen functions, in a run and in all of its workers.

A folder with a ``sitecustomize`` module that calls `install` stands on the path of every process
of the run; nothing in hepflow knows of it. Each function is replaced as soon as its module has
been imported, before another module can take hold of it.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = "HEPFLOW_METER"  # environment variable: where the processes put their figures
_SITE = "from benchmarks.meter import install\n\ninstall()\n"
_PAUSE = 0.5  # [s] between two writings of the figures

# Module -> function or Class.method. They do nothing but what their group says.
GROUPS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "ledger": {
        "hepflow.records.ledger": (
            "files_of",
            "losses_in",
            "Ledger.of_parts",
            "Ledger.__add__",
            "Ledger.merged",
            "Ledger.with_losses",
            "Ledger.parts_of",
            "Ledger.totals",
            "Ledger.accounts",
            "Ledger.account",
            "Ledger.incomplete",
            "Ledger.to_json",
            "Ledger.from_json",
        ),
        "hepflow.analysis.steps": ("ledger_of", "file_facts", "files_known"),
        "hepflow.skimming.losses": (
            "admit",
            "datasets_left",
            "lost_before",
            "read_lost",
            "with_losses",
            "write_lost",
        ),
    },
    "keys": {
        "hepflow.keys.hashing": ("fingerprint", "stable_hash"),
        "hepflow.keys.stage": ("describe_function", "make_key"),
        "hepflow.keys.key": ("Key.from_json", "Key.to_json", "changed_parts"),
        "hepflow.skimming.making": ("item_identity", "part_name"),
        "hepflow.skimming.spec": ("SkimSpec.key",),
        "hepflow.analysis.filling_keys": ("filling_keys", "joined_key", "prepared_key"),
        "hepflow.analysis.filling": ("_part_file",),
        "hepflow.analysis.batches": ("Keeping.of",),
        "hepflow.analysis.stored": ("normalised_key",),
    },
    "stamps and manifests": {
        "hepflow.stamps": ("write_stamp", "read_stamp", "read_key", "is_current"),
        "hepflow.skimming.manifest": (
            "known_parts",
            "is_untouched",
            "of_other_files",
            "read_manifest",
            "remove_outdated",
            "stored_key",
            "write_manifest",
        ),
        "hepflow.metadata_extractor.generator": (
            "_cache_key",
            "NanoAODMetadataGenerator._known",
            "NanoAODMetadataGenerator._remember",
        ),
        "hepflow.storage.digests": ("file_stamp",),
        "hepflow.provenance": ("code_state",),
    },
    "checksums": {
        "hepflow.storage.digests": ("sha256_bytes", "sha256_file"),
        "hepflow.storage.parts": ("_digest", "_look_through"),
    },
}
_HASHING = (  # they make digests in passing
    "hepflow.storage.parts",
    "hepflow.skimming.formats.columns",
    "hepflow.skimming.formats.header",
)
_PASSING = "checksums: digest while writing or reading"
_TASK = ("hepflow.execution.worker", "run_task")  # after it a worker may be ended at any time


class Meter:
    """Adds up CPU time by function, without that of others that it calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._local = threading.local()
        self._written = 0.0

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function."""
        self.seconds.setdefault(name, 0.0)
        self.calls.setdefault(name, 0)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            inner = self._inner()
            inner.append(0.0)
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.thread_time() - start
                self.seconds[name] += spent - inner.pop()
                self.calls[name] += 1
                if inner:
                    inner[-1] += spent

        return wrapper

    def _inner(self) -> list[float]:
        """CPU time of timed functions inside of each that has begun in this thread."""
        if not hasattr(self._local, "inner"):
            self._local.inner = []
        found: list[float] = self._local.inner
        return found

    def write(self, *, now: bool = True) -> None:
        """Write the figures of this process, unless that was a moment ago."""
        if not now and time.monotonic() - self._written < _PAUSE:
            return
        self._written = time.monotonic()
        content = {"cpu": time.process_time(), "seconds": self.seconds, "calls": self.calls}
        path = self.folder / f"{os.getpid()}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)


class _Digest:
    """A digest whose time counts."""

    def __init__(self, meter: Meter, digest: Any) -> None:
        self.update = meter.timed(_PASSING, digest.update)
        self.digest, self.hexdigest = digest.digest, digest.hexdigest
        self.digest_size = digest.digest_size


class _Hashlib:
    """Stands for the module `hashlib` in modules that update digests in passing."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def sha256(self, *args: Any) -> _Digest:
        """As of hashlib."""
        return _Digest(self.meter, self.meter.timed(_PASSING, hashlib.sha256)(*args))


class _Loader(importlib.abc.Loader):
    """Executes a module, then replaces some of its functions."""

    def __init__(self, inner: Any, then: Callable[[ModuleType], None]) -> None:
        self.inner, self.then = inner, then

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the loader that it stands for."""
        found: ModuleType | None = self.inner.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        """As the loader that it stands for."""
        self.inner.exec_module(module)
        self.then(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules whose functions are to be timed."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.names = {name for group in GROUPS.values() for name in group} | {*_HASHING, _TASK[0]}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find as the import system does, with another loader."""
        if name not in self.names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._replace)
        return spec

    def _replace(self, module: ModuleType) -> None:
        name = module.__name__
        for group, modules in GROUPS.items():
            for place in modules.get(name, ()):
                _wrap(self.meter, module, place, f"{group}: {place}")
        if name in _HASHING:
            module.__dict__["hashlib"] = _Hashlib(self.meter)
        if name == _TASK[0]:
            module.__dict__[_TASK[1]] = _then_write(self.meter, getattr(module, _TASK[1]))


def _wrap(meter: Meter, module: ModuleType, place: str, name: str) -> None:
    owner: Any = module
    *within, last = place.split(".")
    for step in within:
        owner = getattr(owner, step)
    found = owner.__dict__[last]
    if isinstance(found, classmethod):
        setattr(owner, last, classmethod(meter.timed(name, found.__func__)))
    else:
        setattr(owner, last, meter.timed(name, found))


def _then_write(meter: Meter, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            meter.write(now=False)

    return wrapper


def install() -> None:
    """Time the functions in this process, where the environment says so."""
    folder = os.environ.get(FOLDER)
    if folder:
        meter = Meter(Path(folder))
        sys.meta_path.insert(0, _Finder(meter))
        atexit.register(meter.write)


def environment(folder: Path, root: Path) -> dict[str, str]:
    """Variables for a run that is to be measured; its processes write below `folder`."""
    site = folder / "site"
    site.mkdir(parents=True)
    (site / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    figures = folder / "figures"
    figures.mkdir()
    path = os.pathsep.join([str(site), str(root)])
    return {**os.environ, FOLDER: str(figures), "PYTHONPATH": path}


def figures(folder: Path) -> tuple[dict[str, tuple[float, int]], float, int]:
    """CPU time [s] and calls by function, CPU time of all processes [s], number of processes."""
    found: dict[str, tuple[float, int]] = {}
    total, count = 0.0, 0
    for path in sorted((folder / "figures").glob("*.json")):
        one = json.loads(path.read_text(encoding="utf-8"))
        total, count = total + one["cpu"], count + 1
        for name, seconds in one["seconds"].items():
            before, calls = found.get(name, (0.0, 0))
            found[name] = (before + seconds, calls + one["calls"][name])
    return found, total, count

"""Steps with keys: what was made with the same key is kept, the rest is made anew."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hepflow.inference.records import EventTable
from hepflow.journal import why_again
from hepflow.keys import Key
from hepflow.stamps import is_current, read_stamp, remove_stamp, write_stamp


@dataclass(frozen=True)
class Step:
    """Something that is made once, with the files that it leaves."""

    name: str  # unique in its folder
    folder: Path
    key: Key

    @property
    def stamp(self) -> str:
        """Name of the file that says what the step's files were made with."""
        return self.stamp_of(self.name)

    @staticmethod
    def stamp_of(name: str) -> str:
        """The same of a step that has no key yet."""
        return f".{name}.key.json"

    def is_done(self, *, reuse: bool = True) -> bool:
        """Whether its files are there, made with the same key."""
        return reuse and is_current(self.folder, self.key, self.stamp)

    def why(self) -> str:
        """What changed since the files were made."""
        stored = read_stamp(self.folder, self.stamp)
        return why_again(None if stored is None else stored.key, self.key)

    def begin(self) -> None:
        """Forget the key before the files are made anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_stamp(self.folder, self.stamp)

    def finish(self, files: Sequence[Path]) -> None:
        """Say what the files were made with, when they are there."""
        write_stamp(self.folder, self.key, files, self.stamp)


def content_digest(table: EventTable) -> str:
    """Digest of what estimators depend on: events, weights, points, powers; not labels, ranges."""
    digest = hashlib.sha256()
    powers = [(one.name, one.max_power) for one in table.parameters]
    names = (table.observables, powers, table.provenance.get("components"))
    points = [one.values for one in table.benchmarks]
    digest.update(repr((names, points, table.nuisances)).encode())
    arrays = [table.x, table.weights, table.sampled_from]
    arrays += [table.nuisance_weights[name] for name in sorted(table.nuisance_weights)]
    for one in arrays:
        digest.update(repr(one.shape).encode())
        digest.update(np.ascontiguousarray(one).data)
    return digest.hexdigest()


def evaluated_digest(table: EventTable, content: str) -> str:
    """Digest of what limits depend on: ranges and units of the parameters besides the content."""
    ranges = [(one.name, one.low, one.high, one.unit) for one in table.parameters]
    return hashlib.sha256(repr((content, ranges)).encode()).hexdigest()

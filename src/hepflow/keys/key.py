"""The key of a stage's result."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from hepflow.errors import StorageError
from hepflow.keys.hashing import stable_hash

FORMAT_VERSION = 2  # of what is stored; a change makes every stored result old
_FORMAT = "format"


@dataclass(frozen=True)
class Key:
    """What a result depends on: a digest for each named part.

    Two results with equal `digest` are interchangeable. The version of the storage format is
    always one of the parts.

    Examples
    --------
    >>> old = Key.of("skim", {"spec": {"chunk_size": 100}})
    >>> new = Key.of("skim", {"spec": {"chunk_size": 200}})
    >>> changed_parts(old, new)
    ['spec']
    """

    stage: str
    parts: Mapping[str, str]  # name -> digest; "spec", "functions", "input:ttbar"

    def __post_init__(self) -> None:
        """Add the format version where it is not given, as it is in a key that was stored."""
        parts = {_FORMAT: str(FORMAT_VERSION), **self.parts}
        object.__setattr__(self, "parts", {name: parts[name] for name in sorted(parts)})

    @classmethod
    def of(cls, stage: str, values: Mapping[str, Any]) -> Self:
        """Key of these values, each hashed with `stable_hash`.

        Raises
        ------
        CannotFingerprint
            A value has no stable hash.
        """
        return cls(stage, {name: stable_hash(value) for name, value in values.items()})

    @functools.cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the stage and all parts."""
        text = json.dumps([self.stage, sorted(self.parts.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    def without(self, *names: str) -> Self:
        """The same key without some of its parts."""
        left = {name: digest for name, digest in self.parts.items() if name not in names}
        return type(self)(self.stage, left)

    def to_json(self) -> dict[str, Any]:
        """Plain containers for JSON; `from_json` reads them back."""
        return {"stage": self.stage, "digest": self.digest, "parts": dict(self.parts)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`.

        Raises
        ------
        StorageError
            It is not a key, or its digest is not that of its parts.
        """
        try:
            key = cls(str(data["stage"]), dict(data["parts"]))
            stored = data["digest"]
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"not a key: {error!r}. Repeat the step that wrote it.") from error
        if stored != key.digest:
            raise StorageError("a key's digest is not that of its parts. Repeat the step.")
        return key

    def __hash__(self) -> int:
        return hash(self.digest)


def changed_parts(old: Key, new: Key) -> list[str]:
    """Names of the parts that differ or that only one of the two keys has, sorted."""
    names = {*old.parts, *new.parts}
    changed = {name for name in names if old.parts.get(name) != new.parts.get(name)}
    if old.stage != new.stage:
        changed.add("stage")
    return sorted(changed)

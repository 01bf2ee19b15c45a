"""What a bundle says about itself: ``bundle.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from hepflow.errors import ChecksumError, InputError, StorageError
from hepflow.reinterpretation.bundle.contents import MANIFEST, opened
from hepflow.storage import as_record, parse_json, sha256_bytes

__all__ = ["MANIFEST", "Address", "Bundle", "Manifest"]

FORMAT: Final = "hepflow-bundle"
VERSION: Final = 1
_OWN: Final = {"format", "version", "digest"}  # beside the fields of the record


@dataclass(frozen=True)
class Address:
    """Where a function is found: a module, and the way to it from there."""

    module: str
    steps: tuple[str | int, ...]  # attributes; keys and positions within mappings and lists

    def __str__(self) -> str:
        """Write it as one would in Python."""
        first, *rest = self.steps
        inside = "".join(f"[{one!r}]" if isinstance(one, int) else f".{one}" for one in rest)
        return f"{self.module}:{first}{inside}"


@dataclass(frozen=True)
class Manifest:
    """All that is known of a bundle before any code of it runs."""

    name: str
    hepflow: str  # version that ran the analysis
    python: str  # version, "3.11.7"
    poi: str
    measurement: str
    signals: tuple[str, ...]  # samples that the parameter of interest multiplies
    patch: str  # name of the run's own signal in the patch set
    channels: tuple[str, ...]  # of the workspace
    luminosity: float | Mapping[str, float]  # [1/pb]; one, or by year
    analysis: str | None  # "module:Class"; None for hepflow's own
    expected_only: bool  # the workspace holds Asimov data: nothing may be called observed
    modules: tuple[str, ...] = ()  # under code/, as they are imported
    functions: Mapping[str, Address] = field(default_factory=dict)  # by path in the configuration
    files: Mapping[str, str] = field(default_factory=dict)  # path in the configuration -> name
    remarks: tuple[str, ...] = ()  # what a reader of any result must know
    digests: Mapping[str, str] = field(default_factory=dict)  # name -> SHA-256, all other files

    def to_bytes(self) -> bytes:
        """Content of ``bundle.json``: there is but one for a manifest."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return _text({**content, "digest": sha256_bytes(_text(content))})

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> Manifest:
        """Inverse of `to_bytes`; `where` names the bundle in messages.

        Raises
        ------
        InputError
            It is no bundle, or one of another version.
        ChecksumError
            It was changed.
        """
        try:
            stored = parse_json(content)
        except ValueError as error:
            raise ChecksumError(f"{where}: {MANIFEST} is no JSON ({error}): it was changed.") from (
                error
            )
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            raise InputError(f"{where}: {MANIFEST} is not that of a bundle of hepflow.")
        if stored.get("version") != VERSION:
            raise InputError(
                f"{where}: the bundle has version {str(stored.get('version'))[:20]!a}, this "
                f"hepflow reads version {VERSION}. Use the hepflow that the bundle names."
            )
        rest = {name: one for name, one in stored.items() if name != "digest"}
        if stored.get("digest") != sha256_bytes(_text(rest)) or _text(stored) != content:
            raise ChecksumError(f"{where}: {MANIFEST} was changed after the bundle was made.")
        return cls._of({name: one for name, one in stored.items() if name not in _OWN}, where)

    @classmethod
    def _of(cls, stored: Mapping[str, Any], where: str) -> Manifest:
        try:
            functions = {
                path: Address(str(one["module"]), tuple(one["steps"]))
                for path, one in stored["functions"].items()
            }
            found = as_record(cls, {**stored, "functions": {}}, MANIFEST)
        except (StorageError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{where}: {MANIFEST} is not as `hepflow preserve` writes it "
                f"({type(error).__name__}: {error})."
            ) from error
        return cls(**{**vars(found), "functions": functions})


def _text(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file was found to be as it was written."""

    path: Path  # folder or zip, as given
    digest: str  # SHA-256 of bundle.json, which stands for all of it
    manifest: Manifest
    files: tuple[str, ...]  # names, sorted; without bundle.json

    def read(self, name: str) -> bytes:
        """Content of one file, checked again.

        Raises
        ------
        InputError
            There is no such file in the bundle.
        ChecksumError
            It was changed since the bundle was verified.
        """
        if name not in self.manifest.digests:
            raise InputError(f"{self.path}: there is no {name!r} in the bundle.")
        with opened(self.path) as contents:
            content = contents.read(name)
        if sha256_bytes(content) != self.manifest.digests[name]:
            raise ChecksumError(f"{self.path}: {name} was changed.")
        return content

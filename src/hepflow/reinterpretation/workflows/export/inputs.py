"""Values with which an exported workflow starts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from hepflow.errors import InputError, did_you_mean
from hepflow.reinterpretation.bundle.manifest import Manifest
from hepflow.reinterpretation.quantities import cross_section
from hepflow.reinterpretation.workflows import secrets
from hepflow.reinterpretation.workflows.export.steps import BUNDLE, signal_names, years_of
from hepflow.remote import shown

DEFAULT_SIGNAL: Final = "signal.txt"
SUMS: Final = ("auto", "events", "runs")
_URL: Final = re.compile(r"[A-Za-z][\w+.-]*://")
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f'\"\\{}$`*?\[\]]")


@dataclass(frozen=True)
class SignalInputs:
    """What the new signal is, as far as it is known; all of it can be changed in the files."""

    files: Mapping[str, str] = field(default_factory=dict)  # by year; "" where there is but one
    cross_section: str = "1 pb"  # with unit
    k_factor: float = 1.0
    filter_efficiency: float = 1.0
    sum_of_weights_from: str = "auto"
    process: str = ""  # preserved signal whose place it takes, where there are several

    def replaced(self, manifest: Manifest) -> str:
        """Preserved signal whose place it takes; empty where there is but one.

        Raises
        ------
        InputError
            It has to be said, or there is no such signal.
        """
        known = manifest.signals
        if self.process and self.process not in known:
            hint = did_you_mean(self.process, known)
            raise InputError(f"{manifest.name} has no signal {self.process!r}. {hint}")
        if len(known) > 1 and not self.process:
            raise InputError(
                f"{manifest.name} has several signals, {', '.join(known)}: say by --process whose "
                "place the new one takes."
            )
        return self.process

    def parameters(self, manifest: Manifest, bundle: str) -> dict[str, Any]:
        """Parameters of the workflow, in the order in which people read them.

        Raises
        ------
        InputError
            A value cannot be one, leads to this machine, or holds a credential.
        """
        cross_section(self.cross_section)
        for name in ("k_factor", "filter_efficiency"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name.replace('_', ' ')} {value:g}: expected a positive number.")
        if self.sum_of_weights_from not in SUMS:
            raise InputError(
                f"sum of weights from {self.sum_of_weights_from!r}: expected {', '.join(SUMS)}."
            )
        files = _files(self.files, manifest)
        found = {
            BUNDLE: bundle,
            **files,
            "cross_section": self.cross_section.strip(),
            "k_factor": self.k_factor,
            "filter_efficiency": self.filter_efficiency,
            "sum_of_weights_from": self.sum_of_weights_from,
        }
        for name, value in found.items():
            told = secrets.refusal(name, value)
            if told is not None:
                raise InputError(f"{told}. {secrets.remedy()}")
        return found


def _files(files: Mapping[str, str], manifest: Manifest) -> dict[str, str]:
    """One file or listing for each parameter that names some."""
    years = years_of(manifest) or ("",)
    strangers = sorted(files.keys() - set(years))
    if strangers:
        wanted = (
            f"one for each of {', '.join(years)}, as YEAR=FILE"
            if years_of(manifest)
            else "one FILE without a year"
        )
        shown = files[strangers[0]] if not strangers[0] else f"{strangers[0]}={files[strangers[0]]}"
        raise InputError(f"signal {shown}: the preserved analysis takes {wanted}.")
    defaults = {year: f"signal_{year}.txt" if year else DEFAULT_SIGNAL for year in years}
    names = signal_names(manifest)
    return {
        name: _checked(files.get(year, defaults[year]))
        for name, year in zip(names, years, strict=True)
    }


def _checked(file: str) -> str:
    """A file as a workflow may name it: relative to the workflow, or a URL."""
    if shown(file) != file:
        raise InputError(
            f"signal {shown(file)}: there is a credential in the URL, which everybody who gets the "
            "workflow could read. Leave it out; a proxy or token file is found by its variable."
        )
    bad = _FORBIDDEN.search(file)
    if bad or not file:
        what = f"{bad.group()!a} in it" if bad else "no name"
        raise InputError(
            f"signal {file!a}: there is {what}, which the commands of a workflow do not take. Name "
            "one file, or a listing of files (.txt), without quotes, braces and patterns."
        )
    path = PurePosixPath(file)
    if not _URL.match(file) and (path.is_absolute() or file.startswith("~") or ".." in path.parts):
        raise InputError(
            f"signal {file}: leads to this machine. Name it as it will lie beside the workflow, "
            f"such as {path.name}, or give a URL."
        )
    return file

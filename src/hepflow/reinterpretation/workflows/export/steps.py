"""The three steps of a reinterpretation and their links, before any engine's language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hepflow.errors import InputError
from hepflow.reinterpretation.bundle.manifest import Manifest

BUNDLE: Final = "bundle"  # parameter: where the bundle is
SKIMMING, SCALING, INTERPRETATION = "skimming", "scaling", "interpretation"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
Kind = Literal["file", "value", "link", "made"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A word of a command that is only known when the workflow runs."""

    name: str  # of the parameter
    kind: Kind  # input file, input value, file of an earlier step, or what this step makes
    prefix: str = ""  # stands before it in the same word: "2016="
    source: str = ""  # of a link: the step that makes it
    path: str = ""  # of what is made: below the folder of the step; "" is the folder itself


@dataclass(frozen=True, slots=True)
class Step:
    """One command with what it publishes."""

    name: str
    words: tuple[str | Slot, ...]
    outputs: Mapping[str, str]  # published name -> file below the folder of the step

    @property
    def slots(self) -> tuple[Slot, ...]:
        """What is put in, in the order of the command."""
        return tuple(word for word in self.words if isinstance(word, Slot))


def steps_of(manifest: Manifest, digest: str, process: str = "") -> tuple[Step, ...]:
    """Skimming, scaling and interpretation of a preserved analysis.

    Parameters
    ----------
    manifest
        Of the bundle.
    digest
        SHA-256 of its ``bundle.json``: the steps take no other bundle.
    process
        Preserved signal whose place the new one takes, where there are several.
    """
    chosen = ("--process", process) if process else ()
    raw, scaled = ("raw", "raw.root"), ("scaled", "scaled.root")
    skimming = (
        *("--signal", *_signals(manifest)),
        *("--sum-of-weights-from", Slot("sum_of_weights_from", "value")),
        *chosen,
        *("--output", Slot(raw[0], "made", path=raw[1])),
    )
    scaling = (
        *("--input", Slot(raw[0], "link", source=SKIMMING)),
        *("--cross-section", Slot("cross_section", "value")),
        *("--k-factor", Slot("k_factor", "value")),
        *("--filter-efficiency", Slot("filter_efficiency", "value")),
        *("--output", Slot(scaled[0], "made", path=scaled[1])),
    )
    interpretation = (
        *("--input", Slot(scaled[0], "link", source=SCALING)),
        *("--format", "png,pdf"),
        *("--output", Slot("results", "made")),
    )
    return (
        _step(SKIMMING, digest, skimming, dict([raw])),
        _step(SCALING, digest, scaling, dict([scaled])),
        _step(INTERPRETATION, digest, interpretation, results_of(manifest)),
    )


def _step(name: str, digest: str, words: Sequence[str | Slot], outputs: Mapping[str, str]) -> Step:
    start = ("hepflow", "reinterpret", Slot(BUNDLE, "file"), "--digest", digest, "--trust")
    return Step(name, (*start, "--step", name, *words), outputs)


def results_of(manifest: Manifest) -> dict[str, str]:
    """What the last step publishes: limit, CLs scan, and the spectrum of each channel."""
    channels = [_plain(one, "channel") for one in manifest.channels]
    names = [re.sub(r"\W", "_", one) for one in channels]
    if len(set(names)) < len(names):
        names = [str(index) for index in range(1, len(names) + 1)]
    return {
        "limit": "limit.json",
        "scan": "plots/limit_scan.png",
        **{
            f"spectrum_{name}": f"plots/spectrum_{channel}.png"
            for name, channel in zip(names, channels, strict=True)
        },
    }


def _plain(name: str, what: str) -> str:
    """A name that files, parameters and commands can hold as it is."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{what} {name!a} of the bundle is no name as hepflow writes it.")
    return name


def years_of(manifest: Manifest) -> tuple[str, ...]:
    """Years with a signal of their own; none where the luminosity is one number."""
    if not isinstance(manifest.luminosity, Mapping):
        return ()
    return tuple(_plain(year, "year") for year in manifest.luminosity)


def signal_names(manifest: Manifest) -> tuple[str, ...]:
    """Parameters that name the files of the signal: one, or one for each year."""
    return tuple(slot.name for slot in _signals(manifest))


def _signals(manifest: Manifest) -> tuple[Slot, ...]:
    years = years_of(manifest)
    if not years:
        return (Slot("signal", "file"),)
    names = [(f"signal_{re.sub(r'[.+-]', '_', year)}", year) for year in years]
    return tuple(Slot(name, "file", prefix=f"{year}=") for name, year in names)

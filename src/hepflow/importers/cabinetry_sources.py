"""The systematics of a cabinetry configuration as sources: a size, or templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepflow.errors import Problem, WorkspaceError
from hepflow.importers.cabinetry_templates import (
    Entry,
    Found,
    Reader,
    acts_on,
    contains,
    names_in,
)
from hepflow.records import Template

SIDES = (("Up", "up"), ("Down", "down"))


@dataclass(frozen=True)
class Source:
    """All systematics of one nuisance parameter."""

    name: str  # of the parameter: ModifierName, or Name
    entries: tuple[Entry, ...]

    @property
    def size(self) -> float | None:
        """Relative size, where one symmetric number says it all."""
        sizes = {
            (one["Up"].get("Normalization"), one["Down"].get("Normalization"))
            if one["Type"] == "Normalization" and not names_in(one, "Regions")
            else None
            for one in self.entries
        }
        if len(sizes) != 1 or (found := sizes.pop()) is None or None in found:
            return None
        up, down = found
        return float(up) if up == -down and 0 < up < 1 else None

    def acting(self, region: Entry, sample: Entry) -> Entry | None:
        """Return the systematic that acts on a sample in a region.

        Raises
        ------
        WorkspaceError
            There are several: a sample has a parameter once.
        """
        found = [one for one in self.entries if acts_on(one, region, sample)]
        if len(found) > 1:
            names = ", ".join(one["Name"] for one in found)
            raise WorkspaceError(
                f"{names} share the ModifierName {self.name!r} and act on {sample['Name']!r} in "
                f"{region['Name']!r}: one parameter can do so only once. Restrict their Samples."
            )
        return found[0] if found else None

    def samples(self, samples: Sequence[Entry], regions: Sequence[Entry]) -> list[str]:
        """Names of the samples on which it acts somewhere."""
        return [
            sample["Name"]
            for sample in samples
            if any(contains(region, sample) and self.acting(region, sample) for region in regions)
        ]


def sources_of(config: Entry) -> list[Source]:
    """Group the systematics by their nuisance parameter, in the order of the file."""
    groups: dict[str, list[Entry]] = {}
    for one in config.get("Systematics", []):
        groups.setdefault(one.get("ModifierName", one["Name"]), []).append(one)
    return [Source(name, tuple(entries)) for name, entries in groups.items()]


def varied(
    source: Source, region: Entry, sample: Entry, nominal: Found, read: Reader
) -> Mapping[str, Template]:
    """Templates up and down of a source for a sample in a region; empty where it does not act.

    A size becomes the scaled nominal template, and ``Symmetrize`` what cabinetry makes of it
    (``normplusshape_modifiers`` in ``cabinetry/workspace.py``), so that the effect on yield and
    shape is the same.

    Raises
    ------
    WorkspaceError
        A template is missing or has other bins than nominal, or none is left to reflect.
    """
    entry = source.acting(region, sample)
    if entry is None:
        return {}
    if entry["Type"] == "Normalization":
        sizes = {short: 1 + entry[side]["Normalization"] for side, short in SIDES}
        return {short: _scaled(nominal.template, size) for short, size in sizes.items()}
    if entry["Up"].get("Symmetrize"):
        raise WorkspaceError(
            f"{_where(entry)}.Up.Symmetrize: it is possible for Down only. Exchange the two."
        )
    up = _same_bins(read(region, sample, entry, "Up"), nominal, entry)
    if entry["Down"].get("Symmetrize"):
        return {"up": up, "down": _reflected(up, nominal.template, entry)}
    return {"up": up, "down": _same_bins(read(region, sample, entry, "Down"), nominal, entry)}


def _where(entry: Entry) -> str:
    return f"Systematics[{entry['Name']}]"


def _same_bins(found: Found, nominal: Found, entry: Entry) -> Template:
    if found.edges != nominal.edges:
        raise WorkspaceError(
            f"{_where(entry)}: the bins are not those of the nominal template, whose edges are "
            f"{nominal.edges}, but {found.edges}. Rebin the histograms."
        )
    return found.template


def _scaled(template: Template, factor: float) -> Template:
    return Template(template.sumw * factor, template.sumw2 * factor**2)


def _reflected(up: Template, nominal: Template, entry: Entry) -> Template:
    """Yield and shape reflected separately: norm 2 - n, shape 2 * nominal - up / n."""
    effect = float(up.values.sum() / nominal.values.sum()) if nominal.values.any() else 1.0
    if not effect > 0:
        raise WorkspaceError(
            f"{_where(entry)}.Down.Symmetrize: Up is a variation with {effect:g} times the nominal "
            "yield, and only a positive one can be reflected. Give a template for Down."
        )
    sumw = (2 - effect) * (2 * nominal.sumw - up.sumw / effect)
    return Template(sumw, np.array(up.sumw2))


def source_findings(sources: Sequence[Source], source: str) -> Iterator[tuple[bool, Problem]]:
    """What of the systematics is carried over in another form (True), or is left out (False)."""
    for one in sources:
        for entry in one.entries:
            where = _where(entry)
            if "ModifierName" in entry:
                yield True, Problem(where, f"is the source {one.name!r}, its ModifierName")
            if entry["Type"] == "Normalization" and one.size is None:
                yield True, Problem(where, _TEMPLATES, "The effect on the fit is the same.")
            if entry["Down"].get("Symmetrize"):
                yield True, Problem(f"{where}.Down.Symmetrize", "is a reflected template here")
            if "Smoothing" in entry and source == "inputs":
                yield (
                    False,
                    Problem(
                        f"{where}.Smoothing",
                        "is not applied to the input histograms",
                        "Run cabinetry.templates.postprocess, and read source='folder'.",
                    ),
                )


_TEMPLATES = (
    "is asymmetric or differs between regions or samples: carried over as templates, not as a size"
)

"""What the files of the data-taking periods call their corrections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hepflow.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Year:
    """What the files of one data-taking period call their corrections."""

    calendar: str  # in the names of sources that belong to it
    pile_up: str
    scale: str  # campaign and version of the jet energy scale
    resolution: str  # campaign and version of the jet energy resolution

    @property
    def scale_mc(self) -> str:
        """Start of the names for simulation."""
        return f"{self.scale}_MC"

    def scale_data(self, run: str) -> str:
        """Start of the names for data of a run era, such as ``A`` or ``FGH``."""
        campaign, _, version = self.scale.rpartition("_")
        return f"{campaign}_Run{run}_{version}_DATA"


YEARS: Mapping[str, Year] = {
    "2016preVFP": Year(
        "2016", "Collisions16_UltraLegacy_goldenJSON", "Summer19UL16APV_V7", "Summer20UL16APV_JRV3"
    ),
    "2016postVFP": Year(
        "2016", "Collisions16_UltraLegacy_goldenJSON", "Summer19UL16_V7", "Summer20UL16_JRV3"
    ),
    "2017": Year(
        "2017", "Collisions17_UltraLegacy_goldenJSON", "Summer19UL17_V5", "Summer19UL17_JRV2"
    ),
    "2018": Year(
        "2018", "Collisions18_UltraLegacy_goldenJSON", "Summer19UL18_V5", "Summer19UL18_JRV2"
    ),
}

FULL = (
    *("AbsoluteStat", "AbsoluteScale", "AbsoluteMPFBias", "Fragmentation", "SinglePionECAL"),
    *("SinglePionHCAL", "FlavorQCD", "TimePtEta", "RelativeJEREC1", "RelativeJEREC2"),
    *("RelativeJERHF", "RelativePtBB", "RelativePtEC1", "RelativePtEC2", "RelativePtHF"),
    *("RelativeBal", "RelativeSample", "RelativeFSR", "RelativeStatFSR", "RelativeStatEC"),
    *("RelativeStatHF", "PileUpDataMC", "PileUpPtRef", "PileUpPtBB", "PileUpPtEC1"),
    *("PileUpPtEC2", "PileUpPtHF"),
)
# Those with {year} are measured in each year anew.
REGROUPED = (
    *("Absolute", "Absolute_{year}", "BBEC1", "BBEC1_{year}", "EC2", "EC2_{year}", "FlavorQCD"),
    *("HF", "HF_{year}", "RelativeBal", "RelativeSample_{year}"),
)
_SETS: Mapping[str, tuple[str, ...]] = {"regrouped": REGROUPED, "full": FULL, "total": ("Total",)}
_GROUP = "Regrouped_"


def year_of(year: str | None) -> Year:
    """Names of a data-taking period.

    Raises
    ------
    InputError
        If they are not known here.
    """
    if year is None or year not in YEARS:
        raise InputError(
            f"hepflow.corrections.cms: the names of the corrections of the year {year!r} are not "
            f"known, those of {', '.join(YEARS)} are. Give the keys themselves."
        )
    return YEARS[year]


def jet_sources_of(sources: str | Sequence[str], year: str | None) -> dict[str, str]:
    """Jet energy sources by name, with their names in the file.

    Parameters
    ----------
    sources
        ``regrouped`` (11), ``full`` (27), ``total`` (one), or their names in the file.
    year
        One of `YEARS`, for the names that belong to it.

    Raises
    ------
    InputError
        If the set is not known, or needs a year.

    Examples
    --------
    >>> jet_sources_of("regrouped", "2018")["Absolute_2018"]
    'Regrouped_Absolute_2018'
    """
    if not isinstance(sources, str):
        return {one.removeprefix(_GROUP): one for one in sources}
    if sources not in _SETS:
        raise InputError(
            f"hepflow.corrections.cms: there is no set of jet energy sources {sources!r}. "
            f"{did_you_mean(sources, _SETS)} Or give a list of names."
        )
    calendar = year_of(year).calendar if sources == "regrouped" else ""
    names = (one.format(year=calendar) for one in _SETS[sources])
    start = _GROUP if sources == "regrouped" else ""
    return {one: f"{start}{one}" for one in names}

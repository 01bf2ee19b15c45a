"""What the audit can find, what it means, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hepflow.records.inference import Finding

ERROR: Final = "error"
WARNING: Final = "warning"
ACCEPTED: Final = "accepted"
SEVERITIES: Final = (ERROR, WARNING, ACCEPTED)


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding."""

    severity: str  # in general; the page of the audit tells the exceptions
    meaning: str
    remedy: str


CODES: Final = {
    "non-finite": Code(
        ERROR,
        "A template or the data holds a value that is not a number, or is infinite.",
        "Look at the weights and corrections of this sample.",
    ),
    "negative-expectation": Code(
        ERROR,
        "All samples together expect less than nothing in a bin: there is no likelihood.",
        "Merge bins, or use more simulated events.",
    ),
    "data-without-prediction": Code(
        ERROR,
        "Events are observed in a bin in which no sample expects any.",
        "Add the missing process, merge bins, or correct the selection.",
    ),
    "norm-effect": Code(
        ERROR,
        "A source changes the yield of a sample by more than the threshold.",
        "Compare the weights of this variation with the nominal ones: a factor that is lost or "
        "applied twice looks like this.",
    ),
    "identical-sides": Code(
        ERROR,
        "The up and the down template of a source are the same.",
        "Check that up and down are not read from the same place, and that the down side is "
        "computed at all.",
    ),
    "variance": Code(
        ERROR,
        "The squared weights of a template cannot be: negative, or zero where there is content.",
        "Fill the histogram with its sum of squared weights (Sumw2).",
    ),
    "estimate-without-factor": Code(
        ERROR,
        "A background that is estimated from data has no transfer factor, as the data minus the "
        "simulation of its denominator are not positive: it is left out, or reads nominal in a "
        "variation.",
        "Choose another sideband for `transfer.denominator`, merge bins where the factor has one "
        "for each, or look at what is subtracted.",
    ),
    "missing-variation": Code(
        WARNING,
        "A source that acts on a sample has no templates for it in this region: it reads nominal.",
        "Fill the variation here, too, or limit the source to where it acts.",
    ),
    "missing-side": Code(
        WARNING,
        "One side of a source is missing or equal to nominal.",
        "Fill the other side, or set `symmetrise` of the source.",
    ),
    "one-sided": Code(
        WARNING,
        "Up and down move the yield, or a bin, in the same direction.",
        "Look at the templates: at the peak of a distribution or for a resolution this can be "
        "real, else it is a sign mistaken or too few simulated events.",
    ),
    "spike": Code(
        WARNING,
        "The effect of a source in a bin stands out from the bins beside it by more than the "
        "statistics of the simulated events explain.",
        "Look at events of large weight in this bin, merge bins, or smooth the variation.",
    ),
    "empty-bin": Code(
        WARNING,
        "Nothing is expected in a bin between others in which something is.",
        "Merge bins, or use more simulated events.",
    ),
    "negative-bin": Code(
        WARNING,
        "A sample expects less than nothing in a bin, nominally or varied.",
        "Merge bins, or use more simulated events.",
    ),
    "estimate-not-positive": Code(
        WARNING,
        "The data minus the simulation of the numerator or of the shape of a background that is "
        "estimated from data are not positive: the estimate is 0, with a statistical uncertainty.",
        "Choose another sideband, or look at what is subtracted.",
    ),
    "mc-statistics": Code(
        WARNING,
        "The statistical uncertainty of the simulated events is above the threshold.",
        "Merge bins, or use more simulated events.",
    ),
    "no-effect": Code(
        WARNING,
        "A source has templates that are equal to nominal on both sides.",
        "Leave the sample out of the source, or check that the variation reaches it.",
    ),
    "data-without-background": Code(
        WARNING,
        "Events are observed in a bin in which only the signal expects any: without signal these "
        "data are impossible, whatever the rest of the data says.",
        "Merge bins, or use more simulated events of the background.",
    ),
    "skim-threshold": Code(
        WARNING,
        "The skim cuts on a column that a source moves, at the value of a later cut: events that "
        "a variation lets pass are not there.",
        "Loosen the cut of the skim by more than the largest variation.",
    ),
    "stale-acceptance": Code(
        WARNING,
        "An entry of `statistics.audit.accepted` fits no finding.",
        "Remove the entry.",
    ),
}  # by name


@dataclass(frozen=True, slots=True)
class Where:
    """What a finding is about; empty parts mean all."""

    region: str
    sample: str = ""
    systematic: str = ""


def finding(
    code: str, what: str, where: Where, bins: Iterable[int] = (), *, severity: str = ""
) -> Finding:
    """A finding whose message says what was found and what to do.

    Parameters
    ----------
    code
        Of `CODES`.
    what
        With the values.
    where
        Region, sample and source.
    bins
        From 0; none where all are meant.
    severity
        Where it is not the usual one of this code.
    """
    known = CODES[code]
    return Finding(
        code,
        severity or known.severity,
        where.region,
        where.sample,
        where.systematic,
        tuple(int(one) for one in bins),
        f"{what}. {known.remedy}",
    )


def what_of(one: Finding) -> str:
    """Message of a finding without what to do about it."""
    known = CODES.get(one.code)
    return one.message if known is None else one.message.replace(f" {known.remedy}", "", 1)

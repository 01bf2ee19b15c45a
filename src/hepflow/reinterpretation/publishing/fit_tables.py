"""Tables of a fit: parameters, correlations and covariance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from hepflow.records.results import FitResult
from hepflow.reinterpretation.publishing.material import Material
from hepflow.reinterpretation.publishing.tables import (
    MATRIX_DIGITS,
    Column,
    ErrorBar,
    Table,
)

MOST: Final = 100  # parameters of a matrix: with more, the table is larger than anybody reads


def fit_tables(material: Material) -> Iterator[Table]:
    """Best fit, and the matrices of its parameters.

    Parameters that the fit held are in the first table only. Of more than 100, those of the
    statistics of single bins are not in the matrices; ``fit.json``, attached, has all.
    """
    fit = material.fit
    if fit is None or not fit.converged:
        return
    spread = [float(one) for one in fit.uncertainty]
    yield Table(
        "Fit parameters",
        f"Best fit of all parameters, with one standard deviation; {fit.poi} is the parameter of "
        "interest. Parameters without an uncertainty were held.",
        (Column("Parameter", list(fit.labels)),),
        (Column("Value", fit.bestfit.tolist(), "", (ErrorBar("fit", spread),)),),
        ("FIT",),
        picture="pulls",
        digits=MATRIX_DIGITS,
        point=material.point.name,
    )
    yield from _matrices(fit, material.point.name)


def _matrices(fit: FitResult, point: str) -> Iterator[Table]:
    kept = [place for place, width in enumerate(fit.uncertainty) if width > 0]
    some = [place for place in kept if not fit.labels[place].endswith("]")]
    note = ""
    if len(kept) > MOST:
        kept, note = some, " Parameters of single bins are left out; fit.json has all."
    if not 0 < len(kept) <= MOST:
        return
    block = fit.correlation[np.ix_(kept, kept)]
    widths = fit.uncertainty[kept]
    names = [fit.labels[place] for place in kept]
    rows = (
        Column("First parameter", np.repeat(names, len(names)).tolist()),
        Column("Second parameter", names * len(names)),
    )
    for title, matrix, picture in (
        ("Correlation", block, "correlation"),
        ("Covariance", block * np.outer(widths, widths), ""),
    ):
        yield Table(
            f"{title} of the fit",
            f"{title} matrix of the parameters that the fit moved.{note}",
            rows,
            (Column(title, matrix.ravel().tolist()),),
            ("FIT",),
            picture=picture,
            digits=MATRIX_DIGITS,
            point=point,
        )

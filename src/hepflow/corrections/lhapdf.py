"""PDF sets whose weights are found in simulated events, by their LHAPDF IDs.

The ID of a set is that of its member 0; member `i` has the ID of the set plus `i`
(https://lhapdf.hepforge.org/pdfsets.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Formula = Literal["hessian", "replicas"]


@dataclass(frozen=True, slots=True)
class PdfSet:
    """A set of PDFs with its uncertainty."""

    lhapdf_id: int  # of member 0
    name: str
    formula: Formula
    size: int  # eigenvectors (symmetric) or replicas: members 1 to `size`
    alpha_s: bool = False  # whether the two members behind have a lower and a higher alpha_s

    @property
    def numbers(self) -> int:
        """Members, member 0 included."""
        return 1 + self.size + (2 if self.alpha_s else 0)


PDF_SETS = (
    PdfSet(90200, "PDF4LHC15_nlo_100_pdfas", "hessian", 100, alpha_s=True),
    PdfSet(90400, "PDF4LHC15_nlo_30_pdfas", "hessian", 30, alpha_s=True),
    PdfSet(91200, "PDF4LHC15_nnlo_100_pdfas", "hessian", 100, alpha_s=True),
    PdfSet(91400, "PDF4LHC15_nnlo_30_pdfas", "hessian", 30, alpha_s=True),
    PdfSet(93300, "PDF4LHC21_40_pdfas", "hessian", 40, alpha_s=True),
    PdfSet(260000, "NNPDF30_nlo_as_0118", "replicas", 100),
    PdfSet(261000, "NNPDF30_nnlo_as_0118", "replicas", 100),
    PdfSet(262000, "NNPDF30_lo_as_0118", "replicas", 100),
    PdfSet(263000, "NNPDF30_lo_as_0130", "replicas", 100),
    PdfSet(292000, "NNPDF30_nlo_nf_4_pdfas", "replicas", 100, alpha_s=True),
    PdfSet(292200, "NNPDF30_nlo_nf_5_pdfas", "replicas", 100, alpha_s=True),
    PdfSet(303600, "NNPDF31_nnlo_as_0118", "replicas", 100),
    PdfSet(304400, "NNPDF31_nnlo_as_0118_hessian", "hessian", 100),
    PdfSet(305800, "NNPDF31_nlo_hessian_pdfas", "hessian", 100, alpha_s=True),
    PdfSet(306000, "NNPDF31_nnlo_hessian_pdfas", "hessian", 100, alpha_s=True),
    PdfSet(316200, "NNPDF31_nnlo_as_0118_mc", "replicas", 100),
    PdfSet(320900, "NNPDF31_nnlo_as_0118_nf_4", "replicas", 100),
    PdfSet(325300, "NNPDF31_nnlo_as_0118_mc_hessian_pdfas", "hessian", 100, alpha_s=True),
    PdfSet(325500, "NNPDF31_nnlo_as_0118_nf_4_mc_hessian", "hessian", 100),
)
# Of sets that are not among these: eigenvectors or replicas that sets have.
SIZES = (30, 40, 50, 100)
MOST_BESIDE = 3  # member 0 and two of alpha_s


def set_of(lhapdf_id: int) -> PdfSet | None:
    """Set that a member belongs to; None for one that is not known here.

    Examples
    --------
    >>> set_of(292201).name
    'NNPDF30_nlo_nf_5_pdfas'
    """
    for one in PDF_SETS:
        if one.lhapdf_id <= lhapdf_id < one.lhapdf_id + one.numbers:
            return one
    return None


def formula_of(members: str) -> Formula | None:
    """Formula of the set that a row's name holds: ``pdf306000``, ``pdf_alpha_s91400``."""
    digits = members.lstrip("abcdefghijklmnopqrstuvwxyz_")
    known = set_of(int(digits)) if digits.isdigit() else None
    return None if known is None else known.formula

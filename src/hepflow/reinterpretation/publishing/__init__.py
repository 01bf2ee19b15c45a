"""What is published of an analysis: patch sets, tables for HEPData, likelihoods by their DOI."""

from hepflow.reinterpretation.publishing.downloading import Access, Downloaded, download
from hepflow.reinterpretation.publishing.material import Material, read_material
from hepflow.reinterpretation.publishing.patch_sets import (
    SignalPatch,
    make_patch_set,
)
from hepflow.reinterpretation.publishing.points import Point, read_points
from hepflow.reinterpretation.publishing.record import Licence, Record
from hepflow.reinterpretation.publishing.sources import background_of, readable, workspace_of
from hepflow.reinterpretation.publishing.submission import Written, write_submission

__all__ = [
    "Access",
    "Downloaded",
    "Licence",
    "Material",
    "Point",
    "Record",
    "SignalPatch",
    "Written",
    "background_of",
    "download",
    "make_patch_set",
    "read_material",
    "read_points",
    "readable",
    "workspace_of",
    "write_submission",
]

"""Luminosity by run and block: tables of it, and what of it was processed."""

from hepflow.luminosity.blocks import FileBlocks, ProcessedData, processed_blocks, read_blocks
from hepflow.luminosity.codes import codes_of
from hepflow.luminosity.fraction import check_years_apart, luminosity_fraction
from hepflow.luminosity.table import LumiTable, load_table

__all__ = [
    "FileBlocks",
    "LumiTable",
    "ProcessedData",
    "check_years_apart",
    "codes_of",
    "load_table",
    "luminosity_fraction",
    "processed_blocks",
    "read_blocks",
]

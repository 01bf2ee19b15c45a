"""Fill histograms, keep them, and write them for others."""

from hepflow.histograms.cutflows import (
    CutflowTable,
    cutflow_latex,
    cutflow_table,
    write_cutflows,
)
from hepflow.histograms.files import (
    LOSSLESS_FILE,
    ROOT_FILE,
    read_histograms,
    write_histograms,
    write_lossless,
)
from hepflow.histograms.fill import (
    Owners,
    Rows,
    Step,
    Values,
    empty_rows,
    fill_block,
    fill_cutflow,
    fill_rows,
    join_rows,
    observable_values,
)
from hepflow.histograms.raw import read_raw, write_raw
from hepflow.histograms.root_file import histogram_key, write_root

__all__ = [
    "LOSSLESS_FILE",
    "ROOT_FILE",
    "CutflowTable",
    "Owners",
    "Rows",
    "Step",
    "Values",
    "cutflow_latex",
    "cutflow_table",
    "empty_rows",
    "fill_block",
    "fill_cutflow",
    "fill_rows",
    "histogram_key",
    "join_rows",
    "observable_values",
    "read_histograms",
    "read_raw",
    "write_cutflows",
    "write_histograms",
    "write_lossless",
    "write_raw",
    "write_root",
]

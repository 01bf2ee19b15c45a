"""The report of a run: one page that needs neither network nor server."""

from hepflow.report.collect import collect
from hepflow.report.content import (
    Cell,
    Column,
    Facts,
    Figure,
    Gallery,
    Headline,
    Notice,
    ReportContent,
    Section,
    Table,
)
from hepflow.report.settings import Difference, differences, keep_previous, leaves, text_of
from hepflow.report.write import REPORT_FILE, write_report

__all__ = [
    "REPORT_FILE",
    "Cell",
    "Column",
    "Difference",
    "Facts",
    "Figure",
    "Gallery",
    "Headline",
    "Notice",
    "ReportContent",
    "Section",
    "Table",
    "collect",
    "differences",
    "keep_previous",
    "leaves",
    "text_of",
    "write_report",
]

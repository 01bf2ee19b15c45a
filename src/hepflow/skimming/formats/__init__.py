"""Formats of parts: each holds the events and a header that says what they are.

A format is two functions. `FORMATS` is what to add to for another one.
"""

from __future__ import annotations

from hepflow.skimming.formats.header import Header
from hepflow.skimming.formats.known import FORMATS, PartFormat, format_of

__all__ = ["FORMATS", "Header", "PartFormat", "format_of"]

"""Skim: keep the columns and events that the analysis needs, part by part."""

from hepflow.skimming.parts import AnyPart, LivePart, Part
from hepflow.skimming.run import process_workitems_with_skimming
from hepflow.skimming.skim import Skim
from hepflow.skimming.spec import SkimSpec

__all__ = ["AnyPart", "LivePart", "Part", "Skim", "SkimSpec", "process_workitems_with_skimming"]

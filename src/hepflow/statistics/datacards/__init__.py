"""Datacards of Combine: from and to HistFactory workspaces."""

from __future__ import annotations

from hepflow.statistics.datacards.card import Approximation, Card
from hepflow.statistics.datacards.exporting import Exported, export_card
from hepflow.statistics.datacards.importing import Imported, import_card
from hepflow.statistics.datacards.reading import parse_card, read_card
from hepflow.statistics.datacards.writing import card_text, write_card

__all__ = [
    "Approximation",
    "Card",
    "Exported",
    "Imported",
    "card_text",
    "export_card",
    "import_card",
    "parse_card",
    "read_card",
    "write_card",
]

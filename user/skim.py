"""Which events to keep on disk: loose enough that no variation moves an event across."""

from __future__ import annotations

from typing import Any

MINIMUM_MET = 30.0  # [GeV]; the signal region asks for 50


def skim(trigger: Any, met: Any) -> Any:
    """Muon trigger and a loose requirement on missing momentum."""
    from coffea.analysis_tools import PackedSelection  # noqa: PLC0415  # slow to import

    selection = PackedSelection()
    selection.add("trigger", trigger.TkMu50)
    selection.add("met", met.pt > MINIMUM_MET)
    selection.add("skim", selection.all("trigger", "met"))
    return selection

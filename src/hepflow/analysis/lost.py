"""Whether histograms of the last run lack nothing but what could not be filled then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hepflow.analysis.filling import parts_left
from hepflow.analysis.filling_keys import STAGE, filling_keys
from hepflow.analysis.stored import FILLED_STAMP, pieces_of
from hepflow.errors import HepflowError
from hepflow.execution import Executor
from hepflow.histograms import LOSSLESS_FILE, read_histograms
from hepflow.skimming import AnyPart
from hepflow.stamps import read_key

if TYPE_CHECKING:
    from hepflow.analysis.base import Analysis

SKIM = "skim"  # part of a key


def only_lost(analysis: Analysis, parts: Sequence[AnyPart], executor: Executor) -> bool:
    """Whether the skim is that of the stored histograms, of which something was lost in filling.

    Then it is tried again, though nothing changed.

    Parameters
    ----------
    parts
        All parts of today.
    executor
        Where repeated events would be looked for among what is left.
    """
    folder = analysis.output_manager.get_histograms_dir()
    stored, path = read_key(folder, FILLED_STAMP), folder / LOSSLESS_FILE
    if stored is None or not path.exists():
        return False
    try:
        ledger = read_histograms(path).ledger
        lost = [loss for loss in ledger.losses if loss.stage == STAGE]
        if not lost:
            return False
        left = parts_left(analysis, parts, pieces_of(parts, ledger), lost, executor)
    except HepflowError:  # the run itself says what is wrong
        return False
    key = next(iter(filling_keys(analysis, left).values()))
    return key.parts[SKIM] == stored.parts.get(SKIM)

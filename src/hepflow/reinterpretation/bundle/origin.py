"""Whether stored results were made from what the configuration beside them says."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hepflow.reinterpretation.bundle.finished import Finished
    from hepflow.reinterpretation.bundle.loading import PreservedAnalysis

# Parts of keys that tell nothing here: versions stand in the environment, the events are not at
# hand, and what a class keeps for itself may hold folders of the run.
_ELSEWHERE: Final = {"skim", "attributes", "hepflow", "format"}


def made_from_something_else(found: PreservedAnalysis, finished: Finished) -> str:
    """Compare what histograms and fit were made from with the restored configuration.

    Returns
    -------
    str
        What is wrong, with what to do; "" where they are the same or no run wrote it down.
    """
    with found.imported():
        changed = _filled_from(found, finished)
        if not changed:
            changed = _fitted_from(found, finished)
    if not changed:
        return ""
    hint = "Run again, and preserve that run."
    if changed == ["analysis"]:
        hint = "Name the class that did it with --analysis MODULE:CLASS."
    return (
        "what is stored there was made from something else than its configuration says (changed: "
        f"{', '.join(changed)}). {hint}"
    )


def _filled_from(found: PreservedAnalysis, finished: Finished) -> list[str]:
    from hepflow.analysis.filling_keys import filling_keys, joined_key
    from hepflow.analysis.stored import FILLED_STAMP
    from hepflow.keys import changed_parts
    from hepflow.pipeline import make_output_manager
    from hepflow.stamps import read_stamp

    stamp = read_stamp(finished.folder / "histograms", FILLED_STAMP)
    if stamp is None:
        return []
    with tempfile.TemporaryDirectory(prefix="hepflow-bundle-") as folder:
        config = found.config.revalidated()
        config.general.output_dir = config.general.cache_dir = folder
        instance = found.analysis(config, {}, make_output_manager(config))
        today = joined_key(filling_keys(instance, ()))
    return sorted(set(changed_parts(stamp.key, today)) - _ELSEWHERE)


def _fitted_from(found: PreservedAnalysis, finished: Finished) -> list[str]:
    from hepflow.analysis.results import _statistics_key
    from hepflow.keys import changed_parts
    from hepflow.stamps import read_stamp
    from hepflow.statistics.spec import StatisticsSpec

    filled = read_stamp(finished.folder / "histograms")
    fitted = read_stamp(finished.folder / "statistics")
    if filled is None or fitted is None:
        return []
    spec = StatisticsSpec.from_config(found.config)
    today = _statistics_key(spec, filled.key, finished.stored.inference.expected_only)
    return sorted(set(changed_parts(fitted.key, today)) - _ELSEWHERE)

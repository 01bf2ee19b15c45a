"""Kinds of faults: how each strikes at which stage, on which executor, and what may come of it."""

from __future__ import annotations

from tests.pipeline.fault_case import DRAW, EXECUTORS, FIT, Case, Ends, Fault
from tests.pipeline.fault_functions import FUNCTIONS, MEMORY, WORKERS
from tests.pipeline.fault_inputs import FILLING, METADATA, PARTS, SKIM

# -- folders and disks -----------------------------------------------------------------------

_FOLDERS = (
    ("metadata", "out/metadata", "i", ()),
    ("skim", "out/skimmed/signal__nominal", "d", ()),
    ("duplicates", "cache/duplicates", "i", ()),
    ("histograms", "cache/histograms/parts", "i", ()),
    ("normalisation", "out/histograms", "i", ()),
    ("statistics", "out/statistics", "i", FIT),
    ("plots", "out/plots/SR", "i", DRAW),
)
_MEGABYTE = 1 << 20
STORAGE = (
    *(
        Fault(
            "folder closed",
            stage,
            executors=executors,
            action=("close_folder", folder),
            words=words,
            says=(folder, "Permission denied", "Check the folder, its permissions"),
            status=(1,),
        )
        for stage, folder, executors, words in _FOLDERS
    ),
    *(
        Fault(
            "disk full",
            stage,
            executors=executors,
            rescale="i" if stage == "skim" else "",
            action=("fill_disk", folder, left),
            disk=(folder, 2 * _MEGABYTE),
            words=words,
            says=("No space left on device", "the free space"),
            status=(1,),
        )
        for stage, folder, left, executors, words in (
            ("metadata", "out", 0, "i", ()),
            ("skim", "out", 12_288, "ld", ()),
            ("histograms", "cache", 8_192, "d", ()),
            ("normalisation", "out", 0, "i", ()),
            ("statistics", "out", 0, "i", FIT),
            ("plots", "out", 4_096, "i", DRAW),
        )
    ),
    *(
        Fault(
            "file too large",
            stage,
            executors=executors,
            action=("limit_files", largest),
            at="metadata" if "l" in executors else "",  # workers that start later have it, too
            words=words,
            says=("File too large", "the free space"),
            status=(1,),
        )
        for stage, largest, executors, words in (  # logs are smaller
            ("skim", 8_000, "l", ()),
            ("histograms", 9_000, "i", ()),
            ("plots", 9_000, "i", DRAW),
        )
    ),
)

# -- the client ------------------------------------------------------------------------------------

_MOMENTS = (  # stage, outcomes before, words
    ("metadata", 2, ()),
    ("skim", 3, ()),
    ("duplicates", 1, ()),
    ("histograms", 1, ()),
    ("normalisation", 0, ()),
    ("statistics", 1, FIT),
    ("plots", 1, DRAW),
)
_WAYS: tuple[tuple[str, str, Ends], ...] = (
    ("client killed", "kill", "dies"),
    ("Ctrl-C", "interrupt", "interrupted"),
)
_WHERE = {("client killed", "skim"): "ld", ("Ctrl-C", "skim"): "l", ("Ctrl-C", "histograms"): "d"}
CLIENTS = tuple(
    Fault(
        kind,
        stage,
        executors=_WHERE.get((kind, stage), "i"),
        action=(action,),
        after=after,
        words=words,
        ends=ends,
    )
    for kind, action, ends in _WAYS
    for stage, after, words in _MOMENTS
    if kind == "client killed" or stage not in {"duplicates", "normalisation"}
)

FAULTS = (
    *METADATA, *SKIM, *FILLING, *PARTS, *STORAGE, *FUNCTIONS, *MEMORY, *WORKERS, *CLIENTS,
)  # fmt: skip


def cases() -> list[Case]:
    """All faults, on each of their executors and under each of their policies."""
    return [
        Case(fault, EXECUTORS[letter], policy)
        for fault in FAULTS
        for policy, letters in (
            ("fail", fault.executors),
            ("rescale", fault.rescale),
            ("drop_dataset", fault.drop),
        )
        for letter in letters
    ]

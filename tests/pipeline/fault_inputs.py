"""Faults of input files and of what earlier stages and runs have kept."""

from __future__ import annotations

from dataclasses import replace

from tests.pipeline.fault_case import DRAW, FIT, ONE_PASS, Fault
from tests.pipeline.fault_project import BASKET, CHUNK, EVENTS, TARGET

WHOLE, HALVES = ((TARGET, 0, 0),), ((TARGET, 0, CHUNK), (TARGET, CHUNK, EVENTS))
ONE_BASKET = ((TARGET, 2 * BASKET, 3 * BASKET),)

_CHANGED = ("it changed since its metadata was read", "Run the metadata step again")
_FILE = Fault("", "", remains="without file", lost=HALVES)
_AT_START = (
    replace(
        _FILE,
        kind="file missing",
        rescale="i",
        action=("remove",),
        says=("1 of 2 files do not exist", TARGET),
    ),
    replace(
        _FILE,
        kind="truncated",
        executors="id",
        rescale="d",
        drop="i",
        action=("truncate",),
        says=("truncated", TARGET, "Fetch it again"),
    ),
    replace(
        _FILE,
        kind="corrupted basket",
        executors="d",
        rescale="i",
        action=("corrupt", "genWeight"),
        says=("corrupted", TARGET, "Fetch it again"),
    ),
    replace(
        _FILE,
        kind="wrong tree",
        action=("rename_tree",),
        says=("no tree 'Events'", TARGET, "Did you mean 'Evts'?"),
    ),
    replace(
        _FILE,
        kind="weight of another type",
        executors="i",
        rescale="d",
        action=("retype", "genWeight", "lists"),
        says=("genWeight", TARGET),
    ),
    replace(
        _FILE,
        kind="permission denied",
        executors="d",
        rescale="i",
        action=("deny",),
        says=("Permission denied", TARGET),
    ),
)
METADATA = tuple(replace(one, stage="metadata", at="start", lost=WHOLE) for one in _AT_START)

_WHILE_RUNNING = (  # kind, action, texts of the message
    ("file missing", "remove", ("there is no such file", TARGET)),
    ("truncated", "truncate", ("truncated", TARGET, "Fetch it again")),
    ("changed since metadata", "other_events", _CHANGED),
    ("wrong tree", "rename_tree", ("no tree 'Events'", TARGET)),
    ("permission denied", "deny", ("Permission denied", TARGET)),
)
_SKIM_READS = (
    replace(
        _FILE,
        kind="corrupted basket",
        executors="i",
        rescale="ld",
        drop="i",
        action=("corrupt", "Jet_pt"),
        says=("corrupted", TARGET, "entries 200 to 300", "Fetch it again"),
        lost=ONE_BASKET,
        remains="without basket",
    ),
    *(
        replace(
            _FILE,
            kind=f"{branch} of another type ({kind})",
            at="start",
            rescale="i" if kind == "lists" else "",
            action=("retype", branch, kind),
            says=("preprocess.skimming.function", "signal_1.root"),
            status=(1,),
        )
        for branch, kind in (("MET_pt", "text"), ("MET_pt", "lists"), ("HLT_Mu50", "text"))
    ),
)
SKIM = (
    *(
        replace(
            _FILE, kind=kind, stage="skim", executors=executors, rescale=rescale, action=(action,),
            says=says,
        )
        for (kind, action, says), executors, rescale in zip(
            _WHILE_RUNNING, ("i", "d", "i", "i", "i"), ("i", "", "i", "", ""), strict=True
        )
    ),
    *(replace(one, stage="skim") for one in _SKIM_READS),
)  # fmt: skip
FILLING = (
    *(
        replace(
            _FILE, kind=f"{kind} (one pass)", stage="histograms", executors=executors,
            rescale=rescale, action=(action,), words=ONE_PASS, says=says,
        )
        for (kind, action, says), executors, rescale in zip(
            _WHILE_RUNNING[:3], ("i", "d", ""), ("", "", "i"), strict=True
        )
    ),
    replace(
        _SKIM_READS[0], stage="histograms", kind="corrupted basket (one pass)", words=ONE_PASS,
        executors="d", rescale="i", drop="",
    ),
    Fault(
        "Jet_pt of another type (numbers)",
        "histograms",
        rescale="i",
        at="start",
        action=("retype", "Jet_pt", "numbers"),
        says=(TARGET, "Jet"),
        status=(1, 2),
        lost=HALVES,
        remains="without file",
    ),
    Fault(
        "corrections changed",
        "histograms",
        executors="il",
        action=("other_weights",),
        says=("pileup.json", "changed"),
        status=(1, 2),
    ),
    Fault(
        "corrections missing",
        "histograms",
        action=("remove", "pileup.json"),
        says=("pileup.json",),
    ),
    Fault(
        "corrections too narrow",
        "histograms",
        at="start",
        action=("narrow_weights",),
        says=("pileup.json", "[0, 40)", "corrections[0] (pileup)", "out_of_range"),
    ),
)  # fmt: skip

# -- parts, and what is kept -----------------------------------------------------------------

_PART = "out/skimmed/signal__nominal/*.pkl"
_DATA_PART = "out/skimmed/data/*.pkl"
PARTS = (
    *(
        Fault(
            f"part of the skim ({how})",
            "histograms",
            executors="d" if how == "truncate" else "i",
            action=("damage", _PART, how),
            says=("signal_0", ".pkl"),
            status=(1,),
            damages=True,
        )
        for how in ("remove", "truncate", "corrupt", "exchange")
    ),
    *(
        Fault(
            f"part of the skim ({how})",
            "duplicates",
            action=("damage", _DATA_PART, how),
            says=("data_0", ".pkl"),
            status=(1,),
            damages=True,
        )
        for how in ("remove", "corrupt")
    ),
    *(
        Fault(
            f"{what} corrupted between runs",
            stage,
            at="start",
            action=("damage", pattern, "corrupt"),
            finished=True,
            ends="completes",
            words=words,
        )
        for what, stage, pattern, words in (
            ("metadata", "metadata", "out/metadata/files.json", ()),
            ("part of the skim", "skim", _PART, ()),
            ("kept histograms", "histograms", "cache/histograms/merged/*.pkl", ()),
            ("kept duplicates", "duplicates", "cache/duplicates/*.pkl", ()),
            ("histograms", "normalisation", "out/histograms/histograms.zip", ()),
            ("workspace", "statistics", "out/statistics/workspace.json", FIT),
            ("picture", "plots", "out/plots/SR/*.png", DRAW),
        )
    ),
)

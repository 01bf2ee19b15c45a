"""Edits of the project in `edited`, each with the exact set of stages that must run again."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pipeline.projects import changed

LOOK = ("plots",)
FIT = ("statistics", "plots")
SCALE = ("normalisation", *FIT)
FILL = ("histograms", *SCALE)
SKIM = ("skim", *FILL)
ALL = ("metadata", *SKIM)
EVERY = "SR CR VR"
CUTS, TOOLS, OBS = "physics/cuts.py", "physics/tools.py", "physics/observables.py"
SETTINGS, COMPILED, EXTRA = "physics/settings.py", "physics/compiled.py", "physics/extra.py"
MINE = "mine.py"

Action = Callable[[Path], Any]


@dataclass(frozen=True)
class Edit:
    """What somebody changes, and what must run again."""

    name: str
    action: Action | str  # on the folder, or a word of the command line
    again: tuple[str, ...] = ()  # stages
    channels: str = ""  # that are filled
    parts: int = 0  # that are skimmed
    anew: bool = False  # compare with a run from scratch

    @property
    def reason(self) -> str:
        """What the first of these stages says about the change."""
        if self.channels in EVERY.split():
            others = ", ".join(sorted({*EVERY.split()} - {self.channels}))
            return f"{self.channels} filled, changed: channel {self.channels}; {others} reused"
        return REASONS.get(self.name, "")


def code(file: str, old: str, new: str) -> Action:
    """Replace a text of a file that must be there, once."""

    def edit(folder: Path) -> None:
        path = folder / file
        text = path.read_text()
        assert text.count(old) == 1, (old, text.count(old))
        path.write_text(changed(text, (old, new)))

    return edit


def touch(name: str) -> Action:
    """Change the time of a file, not its content."""
    return lambda folder: os.utime(folder / name)


def files(*numbers: int) -> Action:
    """List these files of the background, which are made where they are not there."""

    def edit(folder: Path) -> None:
        names = [f"background_{i}.root" for i in numbers]
        for name in names:
            if not (folder / name).exists():
                shutil.copy(folder / "signal_0.root", folder / name)
        (folder / "background.txt").write_text("\n".join(names) + "\n")

    return edit


def reorder(folder: Path) -> None:
    """Turn the order of functions around."""
    path = folder / CUTS
    head, *functions = re.split(r"\n\n\n(?=def )", path.read_text())
    last, tail = functions.pop().split("\n\n\n")
    path.write_text("\n\n\n".join([head, *reversed(functions), last, tail]))


def annotate(folder: Path) -> None:
    """Say which types a function takes."""
    types = "def above(values: object, threshold: float) -> object:"
    code(CUTS, "def above(values, threshold):", types)(folder)
    code(CUTS, "import functools\n", "import functools\nfrom typing import Any\n")(folder)


def rename(folder: Path) -> None:
    """Give a local variable another name."""
    path = folder / OBS
    path.write_text(changed(path.read_text(), ("counts", "numbers")))


def systematic(**fields: Any) -> Action:
    """Add a source of uncertainty after the others."""
    listed = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    last = '            "processes": ["signal"],\n        },\n    ],\n    "statistics"'
    return code(MINE, last, last.replace("    ],\n", f"        {{{listed}}},\n    ],\n"))


def plotting(field: str) -> Action:
    """Set one more field of the section."""
    return code(MINE, '"plotting": {', f'"plotting": {{{field}, ')


_KEEP = '8.0, "keep": {"function": cuts.enough_met, "use": [MET_PT]}'
_SPLIT = "return (\n        trigger\n        & (met > MET_MIN * factor)\n    )"
_OF_SR = '"fit_observable": "met",\n        },\n        {\n            "name": "CR",'
_SCALE, _PILEUP = '"up_function": up,', '"nominal_idx": "nominal",'
_OBJECT = '["pt", "eta", "phi", "mass"],\n            "Jet"'

NOTHING = (
    Edit("comment", code(CUTS, "    return trigger", "    # why\n    return trigger"), anew=True),
    Edit("docstring", code(CUTS, "Trigger and missing", "What the trigger kept, and missing")),
    Edit("layout", code(CUTS, "return trigger & (met > MET_MIN * factor)", _SPLIT)),
    Edit("order of functions", reorder),
    Edit("annotations", annotate),
    Edit("helper that nothing calls", code(TOOLS, "return values * 2", "return values * 3")),
    Edit("time of a correction file", touch("pileup.json")),
    Edit("time of a module", touch(CUTS)),
    Edit("order of files", files(1, 0), anew=True),
    Edit("workers", "--execution.workers=1"),
    Edit("backend", "--execution.backend=loky"),
    Edit("memory", "--execution.memory_limit=0.5"),
    Edit("retries", "--preprocess.skimming.max_retries=5"),
    Edit("time of an input file", touch("background_0.root"), ("metadata",)),
)
FIGURES = (
    Edit("colour", plotting('"process_colors": {"signal": "red"}'), LOOK, anew=True),
    Edit("style of an experiment", plotting('"style": "ATLAS"'), LOOK),
    Edit("label of a process", plotting('"process_labels": {"signal": "New"}'), LOOK),
    Edit("label of a channel", code(MINE, "Signal region", "SR"), LOOK),
    Edit(
        "label of an observable",
        code(MINE, 'label="MET"', 'label="Missing"'),
        ("normalisation", "plots"),  # it stands in the file of the histograms
        anew=True,
    ),
)
MODEL = (
    Edit("luminosity", "--general.lumi=200", SCALE, anew=True),
    Edit("cross-section", code(MINE, "8.0", "7.0"), SCALE),
    Edit("k-factor", code(MINE, "8.0", '8.0, "k_factor": 1.1'), SCALE),
    Edit("size of a source", code(MINE, '"size": 0.02', '"size": 0.05'), FIT),
    Edit("new size", systematic(name='"x"', type='"normalisation"', size=0.3), FIT),
    Edit(
        "new size before others",
        code(
            MINE,
            '"systematics": [',
            '"systematics": [{"name": "x", "type": "normalisation", "size": 0.3},',
        ),
        FIT,
    ),
    Edit("range of the parameter", code(MINE, "(0.0, 20.0)", "(-9.0, 20.0)"), FIT, anew=True),
    Edit("confidence level", "--statistics.confidence_level=0.9", FIT),
    Edit("optimiser", "--statistics.optimizer=scipy", FIT),
    Edit(
        "bins of the fit", code(MINE, _OF_SR, f'"fit_binning": "0,200,2", {_OF_SR}'), FIT, anew=True
    ),
    Edit("least expectation", "--statistics.min_expectation=100", FIT),
    Edit("side of a size", code(MINE, '"size": 0.02', '"size": 0.02, "size_down": 0.01'), FIT),
    Edit("held parameter", code(MINE, "(0.0, 5.0)", '(0.0, 5.0), "fixed": True'), FIT),
    Edit("smoothing", code(MINE, _SCALE, f'{_SCALE} "smooth": True,'), FIT),
    Edit("ranking", "--statistics.ranking=false", FIT[:-1]),
    Edit("audit threshold", "--statistics.audit.norm_effect=0.9", FIT[:-1]),
    Edit("group of a source", code(MINE, _SCALE, f'{_SCALE} "group": "scales",'), FIT),
    Edit("group of a correction", code(MINE, _PILEUP, f'{_PILEUP} "group": "pu",'), FIT),
)
CHANNELS = (
    Edit("value in a closure", code(CUTS, "at_least(2)", "at_least(1)"), FILL, "SR", anew=True),
    Edit("code of a closure", code(CUTS, ") >= number", ") > number"), FILL, "SR"),
    Edit("argument of a partial", code(CUTS, "threshold=15", "threshold=25"), FILL, "SR"),
    Edit("first lambda of a line", code(OBS, "values: values)", "values: 2 * values)"), FILL, "SR"),
    Edit("second lambda", code(OBS, "values * 1.0", "values * 1.1"), FILL, "CR", anew=True),
    Edit("default of an argument", code(OBS, "shift=0.0", "shift=40.0"), FILL, "SR"),
    Edit("helper elsewhere", code(TOOLS, "none(_first", "none(2 * _first"), FILL, "SR"),
    Edit("helper of a helper", code(TOOLS, "axis=1)", "axis=1) * 2"), FILL, "SR"),
    Edit("dict elsewhere", code(SETTINGS, '"few": 2', '"few": 3'), FILL, "CR"),
    Edit("method of an object", code(OBS, "self.factor * ", "2 * self.factor * "), FILL, "CR"),
    Edit("base class", code(TOOLS, "given * 1.0", "given * 3.0"), FILL, "CR"),
    Edit("state of an object", code(MINE, "Scaled(0.5)", "Scaled(0.7)"), FILL, "CR"),
    Edit("decorator", code(TOOLS, "function(*args) & True", "~function(*args)"), FILL, "CR"),
    Edit("compiled", code(COMPILED, "+= _weight(v", "+= 2 * _weight(v"), FILL, "VR", anew=True),
    Edit("helper of compiled", code(COMPILED, "return 1.0 *", "return 3.0 *"), FILL, "VR"),
    Edit("binning", code(MINE, '"30,230,4"', '"30,230,5"'), FILL, "SR", anew=True),
    Edit("name of a local", rename, FILL[:-1], "VR"),  # same figures
)  # fmt: skip
EVENTS = (
    Edit("object mask", code(CUTS, "pt > 30.0", "pt > 35.0"), FILL, EVERY),
    Edit("baseline", code(CUTS, "axis=1) >= 1", "axis=1) >= 2"), FILL, EVERY),
    Edit("ghost, by a local import", code(EXTRA, "0.5", "1.5"), FILL, EVERY),
    Edit("attribute of the class", code(MINE, "FACTOR = 1.0", "FACTOR = 1.5"), FILL, EVERY),
    Edit("step", code(MINE, "self.FACTOR * v", "2 * self.FACTOR * v"), FILL, EVERY),
    Edit("weight of a source", code(MINE, "* 0 + 1.1", "* 0 + 1.2"), FILL, EVERY),
    Edit(
        "new weight source",
        systematic(name='"x"', type='"event"', use="[MET_PT]", up_function="up"),
        FILL,
        EVERY,
        anew=True,
    ),
    Edit("correction file", code("pileup.json", "0.9", "0.8"), FILL, EVERY, anew=True),
    Edit("field of a correction", code(MINE, '_idx": "nominal"', '_idx": "up"'), FILL, EVERY),
    Edit("events that a dataset keeps", code(MINE, "8.0", _KEEP), FILL, EVERY),
    Edit("file less", files(1), FILL, EVERY),
)  # fmt: skip
INPUT = (
    Edit("cut of the skim", code(CUTS, "met > MET_MIN *", "met >= MET_MIN + 1 *"), SKIM, EVERY, 10),
    Edit("argument of the skim", code(MINE, '"factor": 1.0', '"factor": 1.5'), SKIM, EVERY, 10),
    Edit("constant of skim and cut", code(SETTINGS, "10.0", "12.0"), SKIM, EVERY, 10, anew=True),
    Edit("branch", code(MINE, _OBJECT, _OBJECT.replace("]", ', "jetIdx"]')), SKIM[:-1], EVERY, 10),
    Edit(
        "branch of simulation",
        code(MINE, '"genWeight"', '"genWeight", "nothing_reads_me"'),
        SKIM[:-1],  # same figures
        EVERY,
        6,
        anew=True,
    ),
    Edit(
        "theory weights",
        systematic(name='"t"', type='"theory"', weights='"LHEScaleWeight"', members='"scale"'),
        SKIM,
        EVERY,
        6,  # of simulation
    ),
    Edit("format", "--preprocess.skimming.output.format=parquet", ("skim",), "", 10, anew=True),
    Edit("chunks", "--preprocess.skimming.chunk_size=200", ALL, EVERY, 20, anew=True),
    Edit("file more", files(0, 1, 2), ALL, EVERY, 2, anew=True),
)  # fmt: skip
EDITS = (*NOTHING, *FIGURES, *MODEL, *CHANNELS, *EVENTS, *INPUT)

REASONS = {
    "time of an input file": "1 of 5 files, new or changed",
    "label of an observable": "changed: labels",
    "luminosity": "changed: datasets, luminosity",
    "cross-section": "changed: datasets",
    "k-factor": "changed: datasets",
    "size of a source": "changed: normalisations of the model",
    "new size": "changed: normalisations of the model",
    "new size before others": "changed: normalisations of the model",
    "range of the parameter": "changed: norm_factors of the model",
    "confidence level": "changed: confidence_level of the model",
    "optimiser": "changed: optimizer of the model",
    "bins of the fit": "changed: channels of the model",
    "least expectation": "changed: min_expectation of the model",
    "side of a size": "changed: normalisations of the model",
    "held parameter": "changed: norm_factors of the model",
    "smoothing": "changed: shapes of the model",
    "group of a source": "changed: shapes of the model",
    "group of a correction": "changed: shapes of the model",
    "object mask": "SR, CR, VR filled, changed: object mask 0 (Muon)",
    "baseline": "SR, CR, VR filled, changed: baseline selection",
    "ghost, by a local import": "SR, CR, VR filled, changed: ghost observable 0 (pt)",
    "attribute of the class": "SR, CR, VR filled, changed: analysis",
    "step": "SR, CR, VR filled, changed: analysis",
    "weight of a source": "SR, CR, VR filled, changed: systematic 0 (scale)",
    "new weight source": "SR, CR, VR filled, changed: systematic 1 (x)",
    "correction file": "SR, CR, VR filled, changed: correction 0 (pileup)",
    "field of a correction": "SR, CR, VR filled, changed: correction 0 (pileup)",
    "events that a dataset keeps": "SR, CR, VR filled, changed: keep of background__nominal",
    "file less": "SR, CR, VR filled, changed: skim",
    "cut of the skim": "changed: selection",
    "argument of the skim": "changed: static_kwargs",
    "constant of skim and cut": "changed: selection",
    "branch": "changed: branches",
    "theory weights": "changed: theory weights t",
    "branch of simulation": "changed: branches",
    "file more": "1 of 6 files, new or changed",
}

"""A project in which something fails, and the command that does it again."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from hepflow.cli import main
from hepflow.failed import FailedError, FailedItem, Invocation
from hepflow.failed.reading import to_json
from hepflow.schema import Config
from tests.builders import toy_columns, write_nano
from tests.pipeline.projects import Here

BAD_ENTRY = 555  # of background_1.root, in its second work item: 400 to 800
WHAT = "preprocess.skimming.function: mine.skim raised ValueError: negative MET"
BREAKS = 'raise ValueError("negative MET")'


def spoil(folder: Path, name: str, value: float, entries: slice | int = BAD_ENTRY) -> None:
    """Give some events of background_1.root another value of a branch."""
    columns = toy_columns(800, 2)
    columns[name][entries] = value
    write_nano(folder / "background_1.root", columns)


def command_in(told: str) -> str:
    """The command of a message, as a user would copy it."""
    (found,) = re.finditer(r"^  (\S.* replay \S+\.json --config .*)$", told, re.MULTILINE)
    return found[1]


def records(folder: Path) -> list[Path]:
    return sorted((folder / "out" / "logs" / "failed").glob("*.json"))


def message_of(told: str) -> str:
    """The error of a command, without its class's code."""
    return told[told.index("hepflow: error: ") :].partition("\n[HF")[0]


def edit(folder: Path, *changes: tuple[str, str]) -> None:
    text = (folder / "mine.py").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "mine.py").write_text(text)


class Again(Here):
    """A project in this process, whose failed items are done again."""

    def again(self, *words: str) -> tuple[int, str]:
        """Call ``hepflow replay``: its status and what it wrote on standard error."""
        sys.modules.pop("mine", None)
        importlib.invalidate_caches()
        status = main(["replay", *words])
        sys.modules.pop("mine", None)
        self.out, told = self.capsys.readouterr()
        return status, told

    def as_told(self, told: str, *more: str) -> tuple[int, str]:
        """Do what the message of a run says."""
        words = shlex.split(command_in(told))
        return self.again(*words[words.index("replay") + 1 :], *more)


def configured(here) -> Config:
    sys.modules.pop("mine", None)
    return Config(**importlib.import_module("mine").config)


def item_of(
    file: str, start: int, stop: int, stage: str, dataset: str = "signal__nominal"
) -> FailedItem:
    return FailedItem(
        stage=stage,
        dataset=dataset,
        file=file,
        treename="",
        entrystart=start,
        entrystop=stop,
        fileuuid="",
        error=FailedError("UserFunctionError", "HF300", WHAT, (), ""),
        when="",
    )


def kept(*items: FailedItem, overrides: tuple[str, ...] = ("--general.lumi=50",)) -> list[Path]:
    """Records as a run of ``mine:config`` leaves them, in the current folder."""
    run = Invocation.here("python analysis.py", "mine:config", None, overrides)
    folder = Path("out", "logs", "failed")
    folder.mkdir(parents=True, exist_ok=True)
    for one in items:
        (folder / one.name).write_text(json.dumps(to_json(replace(one, invocation=run))))
    return [folder / one.name for one in items]

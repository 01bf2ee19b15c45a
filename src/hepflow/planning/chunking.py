"""Another ``chunk_size``, told as such: files are looked into again for it, but did not change."""

from __future__ import annotations

import re
from dataclasses import replace

from hepflow.planning.files import FilesForecast, OtherFile
from hepflow.planning.records import Reason

CHUNK_SIZE = Reason("chunk_size changed")
_CHUNKS = re.compile(r"chunks of \d+")


def with_chunk_size_told(files: FilesForecast) -> FilesForecast:
    """The same forecast; datasets whose files differ in the chunks only name the setting."""
    others: dict[str, list[OtherFile]] = {}
    for one in files.others:
        others.setdefault(one.dataset, []).append(one)
    cut = {name for name, mine in others.items() if all(_only_chunks(one) for one in mine)}
    if not cut:
        return files
    told = {f"{name}: {reason}" for name in cut for reason in files.reasons[name]}
    named = (CHUNK_SIZE if one.what in told else one for one in files.stage.reasons)
    pieces = tuple(
        replace(one, reasons=(CHUNK_SIZE,)) if one.name in cut else one
        for one in files.stage.pieces
    )
    stage = replace(files.stage, reasons=tuple(dict.fromkeys(named)), pieces=pieces)
    reasons = {name: (CHUNK_SIZE,) if name in cut else why for name, why in files.reasons.items()}
    return replace(files, stage=stage, reasons=reasons)


def _only_chunks(file: OtherFile) -> bool:
    """Whether nothing else of a file differs, its time and size included."""
    if file.before is None or file.before == file.now:
        return False
    return _CHUNKS.sub("", file.before) == _CHUNKS.sub("", file.now)

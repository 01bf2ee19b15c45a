"""What a command shows: lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def show(lines: Sequence[tuple[str, str]], content: Any, json_file: str | None) -> None:
    """Show labelled lines, and write the same content as JSON where a file is named.

    Parameters
    ----------
    lines
        Pairs of label and text. They go to standard error where JSON takes standard output.
    content
        Plain containers.
    json_file
        File for the JSON, ``-`` for standard output, None for none.
    """
    if json_file and json_file != "-":
        from hepflow.storage import write_json

        write_json(Path(json_file), content, sort_keys=False)
    _show_lines(lines, to_stderr=json_file == "-")
    if json_file == "-":
        sys.stdout.write(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _show_lines(lines: Sequence[tuple[str, str]], *, to_stderr: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=to_stderr, soft_wrap=True, highlight=False)  # a path stays whole
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        console.print(Text.assemble((f"{label:<{width}}", "bold"), "  ", text))

"""``hepflow init``: a folder with a small analysis that runs unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

# Name of a file -> what stands in it. The texts lie in the folder `project` of this package, those
# of an example in `project_<example>`.
FILES: Final = {
    "analysis.py": "the class with what the configuration cannot say, and the start",
    "configuration.py": "what is processed, selected, corrected, histogrammed and fitted",
    "cuts.py": "requirements on objects and events, and observables",
    "README.md": "how to run it, and what to change",
}
EXAMPLES: Final = {
    "backgrounds": {
        "analysis.py": "the start",
        "configuration.py": "two years, slices, primary datasets, sidebands, an estimate from data",
        "cuts.py": "requirements on objects and events, and observables",
        "closure.py": "whether the estimate finds a simulated background",
        "README.md": "how to run it, and what to change",
    },
}
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PLACE_OF_THE_NAME: Final = "PROJECT"  # in the text of README.md
_DESCRIPTION: Final = """\
Write a folder with a small analysis to start from: a configuration, cuts, and a class. It runs
unchanged on the built-in sample: `cd NAME && python analysis.py`."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    parser.add_argument("name", metavar="NAME", help="the folder, which is made in this one")
    parser.add_argument(
        "--json", metavar="FILE", help="also write the outcome as JSON; - is standard output"
    )
    parser.add_argument(
        "--example",
        choices=sorted(EXAMPLES),
        help="another analysis to start from; backgrounds: several years, overlapping samples, a "
        "background estimated from data",
    )
    options = parser.parse_args(arguments)
    folder = write_project(options.name, Path.cwd(), options.example)
    files = files_of(options.example)
    lines = [(str(Path(options.name, file)), what) for file, what in files.items()]
    content = {"folder": str(folder), "files": [str(folder / file) for file in files]}
    show([*lines, ("Run it", f"cd {options.name} && python analysis.py")], content, options.json)
    return 0


def files_of(example: str | None) -> Mapping[str, str]:
    """Files of an example, or of what is written without one, and what stands in each."""
    return FILES if example is None else EXAMPLES[example]


def write_project(name: str, parent: Path, example: str | None = None) -> Path:
    """Write the files of a new analysis.

    Parameters
    ----------
    name
        Of the folder: letters, digits, dashes and underscores.
    parent
        Folder in which it is made.
    example
        One of `EXAMPLES`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If the name cannot be one, or is taken.
    StorageError
        If the folder cannot be written.
    """
    from hepflow.storage import atomic_write

    folder = _free_folder(name, parent)
    for file in files_of(example):
        atomic_write(folder / file, text_of(file, example).replace(_PLACE_OF_THE_NAME, name))
    return folder


def text_of(file: str, example: str | None = None) -> str:
    """Text of one of the files, as it comes with hepflow."""
    folder = "project" if example is None else f"project_{example}"
    return resources.files("hepflow.cli").joinpath(folder, f"{file}.txt").read_text("utf-8")


def _free_folder(name: str, parent: Path) -> Path:
    from hepflow.storage.atomic import storage_errors

    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of a new folder here. Use letters, digits, dashes and "
            "underscores, and begin with a letter: hepflow init my_search."
        )
    folder = parent / name
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is there already and is no folder. Choose another name.")
    with storage_errors(folder, "look into"):
        taken = folder.is_dir() and any(folder.iterdir())
    if taken:
        raise InputError(f"{folder} is there already and not empty. Choose another name.")
    return folder

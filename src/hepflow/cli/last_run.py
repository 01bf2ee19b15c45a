"""How the last run of an output folder was started, so that it need not be said again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from hepflow.cli.references import load_analysis
from hepflow.errors import InputError, StorageError

if TYPE_CHECKING:
    from hepflow.analysis import Analysis
    from hepflow.failed import Invocation
    from hepflow.schema import Config

FILE = Path("config") / "invocation.json"  # in an output folder, as a run writes it


def last_invocation(output_dir: Path) -> Invocation | None:
    """The command that started the last run there; None where none is on record."""
    from hepflow.failed import Invocation
    from hepflow.storage import read_json

    path = output_dir / FILE
    if not path.is_file():
        return None
    try:
        stored = read_json(path, "a run of hepflow")
        known = {one.name: stored[one.name] for one in fields(Invocation)}
    except (StorageError, KeyError, TypeError):
        return None
    lists = {name: tuple(map(str, known[name])) for name in ("overrides", "withheld")}
    return Invocation(**{**known, **lists})


def analysis_of(config: str, output_dir: Path) -> str | None:
    """Class that the last run of this configuration used there, where it was not the default."""
    found = last_invocation(output_dir)
    return found.analysis if found is not None and found.config == config else None


def chosen_analysis(
    given: str | None, reference: str, config: Config
) -> tuple[type[Analysis] | None, str | None]:
    """Class that is named, or that the last run used, and its reference; None for the default.

    Parameters
    ----------
    given
        Value of ``--analysis``.
    reference
        Value of ``--config``.
    config
        The configuration itself.

    Raises
    ------
    InputError
        If it cannot be loaded; it tells who named it.
    """
    output_dir = Path(config.general.output_dir)
    name = given or analysis_of(reference, output_dir)
    if name is None:
        return None, None
    try:
        return load_analysis(name), name
    except InputError as error:
        if given:
            raise
        what = str(error).removeprefix(f"--analysis {name}: ")
        raise InputError(
            f"{name}, as in the last run ({output_dir / FILE}): {what} "
            "Name the class with --analysis MODULE:CLASS."
        ) from error


def run_of(words: Sequence[str]) -> Invocation | None:
    """The last run of the output folder that one of the words lies in, started from here.

    One that was started in another folder does not count: it names modules that may be others.
    """
    for word in words:
        place = Path(word)
        if word.startswith("-") or not place.exists():
            continue
        for folder in (place.absolute(), *place.absolute().parents):
            found = last_invocation(folder)
            if found is not None:
                return found if found.cwd == str(Path.cwd()) else None
    return None

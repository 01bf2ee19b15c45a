"""Configurations of a simulation-based inference, alone or beside an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.cli.references import find_modules_here, load_sections
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.schema import Config, Study


def study_of(reference: str | None, overrides: Sequence[str]) -> Study:
    """Sections of a configuration that an inference needs; without one, the built-in ones.

    Raises
    ------
    InputError
        If it cannot be found.
    ConfigurationError
        If anything in it, or an override, is wrong.
    """
    from hepflow.schema import Study

    return Study.of(configured(reference, overrides))


def configured(reference: str | None, overrides: Sequence[str]) -> dict[str, Any]:
    """Sections as plain containers with overrides, not yet validated."""
    from hepflow.schema import load_config_with_restricted_cli

    find_modules_here()
    sections: Any = sections_of(reference) if reference else {"inference": {}}
    return load_config_with_restricted_cli(sections, overrides)


def sections_of(reference: str) -> Any:
    """Sections of a configuration: an attribute of a module, or a JSON file of plain values.

    Raises
    ------
    InputError
        If it cannot be found, or is no mapping.
    """
    if not reference.endswith(".json"):
        return load_sections(reference)
    from hepflow.storage import parse_json
    from hepflow.storage.atomic import storage_errors

    path = Path(reference)
    if not path.is_file():
        raise InputError(f"--config {reference}: there is no such file.")
    try:
        with storage_errors(path, "read"):
            return parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"--config {reference}: this is not JSON ({error}).") from error


def load_either(reference: str, overrides: Sequence[str]) -> Config | Study:
    """Load a whole configuration, or one of an inference without datasets.

    Parameters
    ----------
    reference
        Value of ``--config``; empty for the built-in inference.
    overrides
        Values of the configuration.

    Raises
    ------
    InputError
        If it cannot be found, or is no mapping.
    ConfigurationError
        If anything in it, or an override, is wrong.
    """
    from hepflow.schema import Config, Study

    sections = configured(reference, overrides)
    alone = "inference" in sections and "datasets" not in sections
    return Study.of(sections) if alone else Config(**sections)

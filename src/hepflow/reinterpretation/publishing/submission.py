"""A submission to HEPData, written through ``hepdata_lib`` and looked at by their validator."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import yaml

from hepflow.errors import InputError
from hepflow.reinterpretation.publishing.archives import archive_kind, write_archive
from hepflow.reinterpretation.publishing.conversion import as_hepdata_table, library
from hepflow.reinterpretation.publishing.fit_tables import fit_tables
from hepflow.reinterpretation.publishing.material import Material
from hepflow.reinterpretation.publishing.pictures import write_picture
from hepflow.reinterpretation.publishing.record import Record
from hepflow.reinterpretation.publishing.tables import (
    DIGITS,
    MATRIX_DIGITS,
    Table,
    cutflow_tables,
    limit_tables,
    yield_tables,
)

MAIN: Final = "submission.yaml"
LIKELIHOOD: Final = "likelihood.tar.gz"
_LONGEST: Final = 64  # signs of the name of a table
_LIKELIHOOD_TEXT: Final = (
    "Full likelihood in HistFactory JSON for pyhf: workspace, and patch set where there is one"
)


@dataclass(frozen=True)
class Written:
    """What a submission has."""

    path: Path
    tables: tuple[str, ...]
    resources: tuple[str, ...]
    notices: tuple[str, ...]  # what was left out, and why


def write_submission(
    materials: Sequence[Material],
    output: Path,
    *,
    record: Record | None = None,
    axes: Sequence[str] = (),
    likelihood: Sequence[Path] = (),
) -> Written:
    """Write a submission that the validator of HEPData accepts.

    Parameters
    ----------
    materials : sequence of Material
        One for each signal point.
    output : Path
        A folder, or a file that ends in ``.tar.gz`` or ``.zip``.
    record : Record, optional
        What is said about all tables.
    axes : sequence of str
        Titles of the values of the points, with units.
    likelihood : sequence of Path
        Workspaces and patch sets to attach, instead of those of the materials.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        ``hepdata_lib`` is not installed, there is something else at `output`, or the validator
        refuses what was written, with all that it says.
    StorageError
        A file cannot be read or written.
    """
    library("hepdata_lib")
    validator = library("hepdata_validator.full_submission_validator")
    _check_output(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    tables = _named(_tables(materials, axes), several=len(materials) > 1)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as name:
        folder = Path(name) / "submission"
        folder.mkdir()
        resources = _attach(materials, likelihood, folder)
        _write_main(folder, record or Record(), resources)
        notices = _write_tables(tables, materials, record or Record(), folder)
        _validate(folder, validator)
        _put(folder, output)
    left_out = [f"{one.point.name}: {text}" for one in materials for text in one.left_out]
    named = tuple(table.name for table in tables)
    return Written(output, named, tuple(resources), (*left_out, *notices))


def _check_output(output: Path) -> None:
    if archive_kind(output) or not output.exists():
        return
    entries = list(output.iterdir()) if output.is_dir() else [output]
    ours = output.is_dir() and ((output / MAIN).is_file() or not entries)
    if not ours or any(one.is_dir() for one in entries):
        raise InputError(
            f"{output} is there and is no earlier submission. Choose another --output, or "
            "remove it."
        )


def _tables(materials: Sequence[Material], axes: Sequence[str]) -> list[Table]:
    each = ((yield_tables(one), cutflow_tables(one), fit_tables(one)) for one in materials)
    return [*limit_tables(materials, axes), *chain(*chain(*each))]


def _named(tables: Sequence[Table], *, several: bool) -> tuple[Table, ...]:
    """Tables with names that differ, also as names of files."""
    taken: set[str] = set()
    found = []
    for table in tables:
        base = f"{table.name} - {table.point}" if several and table.point else table.name
        plain = re.sub(r"[^A-Za-z0-9 _.-]+", "_", base)
        name, number = plain[:_LONGEST], 1
        while _file_name(name) in taken:
            number += 1
            name = f"{plain[: _LONGEST - 5]} {number}"
        taken.add(_file_name(name))
        found.append(replace(table, name=name))
    return tuple(found)


def _file_name(name: str) -> str:
    """As ``hepdata_lib`` makes it."""
    return f"{name.lower().replace(' ', '_')}.yaml"


def _attach(
    materials: Sequence[Material], likelihood: Sequence[Path], folder: Path
) -> dict[str, dict[str, str]]:
    """Put the likelihood and the fits beside the tables; descriptions by the name of the file."""
    found: dict[str, dict[str, str]] = {}
    own = [(one.point.name, path) for one in materials for path in one.likelihood]
    named = [("", path) for path in likelihood] if likelihood else own
    several = len({name for name, _ in named}) > 1
    packed = {
        f"{name}/{path.name}" if several else path.name: path.read_bytes() for name, path in named
    }
    if len(packed) < len(named):
        raise InputError("two files of the likelihood have the same name. Rename one of them.")
    if packed:
        write_archive(folder / LIKELIHOOD, packed)
        found[LIKELIHOOD] = {"description": _LIKELIHOOD_TEXT, "type": "HistFactory"}
    for one in materials:
        if one.fit_file is not None:
            name = f"fit_{one.point.name}.json" if len(materials) > 1 else "fit.json"
            shutil.copyfile(one.fit_file, folder / name)
            found[name] = {"description": "Fit with all parameters and digits, as JSON"}
    return found


def _write_main(folder: Path, record: Record, resources: Mapping[str, Mapping[str, str]]) -> None:
    submission = library("hepdata_lib").Submission()
    for name, what in resources.items():
        submission.add_additional_resource(
            what["description"],
            str(folder / name),
            copy_file=True,  # checks that HEPData takes a file of this size; it lies there already
            file_type=what.get("type"),
        )
    rounding = (
        f"Numbers are rounded to {DIGITS} significant digits, those of the fit to {MATRIX_DIGITS}."
    )
    content = {
        "data_license": {"name": record.licence.name, "url": record.licence.url},
        "comment": f"{record.abstract} {rounding}".strip(),
        "additional_resources": submission.additional_resources,
    }
    with (folder / MAIN).open("w", encoding="utf-8") as file:
        yaml.safe_dump(content, file, default_flow_style=False, explicit_start=True)


def _write_tables(
    tables: Sequence[Table], materials: Sequence[Material], record: Record, folder: Path
) -> list[str]:
    by_name = {one.point.name: one for one in materials}
    notices = []
    for table in tables:
        material = by_name.get(table.point, materials[0])
        told = as_hepdata_table(table, material, record, several=len(materials) > 1)
        picture = material.pictures.get(table.picture)
        if picture is not None:
            base = _file_name(table.name).removesuffix(".yaml")
            problem = write_picture(picture, folder, base)
            if problem:
                notices.append(f"{table.name}: without its picture: {problem}")
            else:
                told.add_additional_resource("Image file", f"{base}.png")
                told.add_additional_resource("Thumbnail image file", f"thumb_{base}.png")
        told.write_yaml(str(folder))
    return notices


def _validate(folder: Path, validator: Any) -> None:
    judge = validator.FullSubmissionValidator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves closing files to Python
        if judge.validate(directory=str(folder)):
            return
    lines = [
        f"  {Path(file).name}: {one.message.strip()}"
        for file, messages in sorted(judge.get_messages().items())
        for one in messages
    ]
    text = "\n".join(lines).replace(f"{folder}/", "")
    raise InputError(
        f"HEPData would refuse this submission, and it was not kept:\n{text}\n"
        "Correct what is named, in the run or in the options of the command."
    )


def _put(folder: Path, output: Path) -> None:
    if archive_kind(output):
        write_archive(output, {one.name: one.read_bytes() for one in folder.iterdir()})
        return
    if output.exists():
        output.rename(folder.with_name("before"))
    folder.rename(output)

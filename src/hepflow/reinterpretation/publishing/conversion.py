"""Tables in the classes of ``hepdata_lib``."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from typing import Any

from hepflow.errors import InputError
from hepflow.reinterpretation.publishing.material import Material
from hepflow.reinterpretation.publishing.record import Record
from hepflow.reinterpretation.publishing.tables import ABSENT, Column, Entry, Table


def library(name: str) -> Any:
    """A module of the extra ``publish``.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"submissions to HEPData need the module {error.name}, which is not installed. "
            "Install it: pip install 'hepflow[publish]'"
        ) from error


def as_hepdata_table(
    table: Table, material: Material, record: Record, *, several: bool = False
) -> Any:
    """``hepdata_lib.Table`` with qualifiers and keywords.

    Parameters
    ----------
    table : Table
    material : Material
        Says energy and luminosity where the record does not.
    record : Record
    several : bool
        There are several signal points: each table says of which it is.
    """
    told = library("hepdata_lib").Table(table.name)
    told.description, told.location = table.description, table.location
    energy = material.energy if record.energy is None else record.energy
    told.keywords = {
        "reactions": list(record.reactions),
        "observables": list(table.observables),
        "cmenergies": [_plain(1000 * energy)] if energy else [],
        "phrases": list(record.phrases),
    }
    told.keywords = {name: values for name, values in told.keywords.items() if values}
    for column in table.independent:
        told.add_variable(_variable(column, table, independent=True))
    for column in table.dependent:
        variable = _variable(column, table, independent=False)
        for name, value, unit in _qualifiers(table, material, record):
            variable.add_qualifier(name, value, unit)
        if several and table.point:
            variable.add_qualifier("Signal point", table.point)
        for name, value in column.qualifiers:
            variable.add_qualifier(name, value)
        told.add_variable(variable)
    return told


def _qualifiers(
    table: Table, material: Material, record: Record
) -> Iterator[tuple[str, float | int | str, str]]:
    energy = material.energy if record.energy is None else record.energy
    luminosity = material.luminosity if record.luminosity is None else record.luminosity
    if energy:
        yield "SQRT(S)", _plain(1000 * energy), "GeV"
    if luminosity:
        yield "LUMINOSITY", _plain(luminosity / 1000), "fb$^{-1}$"
    if table.region:
        yield "Region", table.region, ""


def _plain(value: float) -> float | int:
    """As a person writes it: 13000, not 13000.000000000002."""
    rounded = float(f"{value:.10g}")
    return int(rounded) if rounded.is_integer() else rounded


def _variable(column: Column, table: Table, *, independent: bool) -> Any:
    lib = library("hepdata_lib")
    binned = bool(column.values) and all(isinstance(one, tuple) for one in column.values)
    variable = lib.Variable(
        column.name,
        is_independent=independent,
        is_binned=binned,
        units=column.units,
        values=[_finite(one) for one in column.values],
        zero_uncertainties_warning=False,
    )
    variable.digits = table.digits
    for bar in column.errors:
        symmetric = not any(isinstance(one, tuple) for one in bar.values)
        uncertainty = lib.Uncertainty(bar.label, is_symmetric=symmetric)
        uncertainty.values = [
            _finite_error(error, value)
            for error, value in zip(bar.values, column.values, strict=True)
        ]
        variable.add_uncertainty(uncertainty)
    return variable


def _finite(value: Entry) -> Entry:
    """HEPData's sign for no value where a number is none."""
    return ABSENT if isinstance(value, float) and not math.isfinite(value) else value


def _finite_error(error: float | tuple[float, float], value: Entry) -> Any:
    """No uncertainty where there is no value."""
    numbers = error if isinstance(error, tuple) else (error,)
    known = all(math.isfinite(one) for one in numbers)
    return error if known and not isinstance(_finite(value), str) else None

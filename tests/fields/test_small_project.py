"""The project that the tests of the fields change has the numbers that they start from."""

from __future__ import annotations

from tests.fields.project import DATA, MC, filled, inputs, real, simulation, values


def test_it_has_its_numbers(tmp_path):
    here = inputs(tmp_path / "in")
    found = filled(tmp_path, [simulation(here), real(here)])
    assert values(found) == MC
    assert values(found, process="data") == DATA
    assert found.variations("SR", "x") == ("nominal",)

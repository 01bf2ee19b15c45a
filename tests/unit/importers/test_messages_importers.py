"""Messages of the importers about files that nobody writes by accident."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hepflow.errors import InputError, StorageError, WorkspaceError
from hepflow.importers import cabinetry_file, cabinetry_sources, cabinetry_templates, hists
from hepflow.importers.cabinetry_sections import Names
from hepflow.importers.standins import Array, Core, Dtype, StoredHistogram
from hepflow.records import Template

SHAPE = {"Name": "shape", "Type": "NormPlusShape"}


def found(edges, values=(1.0, 2.0)):
    content = np.pad(np.asarray(values, dtype=float), ((1, 1),))
    return cabinetry_templates.Found(tuple(edges), Template(content, content))


def test_a_variation_has_the_bins_of_the_nominal_template():
    with pytest.raises(WorkspaceError, match=r"Systematics\[shape\]: the bins are not those"):
        cabinetry_sources._same_bins(found([0, 1, 3]), found([0, 1, 2]), SHAPE)


def test_a_variation_without_yield_cannot_be_reflected():
    up, nominal = found([0, 1, 2], (-1.0, 0.0)).template, found([0, 1, 2]).template
    with pytest.raises(
        WorkspaceError, match=r"Up is a variation with -0\.333333 times the nominal"
    ):
        cabinetry_sources._reflected(up, nominal, SHAPE)


def test_samples_of_a_region_have_the_same_bins():
    config = {"Regions": [{"Name": "SR"}], "Samples": [{"Name": "a"}, {"Name": "b"}]}
    names = Names({"SR": "SR"}, {"a": "a", "b": "b"}, {}, {}, {"SR": "mass"})
    edges = iter([[0, 1, 2], [0, 1, 3]])
    with pytest.raises(WorkspaceError, match=r"'b' in 'SR' has other bins than others\. Rebin"):
        cabinetry_file._histograms(config, names, [], lambda *_: found(next(edges)), 1.0)


@pytest.mark.parametrize("axes", [(), ("x", "y")])
def test_a_histogram_of_one_dimension(axes):
    with pytest.raises(WorkspaceError, match="is not a histogram of one dimension"):
        cabinetry_templates._from_th1(SimpleNamespace(axes=axes))


@pytest.mark.parametrize("edges", [(0.0, np.inf), (0.0, 0.0, 1.0), (1.0, 0.0)])
def test_edges_are_finite_and_increase(edges):
    axis = SimpleNamespace(edges=np.array(edges), label="")
    with pytest.raises(InputError, match="mass: bin edges that are finite and increase"):
        hists._observable_axis(axis, "mass")


def array(data, dtype):
    one = Array()
    one.__setstate__((1, (1,), dtype, False, data))
    return one


@pytest.mark.parametrize(("data", "dtype"), [(b"x" * 8, "f8"), ([1.0], Dtype("f8"))])
def test_an_array_has_a_type_and_bytes(data, dtype):
    with pytest.raises(StorageError, match="an array that is not one of numbers"):
        array(data, dtype).resolve()


def core(*state):
    one = Core.of("double")()
    one.__setstate__(state)
    return one


def test_a_core_has_content():
    with pytest.raises(StorageError, match="a histogram without content"):
        core().resolve()


def test_an_axis_holds_plain_things():
    with pytest.raises(StorageError, match="a histogram with a complex in its axes"):
        core(*[1j if i == 0 else 1 for i in range(12)]).resolve()


def test_a_pickle_of_a_histogram_that_holds_none():
    stored = StoredHistogram()
    stored.__setstate__({"_hist": 5})
    with pytest.raises(StorageError, match="a pickle of a histogram that holds none"):
        stored.build()

"""Files as coffea processors, PocketCoffea and columnflow write them."""

from __future__ import annotations

import collections
import pickle

import hist
import numpy as np
import pytest
from coffea.util import load, save

from hepflow.errors import InputError, UnsafeContent
from hepflow.importers import (
    AxisRoles,
    ImportSpec,
    from_coffea,
    from_columnflow,
    from_pocket_coffea,
)

X = np.array([-1.0, 5.0, 15.0, 15.0, 99.0])
W = np.array([1.0, 2.0, 3.0, -1.0, 0.5])
SUMW, SUMW2 = np.array([1.0, 2.0, 2.0, 0.5]), np.array([1.0, 4.0, 10.0, 0.25])


def mass(*axes) -> hist.Hist:
    return hist.Hist(
        *axes, hist.axis.Regular(2, 0, 20, name="mtt", label="m"), storage=hist.storage.Weight()
    )


# -- coffea --------------------------------------------------------------------------------


def test_an_accumulator_with_a_dataset_axis(tmp_path):
    h = mass(
        hist.axis.StrCategory([], name="dataset", growth=True),
        hist.axis.StrCategory([], name="region", growth=True),
        hist.axis.StrCategory([], name="systematic", growth=True),
    )
    h.fill("tt_2018", "sr", "nominal", X, weight=W)
    h.fill("tt_2018", "sr", "puUp", X, weight=2 * W)
    h.fill("data_2018", "sr", "nominal", [5.0, 5.0])
    save({"mtt": h, "sumw": collections.defaultdict(float, tt_2018=10.0)}, tmp_path / "o.coffea")
    spec = ImportSpec(
        luminosity=100.0,
        processes={"tt_2018": "tt", "data_2018": "data"},
        scales={"tt_2018": 831.76 * 100.0 / 10.0},
        data=("data",),
    )
    roles = AxisRoles(channel="region", process="dataset", variation="systematic")
    found = from_coffea(tmp_path / "o.coffea", spec, axes=roles)
    np.testing.assert_allclose(found.template("sr", "mtt", "tt").sumw, SUMW * 8317.6)
    np.testing.assert_allclose(found.template("sr", "mtt", "tt").sumw2, SUMW2 * 8317.6**2)
    np.testing.assert_allclose(found.template("sr", "mtt", "tt", "pu_up").sumw, SUMW * 16635.2)
    np.testing.assert_allclose(found.template("sr", "mtt", "data").sumw, [0, 2, 0, 0])
    assert found.process_of == {"tt_2018": "tt", "data_2018": "data"}
    loaded = from_coffea(load(tmp_path / "o.coffea"), spec, axes=roles)  # from memory
    np.testing.assert_array_equal(
        loaded.blocks["sr", "mtt", "tt"].sumw, found.blocks["sr", "mtt", "tt"].sumw
    )


def test_an_accumulator_by_dataset_and_variable(tmp_path):
    content = {
        "out": {
            name: {
                "hists": {"mtt": mass().fill(X, weight=W * factor), "n": 3},
                "cutflow": {"all": 5},
            }
            for name, factor in (("tt_a", 1.0), ("tt_b", 2.0))
        }
    }
    save(content, tmp_path / "o.coffea")
    spec = ImportSpec(1.0, processes={"tt_a": "tt", "tt_b": "tt"})
    # a level of its own ("hists") is walked through, too: it is the channel here
    found = from_coffea(
        tmp_path / "o.coffea",
        spec,
        levels=("process", "channel", "observable"),
        inside=("out",),
        observables=["mtt"],
    )
    np.testing.assert_allclose(found.template("hists", "mtt", "tt").sumw, 3 * SUMW)
    np.testing.assert_allclose(found.template("hists", "mtt", "tt").sumw2, 5 * SUMW2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inside": ("outt",)}, "there is no 'outt' .* Did you mean 'out'"),
        ({"levels": ("process", "observable")}, "no histogram at all under keys process / obs"),
        ({"observables": ["met"]}, "no histogram of 'met'"),
    ],
)
def test_another_layout_is_said(arguments, message):
    content = {"out": {"x": 1}, "mtt": mass()}
    with pytest.raises(InputError, match=message):
        from_coffea(content, ImportSpec(1.0), **arguments)


# -- PocketCoffea --------------------------------------------------------------------------


def pocket_coffea() -> dict:
    """As its histogram manager makes them: data have no axis of variations."""
    cat = hist.axis.StrCategory(["cr", "sr"], name="cat", label="Category")
    names = ["JES_TotalDown", "JES_TotalUp", "nominal", "pileupDown", "pileupUp"]
    axis = hist.axis.StrCategory(names, name="variation", label="Variation")
    year16, year18 = mass(cat, axis), mass(cat, axis)
    for name, factor in zip(names, (0.8, 1.2, 1.0, 0.9, 1.1), strict=True):
        year18.fill("sr", name, X, weight=W * factor)
        if not name.startswith("JES"):  # not asked for in this category: stays empty
            year18.fill("cr", name, X, weight=W * factor)
    year16.fill("sr", "nominal", X, weight=3 * W)
    data = mass(cat).fill("sr", [5.0, 15.0, 15.0])
    return {
        "sum_genweights": {"tt_2016": 1e6, "tt_2018": 2e6},
        "sumw": {"sr": {"tt_2018": {"tt": np.float64(4.5)}}},
        "cutflow": {"initial": {"tt_2018": np.int64(7)}},
        "columns": {},
        "variables": {
            "mtt": {
                "tt": {"tt_2016": year16, "tt_2018": year18},
                "DATA_SingleMuon": {"DATA_SingleMuon_2018": data},
            }
        },
        "datasets_metadata": {
            "by_datataking_period": {"2018": collections.defaultdict(set, {"tt": {"tt_2018"}})}
        },
    }


POCKET = ImportSpec(59_830.0, processes={"DATA_SingleMuon": "data"}, data=("data",))


def test_pocket_coffea(tmp_path):
    save(pocket_coffea(), tmp_path / "output_all.coffea")
    found = from_pocket_coffea(tmp_path / "output_all.coffea", POCKET)
    assert set(found.channels) == {"sr", "cr"}
    assert set(found.variations("sr", "mtt")) == {
        *("nominal", "pileup_up", "pileup_down"),
        *("JES_Total_up", "JES_Total_down"),
    }
    np.testing.assert_allclose(found.template("sr", "mtt", "tt").sumw, 4 * SUMW)
    np.testing.assert_allclose(found.template("sr", "mtt", "tt").sumw2, 10 * SUMW2)
    # 2016 was not varied: its nominal stands beside the varied 2018
    up = found.template("sr", "mtt", "tt", "JES_Total_up")
    np.testing.assert_allclose(up.sumw, (1.2 + 3) * SUMW)
    # an empty variation of the control region is nominal, not zero
    np.testing.assert_allclose(found.template("cr", "mtt", "tt", "JES_Total_up").sumw, SUMW)
    np.testing.assert_allclose(found.template("cr", "mtt", "tt", "pileup_up").sumw, 1.1 * SUMW)
    np.testing.assert_allclose(found.template("sr", "mtt", "data").sumw, [0, 1, 2, 0])
    assert found.data_processes == {"data"}


def test_pocket_coffea_one_year_and_its_scale(tmp_path):
    spec = ImportSpec(59_830.0, processes={"DATA_SingleMuon": None}, scales={"tt_2018": 0.5})
    found = from_pocket_coffea(pocket_coffea(), spec, datasets=["tt_2018"], observables=["mtt"])
    np.testing.assert_allclose(found.template("sr", "mtt", "tt").sumw, SUMW / 2)
    assert found.process_of == {"tt_2018": "tt"}


def test_pocket_coffea_data_have_to_be_named():
    spec = ImportSpec(1.0, processes={"DATA_SingleMuon": "data"})
    with pytest.raises(InputError, match=r"'DATA_SingleMuon' has no variation axis.*Name it in"):
        from_pocket_coffea(pocket_coffea(), spec)
    wrong = ImportSpec(1.0, processes={"DATA_SingleMuon": "data"}, data=("tt", "data"))
    with pytest.raises(InputError, match=r"'tt' has a variation axis.*Leave it out of"):
        from_pocket_coffea(pocket_coffea(), wrong)


def test_pocket_coffea_subsamples_need_another_name():
    content = {
        "variables": {
            "mtt": {"tt__bb": {"tt_2018": pocket_coffea()["variables"]["mtt"]["tt"]["tt_2018"]}}
        }
    }
    with pytest.raises(InputError, match=r"processes=\{'tt__bb': 'name'\}"):
        from_pocket_coffea(content, ImportSpec(1.0))
    spec = ImportSpec(1.0, processes={"tt__bb": "ttbb"})
    assert from_pocket_coffea(content, spec).processes("sr", "mtt") == ("ttbb",)


# -- columnflow ----------------------------------------------------------------------------

IDS = {"category": [1, 10], "process": [1000, 2000], "shift": [0, 10, 11]}
NAMES = {
    "category": ["incl", "sr"],
    "process": ["tt", "st"],
    "shift": ["nominal", "mu_up", "mu_down"],
}


def columnflow(entries, kind) -> hist.Hist:
    h = hist.Hist(
        *(kind([], name=name, growth=True) for name in ("category", "process", "shift")),
        hist.axis.Variable([0, 10, 20], name="mtt", label="m"),
        storage=hist.storage.Weight(),
    )
    (incl, sr), (tt, st), (nominal, up, down) = entries.values()
    for shift, factor in ((nominal, 1.0), (up, 1.5), (down, 0.5)):
        h.fill(category=incl, process=tt, shift=shift, mtt=X, weight=W * factor)
    h.fill(category=sr, process=st, shift=nominal, mtt=X, weight=W)
    return h


def test_columnflow_with_ids_and_with_names(tmp_path):
    files = {}
    for label, entries, kind in (
        ("ids", IDS, hist.axis.IntCategory),
        ("names", NAMES, hist.axis.StrCategory),
    ):
        files[label] = tmp_path / f"shifted_hist__mtt_{label}.pickle"
        files[label].write_bytes(pickle.dumps(columnflow(entries, kind)))
    ids = ImportSpec(
        1.0,
        channels=dict(zip(IDS["category"], NAMES["category"], strict=True)),
        processes=dict(zip(IDS["process"], NAMES["process"], strict=True)),
        variations=dict(zip(IDS["shift"], NAMES["shift"], strict=True)),
    )
    for found in (
        from_columnflow({"tt_sl": files["ids"]}, ids),
        from_columnflow({"tt_sl": [files["names"]]}, ImportSpec(1.0), observables=["mtt"]),
    ):
        np.testing.assert_allclose(found.template("incl", "mtt", "tt").sumw, SUMW)
        np.testing.assert_allclose(found.template("incl", "mtt", "tt", "mu_up").sumw, 1.5 * SUMW)
        np.testing.assert_allclose(
            found.template("incl", "mtt", "tt", "mu_down").sumw2, 0.25 * SUMW2
        )
        assert found.blocks["sr", "mtt", "st"].variations == ("nominal",)
        np.testing.assert_allclose(found.template("sr", "mtt", "st", "mu_up").sumw, SUMW)
    with pytest.raises(InputError, match="the id 1 has no name"):
        from_columnflow({"tt_sl": files["ids"]}, ImportSpec(1.0))


def test_columnflow_datasets_and_shifts_in_files_of_their_own(tmp_path):
    def write(name, shift, factor, *, by_variable=False):
        h = hist.Hist(
            *(
                hist.axis.StrCategory([], name=axis, growth=True)
                for axis in ("category", "process", "shift")
            ),
            hist.axis.Variable([0, 10, 20], name="mtt"),
            storage=hist.storage.Weight(),
        )
        h.fill(category="sr", process="tt", shift=shift, mtt=X, weight=W * factor)
        path = tmp_path / f"{name}_{shift}.pickle"
        path.write_bytes(pickle.dumps({"mtt": h} if by_variable else h))
        return path

    files = {
        "tt_sl": [write("tt_sl", "nominal", 1.0), write("tt_sl", "mu_up", 1.5)],
        "tt_dl": write("tt_dl", "nominal", 2.0, by_variable=True),
    }
    found = from_columnflow(files, ImportSpec(1.0, scales={"tt_dl": 10.0}))
    np.testing.assert_allclose(found.template("sr", "mtt", "tt").sumw, 21 * SUMW)
    np.testing.assert_allclose(found.template("sr", "mtt", "tt", "mu_up").sumw, 21.5 * SUMW)
    with pytest.raises(InputError, match=r"sr/mtt/tt_sl has no variation 'nominal' \(found: mu_up"):
        from_columnflow({"tt_sl": files["tt_sl"][1]}, ImportSpec(1.0))


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('run')",)


def test_each_reader_refuses_hostile_files(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"variables": {"mtt": Hostile()}}))
    spec = ImportSpec(1.0)
    for read in (
        lambda: from_coffea(path, spec),
        lambda: from_pocket_coffea(path, spec),
        lambda: from_columnflow({"x": path}, spec),
    ):
        with pytest.raises(UnsafeContent, match=r"builtins\.exec"):
            read()


def test_the_limit_on_the_size_is_that_of_the_specification(tmp_path):
    save(pocket_coffea(), tmp_path / "o.coffea")
    with pytest.raises(UnsafeContent, match="more than 1000 bytes"):
        from_pocket_coffea(tmp_path / "o.coffea", ImportSpec(1.0, max_bytes=1000))


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "x.pickle"
    path.write_bytes(pickle.dumps({"mtt": 3}))
    with pytest.raises(InputError, match=r"x\.pickle holds a int where a histogram"):
        from_columnflow({"tt": path}, ImportSpec(1.0))

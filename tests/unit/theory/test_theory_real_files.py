"""Theory weights of real files, of all lengths that they have, against plain uproot and numpy."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.analysis import Analysis
from hepflow.analysis.results import all_remarks
from hepflow.corrections.theory import parton_shower, pdf_variations, scale_variations
from hepflow.errors import InputError
from hepflow.schema import Config
from tests.builders import make_skims, manager_of, observable, shared, tiny_config

EDGES = np.linspace(0.0, 150.0, 6)
DY, OPEN, TTBAR, OLD = (
    "nano_dy.root",
    "nanoAOD_2015_CMS_Open_Data_ttbar.root",
    "nano_tt_v12.root",
    "DY_M50_2016.root",
)
RNTUPLE = "cmsopendata2015_ttbar_19980_NANOAOD_RNTupleImporter_rntuple_v1-0-0-1.root"
MET = "MET_pt"


def keep(met):
    return met > 20.0


def fill(tmp_path, file, *systematics):
    config = tiny_config(
        tmp_path,
        [{"name": "mc", "files": [str(shared(f"nanoaod/{file}"))], "sumw_source": "events",
          "cross_section": 2.0}],
        preprocess={
            "branches": {"MET": ["pt"]},
            "mc_branches": {"event": ["genWeight"]},
            "skimming": {"function": keep, "use": [("MET", "pt")], "chunk_size": 30},
        },
        baseline_selection=None, ghost_observables=[], good_object_masks={},
        channels=[{
            "name": "all", "fit_observable": "met",
            "observables": [observable("met", EDGES.tolist(), lambda met: met, [("MET", "pt")])],
        }],
        systematics=list(systematics),
    )  # fmt: skip
    analysis = Analysis(config, make_skims(config), manager_of(config))
    return config, analysis.fill_histograms()


class Plain:
    """The same with plain uproot and numpy."""

    def __init__(self, file, branch):
        with uproot.open(shared(f"nanoaod/{file}")) as opened:
            tree = opened["Events"]
            self.weights = np.asarray(tree["genWeight"].array(), dtype=np.float64)
            self.met = np.asarray(tree[MET].array(), dtype=np.float64)
            self.members = np.asarray(ak.to_numpy(tree[branch].array()), dtype=np.float64)

    def bins(self, member, *, keep_yield=False):
        """Template of one weight, flow included."""
        factor = 1.0 if member is None else self.members[:, member]
        weights = self.weights * factor
        scale = 200.0 / (weights.sum() if keep_yield else self.weights.sum())
        chosen = self.met > 20.0
        place = np.searchsorted(EDGES, self.met[chosen], side="right")
        return np.bincount(place, weights[chosen] * scale, minlength=len(EDGES) + 1)


def assert_sides(found, source, up, down):
    for side, expected in (("up", up), ("down", down)):
        sumw = found.template("all", "met", "mc", f"{source}_{side}").sumw
        np.testing.assert_allclose(sumw, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("file", [DY, OPEN, TTBAR, OLD, RNTUPLE])
@pytest.mark.parametrize("keep_yield", [False, True])
def test_scales(tmp_path, file, keep_yield):
    _, found = fill(tmp_path, file, *scale_variations(keep_yield=keep_yield))
    plain = Plain(file, "LHEScaleWeight")
    six = [plain.bins(i, keep_yield=keep_yield) for i in (0, 1, 3, 5, 7, 8)]
    rows = [plain.bins(None), *six]
    assert_sides(found, "scale", np.max(rows, axis=0), np.min(rows, axis=0))


@pytest.mark.parametrize(
    ("file", "how", "first", "length", "given"),
    [
        (DY, "hessian", 91400, 33, {}),
        (OPEN, "replicas", 292201, 102, {}),
        (OLD, "replicas", 292201, 102, {}),
        (TTBAR, "hessian", 306000, 103, {"lhapdf_id": 306000}),  # its branches have no titles
        (RNTUPLE, "replicas", 292201, 100, {"lhapdf_id": 292201}),
    ],
)
def test_pdfs(tmp_path, file, how, first, length, given):
    _, found = fill(tmp_path, file, *pdf_variations(**given))
    plain = Plain(file, "LHEPdfWeight")
    assert plain.members.shape[1] == length
    start = first % 100
    rows = np.array([plain.bins(i) for i in range(length)])
    nominal = plain.bins(None)
    if how == "hessian":
        size = 30 if length == 33 else 100
        delta = np.sqrt(((rows[1 : size + 1] - rows[0]) ** 2).sum(axis=0))
    else:
        delta = rows[: 101 - start].std(axis=0, ddof=1)
    assert_sides(found, "pdf", nominal + delta, nominal - delta)
    if length != 100:
        centre = nominal if start else rows[0]
        low, high = rows[length - 2] - centre, rows[length - 1] - centre
        assert_sides(found, "pdf_alpha_s", nominal + high, nominal + low)
    else:
        assert "pdf_alpha_s_up" not in found.variations("all", "met")


@pytest.mark.parametrize(
    ("file", "places"),
    [(DY, [2, 3, 0, 1]), (TTBAR, [0, 1, 2, 3])],  # their titles, or none, say different orders
)
def test_showers(tmp_path, file, places):
    _, found = fill(tmp_path, file, *parton_shower())
    plain = Plain(file, "PSWeight")
    isr_up, fsr_up, isr_down, fsr_down = (plain.bins(i) for i in places)
    assert_sides(found, "isr", isr_up, isr_down)
    assert_sides(found, "fsr", fsr_up, fsr_down)


@pytest.mark.parametrize("file", ["nano_dy_rntuple.root", "nano_dy.parquet"])
def test_files_without_titles_do_not_tell_the_order_of_a_shower(tmp_path, file):
    """These are old files, with half the scale first: the assumed order swaps up and down."""
    plain = Plain(DY, "PSWeight")
    twice, half = plain.bins(2), plain.bins(0)
    config, titled = fill(tmp_path / "a", DY, *parton_shower())
    assert_sides(titled, "isr", twice, half)
    assert all_remarks(Config.of(config), titled) == ()
    config, found = fill(tmp_path / "b", file, *parton_shower())
    assert_sides(found, "isr", half, twice)
    assert all_remarks(Config.of(config), found) == (
        "order of fsr weights assumed in mc",
        "order of isr weights assumed in mc",
    )
    given = {"name": "isr", "type": "theory", "weights": "PSWeight", "members": [2, 0],
             "combine": "pair"}  # fmt: skip
    config, found = fill(tmp_path / "c", file, given)
    assert_sides(found, "isr", twice, half)
    assert all_remarks(Config.of(config), found) == ()


@pytest.mark.parametrize("file", [OPEN, OLD, RNTUPLE])
def test_one_dummy_weight_of_the_shower(tmp_path, file):
    config, found = fill(tmp_path, file, *parton_shower())
    assert found.variations("all", "met") == ("nominal",)
    remarks = all_remarks(Config.of(config), found)
    assert remarks == ("no fsr weights in mc", "no isr weights in mc")


def test_less_radiation_has_weights_nearer_to_one():
    """The order of the two files differs: a smaller scale has the larger spread in both."""
    for file, smaller in ((DY, (0, 1)), (TTBAR, (2, 3))):
        spread = Plain(file, "PSWeight").members.std(axis=0)
        for i in smaller:
            assert spread[i] > spread[(i + 2) % 4]


def test_a_set_that_no_title_names_is_asked_for(tmp_path):
    with pytest.raises(InputError, match=r"nano_tt_v12.root, LHEPdfWeight: has 103 weights"):
        fill(tmp_path, TTBAR, *pdf_variations())


def test_a_file_without_events_has_no_members(tmp_path):
    _, found = fill(tmp_path, "nano_dy_empty.root", *scale_variations(keep_yield=True))
    assert found.template("all", "met", "mc", "scale_up").sumw.sum() == 0
    assert all_remarks(Config.of(_), found) == ()

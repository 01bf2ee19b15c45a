"""The same templates from histograms, workspaces and files; and files of others."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import uproot

from hepflow.errors import WorkspaceError
from hepflow.records import Block
from hepflow.statistics import StatisticsSpec
from hepflow.statistics.audit import (
    audit,
    audit_workspace,
    of_file,
    of_histograms,
    of_workspace,
)
from hepflow.statistics.spec import NormalisationSpec, ShapeSpec, TransferSpec
from hepflow.storage import read_json
from tests.unit.statistics.audit.templates import codes
from tests.unit.statistics.models import (
    PROCESSES,
    all_modifiers,
    counting,
    histograms,
    normsys,
    shared,
    spec,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SOURCES = ("jet_pt_resolution", "jet_pt_scale", "muon_id_sf", "pu_weight")
SAMPLES = ("signal", "ttbar_had", "ttbar_lep", "ttbar_semilep", "wjets")


# -- a real run whose templates are wrong ------------------------------------------------


def test_all_twenty_faulty_pairs_of_a_real_run_are_errors():
    found = audit(of_file(shared("zprime_opendata_run/histograms.root")))
    errors = {(one.sample, one.systematic): one.code for one in found if one.severity == "error"}
    assert errors == {
        **{(p, s): "identical-sides" for p in SAMPLES for s in SOURCES[:2]},
        **{(p, s): "norm-effect" for p in SAMPLES for s in SOURCES[2:]},
    }
    messages = {one.sample: one.message for one in found if one.systematic == "muon_id_sf"}
    assert "multiplied by 0.0795 up" in " ".join(
        one.message for one in found if (one.code, one.sample) == ("norm-effect", "wjets")
    )
    assert set(messages) == set(SAMPLES)


def test_the_faulty_weights_of_its_workspace_are_errors():
    found = audit_workspace(read_json(shared("zprime_opendata_run/workspace.json"), ""))
    errors = {(one.sample, one.systematic) for one in found if one.severity == "error"}
    assert errors == {(p, s) for p in SAMPLES for s in ("MU_ID_SF", "PU_weight")}


@pytest.mark.parametrize("path", ["sbottom_regionA/BkgOnly.json", "pyhf-tutorial_bkg_only.json"])
def test_a_published_likelihood_has_no_error(path):
    found = audit_workspace(read_json(shared(f"likelihoods/{path}"), ""))
    assert {one.severity for one in found} == {"warning"}


# -- histograms of a run -----------------------------------------------------------------


def test_templates_of_a_run_are_those_of_the_fit():
    what = of_histograms(histograms(), spec())
    assert list(what.regions) == ["sr", "cr"]
    assert what.signal == {"signal"}
    one = what.regions["sr"].samples["ttbar"]
    filled = histograms().template("sr", "mass", "ttbar")
    np.testing.assert_array_equal(one.nominal, filled.values)
    np.testing.assert_array_equal(one.variances, filled.variances)
    assert set(one.sources) == {"jes", "btag", "lumi"}
    assert set(what.regions["sr"].samples["wjets"].sources) == {"jes", "lumi", "wjets_xs"}
    folded = of_histograms(histograms(), spec(fold_overflow=True)).regions["sr"].samples["ttbar"]
    assert folded.nominal.sum() == pytest.approx(filled.sumw.sum())


def test_neglected_statistical_uncertainties_are_no_missing_squared_weights():
    found = audit(of_histograms(histograms(), spec(mc_stat_threshold=0.5)))
    assert "variance" not in codes(found)


def test_a_source_that_is_configured_must_be_there():
    more = (*spec().shapes, ShapeSpec("tune", ("ttbar",), ("sr",)))
    found = audit(of_histograms(histograms(), spec(shapes=more)))
    missing = [one for one in found if one.code == "missing-variation"]
    assert [(one.region, one.sample, one.systematic) for one in missing] == [
        ("sr", "ttbar", "tune")
    ]


def test_a_side_that_was_not_filled_is_missing():
    def without(block):
        rows = [i for i, name in enumerate(block.variations) if name != "jes_down"]
        names = tuple(block.variations[i] for i in rows)
        return Block(names, block.sumw[rows], block.sumw2[rows])

    filled = histograms()
    blocks = {key: without(block) for key, block in filled.blocks.items()}
    found = audit(of_histograms(replace(filled, blocks=blocks), spec()))
    missing = [one for one in found if one.code == "missing-side"]
    assert {(one.sample, one.systematic) for one in missing} == {(p, "jes") for p in PROCESSES}
    assert all("no down template" in one.message for one in missing)


def test_sizes_that_are_configured_and_factors_of_estimates_are_sources():
    large = NormalisationSpec("guess", 0.8, ("wjets",), ("cr",))
    factor = TransferSpec("jes", ("ttbar",), ("sr",))
    what = of_histograms(
        histograms(), spec(normalisations=(large,), shapes=(), transfers=(factor,))
    )
    assert set(what.regions["sr"].samples["ttbar"].sources) == {"jes"}
    found = [one for one in audit(what) if one.code == "norm-effect"]
    assert [(one.region, one.sample, one.systematic, one.severity) for one in found] == [
        ("cr", "wjets", "guess", "warning")
    ]


def test_data_of_a_blind_region_are_not_looked_at():
    what = of_histograms(histograms(), spec(blind=("sr",)))
    assert what.regions["sr"].data is None
    assert what.regions["cr"].data is not None


def test_a_process_without_events_is_not_part_of_the_fit():
    filled = histograms()
    key = ("sr", "mass", "wjets")
    empty = filled.blocks[key].scaled(0.0)
    what = of_histograms(replace(filled, blocks={**filled.blocks, key: empty}), spec())
    assert set(what.regions["sr"].samples) == {"signal", "ttbar"}


def test_a_nan_among_squared_weights_is_found():
    filled = histograms()
    key = ("sr", "mass", "wjets")
    block = filled.blocks[key]
    sumw2 = block.sumw2.copy()
    sumw2[0, 3] = np.nan
    blocks = {**filled.blocks, key: Block(block.variations, block.sumw, sumw2)}
    found = audit(of_histograms(replace(filled, blocks=blocks), spec()))
    assert ("non-finite", (2,)) in [(one.code, one.bins) for one in found]


# -- workspaces --------------------------------------------------------------------------


def test_effects_of_one_name_are_combined():
    workspace = counting(5.0, 50.0, 52.0, normsys("a", 1.1, 0.9))
    shape = {"name": "a", "type": "histosys", "data": {"hi_data": [60.0], "lo_data": [45.0]}}
    workspace["channels"][0]["samples"][1]["modifiers"].append(shape)
    sides = of_workspace(workspace).regions["sr"].samples["background"].sources["a"]
    assert sides.up.tolist() == pytest.approx([66.0])
    assert sides.down.tolist() == pytest.approx([40.5])


def test_effects_are_those_that_pyhf_has():
    import pyhf

    workspace = all_modifiers()
    model = pyhf.Workspace(workspace).model()
    names, start = model.config.par_order, list(model.config.suggested_init())
    what = of_workspace(workspace)
    for source in ("jes", "id"):
        for value, side in ((1.0, "up"), (-1.0, "down")):
            pars = list(start)
            pars[model.config.par_slice(source)] = [value]
            expected = model.expected_actualdata(pars)
            for region, found in what.regions.items():
                total = sum(
                    getattr(one.sources[source], side) if source in one.sources else one.nominal
                    for one in found.samples.values()
                )
                np.testing.assert_allclose(
                    expected[model.config.channel_slices[region]], total, rtol=1e-12
                )
    assert "jes" in names


def test_statistical_uncertainties_of_a_workspace():
    what = of_workspace(all_modifiers()).regions["sr"].samples
    assert what["background"].variances.tolist() == [4.0**2 + 5**2, 4.0**2, 3.0**2 + 2**2]
    none = counting(5.0, 50.0, 52.0)
    assert np.isnan(of_workspace(none).regions["sr"].samples["background"].variances).all()
    assert of_workspace(none).signal == {"signal"}
    assert of_workspace(none, data=False).regions["sr"].data is None


def test_a_workspace_that_is_none_is_named():
    with pytest.raises(WorkspaceError, match=r"the workspace is not HistFactory JSON \(KeyError"):
        of_workspace({"channels": []})
    broken = copy.deepcopy(counting(5.0, 50.0, 52.0))
    del broken["channels"][0]["samples"][0]["data"]
    with pytest.raises(WorkspaceError, match=r"channel 'sr' of the workspace is not"):
        of_workspace(broken)
    other = counting(5.0, 50.0, 52.0)
    other["channels"][0]["samples"][0]["data"] = [1.0, 2.0]
    with pytest.raises(WorkspaceError, match="templates of 1 and 2 bins"):
        of_workspace(other)


# -- files -------------------------------------------------------------------------------


def test_files_have_the_findings_of_their_histograms(tmp_path):
    from hepflow.histograms import write_histograms

    filled = histograms()
    here: StatisticsSpec = spec(
        normalisations=(), shapes=(*spec().shapes, ShapeSpec("btag", ("wjets",)))
    )
    expected = audit(replace(of_histograms(filled, here), signal=frozenset()))
    assert expected
    for path in write_histograms(filled, tmp_path):
        assert audit(of_file(path)) == expected


def test_observables_of_a_file(tmp_path):
    path = tmp_path / "h.root"
    edges = np.array([0.0, 1.0, 2.0])
    with uproot.recreate(path) as file:
        for observable in ("mass", "pt"):
            file[f"sr__{observable}__tt"] = np.array([400.0, 500.0]), edges
            file[f"sr__{observable}__tt__id_up"] = np.array([800.0, 900.0]), edges
            file[f"sr__{observable}__tt__id_down"] = np.array([300.0, 400.0]), edges
    assert list(of_file(path).regions) == ["sr__mass", "sr__pt"]
    assert [one.region for one in audit(of_file(path))] == ["sr__mass", "sr__pt"]
    assert list(of_file(path, observables={"sr": "pt"}).regions) == ["sr"]

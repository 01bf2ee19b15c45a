"""The sample of backgrounds: what is in the files is what its truth says."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.errors import InputError
from hepflow.samples import backgrounds_truth as truth
from hepflow.samples.backgrounds import describe_backgrounds, prepare_backgrounds

SIZE = 0.2


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return prepare_backgrounds(tmp_path_factory.mktemp("sample"), SIZE)


def events(sample, name, year="2017"):
    with uproot.open(sample.files[name, year].path) as file:
        return file["Events"].arrays()


def test_each_file_has_the_events_asked_for(sample):
    for (name, year), one in sample.files.items():
        if one.cross_section is not None:
            found = events(sample, name, year)
            assert len(found) == one.events
            assert "genWeight" in found.fields


def test_the_slices_are_ranges_of_the_inclusive_spectrum(sample):
    everything, middle, high = (
        events(sample, name) for name in ("wjets", "wjets_ht100to300", "wjets_ht300")
    )
    assert ak.min(middle.LHE_HT) >= 99.9
    assert ak.max(middle.LHE_HT) <= 300.1
    assert ak.min(high.LHE_HT) >= 299.9
    total = sample.files["wjets", "2017"].cross_section
    generated = np.asarray(everything.LHE_HT)
    for name, low, up in (("wjets_ht100to300", 100, 300), ("wjets_ht300", 300, np.inf)):
        share = sample.files[name, "2017"].cross_section / total
        counted = np.histogram(generated, [low, up])[0][0] / len(generated)
        assert counted == pytest.approx(share, abs=4 * np.sqrt(share / len(everything)))
    assert truth.wjets_cross_section(0.0, np.inf) == pytest.approx(total)


def test_primary_datasets_share_the_events_that_both_triggers_kept(sample):
    muon, jet = events(sample, "SingleMuon"), events(sample, "JetHT")
    both = set(muon.event.to_list()) & set(jet.event.to_list())
    assert len(both) == ak.sum(muon.HLT_PFHT250) == ak.sum(jet.HLT_Mu50) > 100
    assert ak.all(muon.HLT_Mu50)
    assert ak.all(jet.HLT_PFHT250)
    assert len(set(muon.event.to_list())) == len(muon)
    assert "LHE_HT" not in muon.fields


def test_data_hold_what_the_cross_sections_say(sample):
    for year, luminosity in sample.luminosity.items():
        found = events(sample, "SingleMuon", year)
        for number, name in enumerate(truth.DATA_ORDER):
            expected = truth.PROCESSES[name].cross_section * luminosity
            expected *= truth.MUON_SCALE[year] * truth.TRIGGER_EFFICIENCY
            counted = int(ak.sum(found.Truth_process == number))
            assert abs(counted - expected) < 4 * np.sqrt(expected), name


def test_isolation_of_nonprompt_muons_is_independent_of_all_else(sample):
    found = events(sample, "nonprompt")
    found = found[found.nMuon == 1]
    isolation = found.Muon_pfRelIso04_all[:, 0]
    low, high = truth.NOT_ISOLATED
    for chosen in (found.MET_pt < 30, found.MET_pt > 50, found.nJet > 1, found.LHE_HT > 150):
        passed = int(ak.sum(chosen & (isolation < truth.ISOLATED)))
        failed = int(ak.sum(chosen & (isolation > low) & (isolation < high)))
        spread = truth.TRANSFER * np.sqrt(1 / passed + 1 / failed)
        assert passed / failed == pytest.approx(truth.TRANSFER, abs=4 * spread)


def test_the_same_is_made_again_and_what_is_there_stays(sample):
    one = sample.files["wjets", "2017"].path
    with uproot.open(one) as file:
        name = file.file.uuid
    before = events(sample, "wjets")
    time = sample.files["ttbar", "2017"].path.stat().st_mtime_ns
    one.unlink()
    assert prepare_backgrounds(sample.root.parent, SIZE) == sample
    assert ak.array_equal(events(sample, "wjets"), before)
    with uproot.open(one) as file:
        assert file.file.uuid == name
    assert sample.files["ttbar", "2017"].path.stat().st_mtime_ns == time


def test_sizes_and_seeds_are_kept_apart(tmp_path):
    roots = {describe_backgrounds(tmp_path, *one).root for one in ((1.0, 1), (0.5, 1), (1.0, 2))}
    assert len(roots) == 3
    assert describe_backgrounds(tmp_path).luminosity == truth.LUMINOSITY


def test_a_sample_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"it needs at least 0\.01"):
        describe_backgrounds(tmp_path, 0.001)

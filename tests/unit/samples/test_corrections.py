import gzip
import json

import correctionlib
import correctionlib.schemav2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.samples import truth
from hepflow.samples.corrections import FILES, write_corrections


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("corrections")
    write_corrections(path)
    return path


@pytest.fixture(scope="module")
def sets(folder):
    return {
        name: correctionlib.CorrectionSet.from_file(str(folder / file))
        for name, file in FILES.items()
    }


def test_files_are_valid_and_the_same_each_time(folder, tmp_path):
    write_corrections(tmp_path)
    for file in FILES.values():
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()
        content = json.loads(gzip.decompress((folder / file).read_bytes()))
        correctionlib.schemav2.CorrectionSet.model_validate(content)


@given(eta=st.floats(-2.399, 2.399), pt=st.floats(52.0, 3000.0))
def test_muon_factors_are_the_truth(sets, eta, pt):
    for name, known in truth.MUON.items():
        nominal = float(known.scale_factor.at(eta, pt))
        values = [
            sets["muon"][name].evaluate(eta, pt, key) for key in ("nominal", "systup", "systdown")
        ]
        shift = known.uncertainty
        assert values == pytest.approx([nominal, nominal * (1 + shift), nominal * (1 - shift)])


@pytest.mark.parametrize(("eta", "pt"), [(2.5, 60.0), (-2.41, 60.0), (0.0, 14.0)])
def test_muons_outside_the_domain_are_refused(sets, eta, pt):
    with pytest.raises(RuntimeError, match="bounds"):
        sets["muon"]["muon_id"].evaluate(eta, pt, "nominal")


@pytest.mark.parametrize(
    ("name", "classes", "keys"),
    [
        ("btag", truth.BTAG, {"central": {}, "up_hf": {"hf": 1}, "down_lf": {"lf": -1}}),
        ("toptag", truth.TOPTAG, {"nominal": {}, "up": {"tag": 1}, "down": {"tag": -1}}),
    ],
)
def test_tag_weights_keep_the_number_of_jets(sets, name, classes, keys):
    """Over tagged and untagged jets together the weight is one: tags move, jets do not."""
    pt = np.array([160.0, 300.0, 450.0, 550.0, 700.0, 1500.0])
    for key, moved in keys.items():
        for flavour, known in classes.items():
            evaluate = sets[name][name].evaluate
            tagged = evaluate(key, flavour, pt, 0.8)
            untagged = evaluate(key, flavour, pt, 0.2)
            shift = 1 + moved.get(known.source, 0) * known.uncertainty
            efficiency = known.efficiency.at(0.0, pt)
            assert tagged == pytest.approx(known.scale_factor.at(0.0, pt) * shift)
            assert efficiency * tagged + (1 - efficiency) * untagged == pytest.approx(np.ones(6))


@given(eta=st.floats(-5.1, 5.1), pt=st.floats(11.0, 6000.0))
def test_the_jet_energy_scale_is_the_truth_and_its_sources_are_symmetric(sets, eta, pt):
    evaluate = sets["jes"]["jes"].evaluate
    nominal = evaluate("nominal", eta, pt)
    assert nominal == pytest.approx(float(truth.jes_factor(eta, pt)))
    for source in ("jes_absolute", "jes_pileup"):
        up, down = (evaluate(f"{source}_{side}", eta, pt) for side in ("up", "down"))
        assert up > nominal > down
        assert up + down == pytest.approx(2 * nominal)


def test_pileup_weights_turn_the_simulated_profile_into_that_of_data(sets):
    bins = np.arange(truth.PILEUP_BINS) + 0.5
    simulated = truth.pileup_profile(*truth.PILEUP_SIMULATION)
    means = {}
    for key in ("nominal", "up", "down"):
        weighted = simulated * sets["pileup"]["puWeights"].evaluate(bins, key)
        assert weighted.sum() == pytest.approx(1.0)
        means[key] = float(weighted @ bins)
    assert means["nominal"] == pytest.approx(truth.PILEUP_DATA[0], abs=0.05)
    assert means["up"] > means["nominal"] > means["down"]
    with pytest.raises(RuntimeError, match="bounds"):
        sets["pileup"]["puWeights"].evaluate(150.0, "nominal")

"""The skim loses nothing: an event stays if any variation could pass later."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tests.pipeline import built_in


def trigger_only(trigger):
    """What no selection behind the skim asks for again."""
    return trigger.TkMu50


def hard_fatjets(trigger, pt):
    """The threshold of the selection, on uncorrected pt: no margin for its variations."""
    import awkward as ak

    return trigger.TkMu50 & ak.any(pt > 500.0, axis=1)


@pytest.fixture(scope="module")
def unskimmed(small_config, tmp_path_factory):
    """The built-in analysis without the skim's cut on missing momentum."""
    config = copy.deepcopy(small_config)
    folder = tmp_path_factory.mktemp("unskimmed")
    config["general"] |= {"output_dir": str(folder / "out"), "cache_dir": str(folder / "cache")}
    config["preprocess"]["skimming"] |= {"function": trigger_only, "use": [("HLT", None)]}
    return built_in.fill(config)


@pytest.mark.field("preprocess.skimming.function", "preprocess.skimming.use")
def test_all_templates_are_the_same_without_the_skim(small_run, unskimmed):
    mine, theirs = small_run.analysis.raw, unskimmed.analysis.raw
    kept = {name: sum(p.n_selected for p in s.parts) for name, s in small_run.skims.items()}
    every = {name: sum(p.n_selected for p in s.parts) for name, s in unskimmed.skims.items()}
    assert all(kept[name] < every[name] for name in every)  # the skim does cut
    assert mine.blocks.keys() == theirs.blocks.keys()
    for key, block in theirs.blocks.items():
        assert mine.blocks[key].variations == block.variations
        assert np.array_equal(mine.blocks[key].sumw, block.sumw), key
        assert np.array_equal(mine.blocks[key].sumw2, block.sumw2), key


def test_a_skim_without_a_margin_would_be_noticed(small_config, small_run, tmp_path):
    """The same comparison fails where the skim cuts as hard as the selection."""
    config = copy.deepcopy(small_config)
    config["general"] |= {"output_dir": str(tmp_path / "out"), "cache_dir": str(tmp_path / "cache")}
    config["general"]["processes"] = ["ttbar_semilep"]
    use = [("HLT", None), ("FatJet", "pt")]
    config["preprocess"]["skimming"] |= {"function": hard_fatjets, "use": use}
    own = built_in.fill(config).analysis.raw
    moved = set()
    for key, block in own.blocks.items():
        full = small_run.analysis.raw.blocks[key]
        for i, name in enumerate(block.variations):
            if not np.array_equal(block.sumw[i], full.sumw[full.variations.index(name)]):
                moved.add(name)
    assert moved  # variations of the energy of fat jets have lost events

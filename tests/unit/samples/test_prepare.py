"""The sample as a configuration's ``datasets.prepare`` makes it."""

from __future__ import annotations

import logging

from hepflow.samples import describe_sample, is_whole, prepare_sample


def test_it_is_made_with_progress_and_then_reused(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="hepflow")
    layout = prepare_sample(tmp_path, 1000)
    assert layout == describe_sample(tmp_path, 1000)
    assert is_whole(layout)
    assert any("built-in sample" in one.getMessage() for one in caplog.records)
    caplog.clear()
    assert prepare_sample(tmp_path, 1000) == layout
    assert not caplog.records

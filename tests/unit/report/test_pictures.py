"""Pictures of a run in the report."""

from __future__ import annotations

from hepflow.report.pictures import Picture, readable_figures


def test_what_is_no_picture_is_left_out(tmp_path, caplog):
    (tmp_path / "broken.png").write_text("no picture")
    picture = Picture(tmp_path / "broken.png", "SR", "broken")
    assert readable_figures([picture], {}) == ()
    assert "broken.png is no picture" in caplog.text

"""The report of the built-in analysis, made of what a real run leaves."""

from __future__ import annotations

import pytest

from hepflow.pipeline import run
from hepflow.report import collect, write_report
from tests.pipeline import built_in
from tests.unit.report.page import parsed

pytestmark = pytest.mark.nightly
TEN_MEGABYTES = 10_000_000


@pytest.fixture(scope="module")
def report(small_sample, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built_in")
    config = built_in.configuration(small_sample, folder)
    config["plotting"]["enabled"] = True
    result = run(config)
    return write_report(collect(result.output_dir), folder / "index.html")


def test_it_is_one_file_of_a_moderate_size_with_all_that_a_run_gives(report):
    assert report.stat().st_size < TEN_MEGABYTES
    page = parsed(report.read_text(encoding="utf-8"))
    sections = {one.attributes["id"] for one in page.one("main").every("section")}
    assert {"summary", "cutflows", "data", "systematics", "fit", "limit"} <= sections
    assert len(page.one("main").every("img")) > 20


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_nothing_is_cut_off_overlaps_or_is_hard_to_read(opened, layout, size, look):
    page = opened(size, look)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(layout) == []

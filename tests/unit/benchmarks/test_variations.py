"""The peers of the benchmark compute the same, and the benchmark would tell if not."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import uproot

from benchmarks.variations import coffea_search, hepflow_search
from benchmarks.variations.__main__ import best_chunks, chosen, compared, medians
from benchmarks.variations.bounds import bounds
from benchmarks.variations.cases import ROOT, Case, all_cases, kind_of, searched
from benchmarks.variations.page import figures, opening_rows, write_page
from benchmarks.variations.physics import JET_SOURCES, WEIGHT_SOURCES
from benchmarks.variations.reading import columns_read, decompression
from benchmarks.variations.records import Found, differences
from benchmarks.variations.sample import CACHE, SampleFile, ensure, kept_bits

pytestmark = pytest.mark.campaign

EVENTS = 2000
SMALL = SampleFile("zlib", 80, EVENTS)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    return ensure(SMALL, folder)


@pytest.fixture(scope="module")
def by_hepflow(sample, tmp_path_factory):
    output = tmp_path_factory.mktemp("hepflow") / "out"
    return hepflow_search.direct(sample, output, code="awkward", variations=True)


def test_a_small_sample_has_what_was_asked_for(sample):
    with uproot.open(sample) as root:
        tree = root["Events"]
        assert tree.num_entries == EVENTS
        assert len(tree.keys()) == SMALL.branches
        assert set(columns_read()) < set(tree.keys())


def test_a_file_that_is_there_is_not_made_again(sample):
    before = sample.stat().st_mtime_ns
    assert ensure(SMALL, sample.parent).stat().st_mtime_ns == before


def test_the_same_events_are_in_every_compression(sample, tmp_path):
    other = ensure(SampleFile("zstd", 70, EVENTS), tmp_path)
    with uproot.open(sample) as one, uproot.open(other) as two:
        for name in columns_read():
            left, right = (file["Events"][name].array() for file in (one, two))
            assert left.tolist() == right.tolist()


def test_values_keep_ten_bits():
    values = np.random.default_rng(1).exponential(50.0, 1000) + 1.0
    kept = kept_bits(values, 10)
    assert np.abs(kept / values - 1.0).max() <= 2.0**-11 * (1 + 1e-6)
    assert not np.any(kept.view(np.uint32) & np.uint32((1 << 13) - 1))


def test_there_are_a_hundred_variations_that_do_something(by_hepflow):
    assert len(JET_SOURCES) == 20
    assert len(WEIGHT_SOURCES) == 30
    assert len(by_hepflow.histograms) == 101
    nominal = by_hepflow.histograms["nominal"][0]
    same = [n for n, (w, _) in by_hepflow.histograms.items() if np.array_equal(w, nominal)]
    assert same == ["nominal"]


def test_hepflow_and_coffea_agree(sample, by_hepflow):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sample has few of the columns that coffea looks for
        found = coffea_search.run(sample, variations=True, chunk=EVENTS)
    assert differences(by_hepflow, found) == []
    assert found.sum_weights == pytest.approx(by_hepflow.sum_weights)


def test_compiled_functions_agree(sample, by_hepflow, tmp_path):
    found = hepflow_search.direct(sample, tmp_path / "out", code="numba", variations=True)
    assert differences(by_hepflow, found) == []


@pytest.mark.parametrize("code", ["awkward", "numba"])
def test_the_skim_loses_nothing(sample, by_hepflow, tmp_path, code):
    hepflow_search.make_skim(sample, tmp_path / "out", code=code)
    found = hepflow_search.from_skim(sample, tmp_path / "out", code=code, variations=True)
    assert differences(by_hepflow, found) == []


def test_hepflow_and_rdataframe_agree(sample, by_hepflow, tmp_path):
    folder = os.environ.get(CACHE) or platformdirs.user_cache_path("hepflow") / "benchmarks"
    python = Path(folder) / "root-venv" / "bin" / "python"  # tests have a cache of their own
    if not python.exists():
        pytest.skip("there is no environment with ROOT; `make benchmark` makes it")
    words = ["-m", "benchmarks.variations.rdataframe", str(sample), "--variations"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [str(python), *words, "--output", str(tmp_path)], cwd=ROOT, env=variables, check=True
    )
    assert differences(by_hepflow, Found.read(tmp_path / "histograms.json")) == []


def found_with(value):
    content = np.array([0.0, 2.0, value, 0.0])
    return Found({"nominal": (content, content**2)}, 10.0)


def test_a_moved_event_is_a_difference(tmp_path):
    found_with(3.0).write(tmp_path / "one.json")
    one = Found.read(tmp_path / "one.json")
    assert differences(one, found_with(3.0)) == []
    told = differences(one, found_with(3.001))
    assert [text.split(" of bin")[0] for text in told] == ["nominal: w", "nominal: w^2"]
    assert differences(one, Found({})) == ["nominal is only in one of them"]


def test_only_the_same_events_are_compared():
    cases = [Case(peer, SampleFile(events=n)) for n in (10, 20) for peer in ("hepflow", "root")]
    values = [1.0, 1.0, 2.0, 2.5]
    filled = {case: found_with(value) for case, value in zip(cases, values, strict=True)}
    number, told = compared(filled)
    assert number == 4
    assert len(told) == 2
    assert all("20" in text for text in told)


def test_figures_of_libraries_are_told(sample):
    found = decompression(sample)
    assert set(found) == {"standard library", "libdeflate"}
    assert all(value >= 0 for value in found.values())


def test_medians_of_groups():
    runs = [{"cpu": x, "group": {"a": 2 * x}} for x in (1.0, 9.0, 3.0)]
    assert medians(runs) == {"cpu": 3.0, "group": {"a": 6.0}}


def test_the_best_chunk_is_the_cheapest():
    spent = {32_000: 5.0, 64_000: 4.0, 100_000: 3.0, 128_000: 3.5, 256_000: 6.0, 512_000: 7.0}
    found = best_chunks(searched(), lambda case: {"cpu": spent[case.chunk]})
    kinds = [f"{what}, {n} branches" for n in (150, 1500) for what in ("nominal", "101")]
    assert found == dict.fromkeys(kinds, 100_000)


def test_names_are_unique_and_words_choose_cases():
    cases = all_cases()
    assert len({one.name for one in cases}) == len(cases)
    wanted = [one.name for one in cases if chosen(["root 101 lzma"])(one)]
    assert wanted == ["root 101 lzma 150 512000", "root 101 lzma 1500 512000"]
    assert all(chosen([])(one) for one in cases)


def results(factor):
    """Figures where hepflow takes 1 s, others `factor` times what is asked."""
    medians_ = {}
    for case in (*all_cases(), *searched()):
        cpu = {"coffea": 12.0 * factor, "root": 2.3 * factor}.get(case.peer, 1.0)
        if case.peer == "hepflow-skim":
            cpu = {"awkward": 0.6, "numba": 0.12}[case.code]
        if case.peer == "hepflow" and not case.variations:
            cpu = 0.5
        medians_[case.name] = {"cpu": cpu, "memory": 1.0 / factor}
        if case.peer == "reading":
            times = {"standard library": 0.5 * factor, "libdeflate": 0.2 * factor}
            opened = {"hepflow": 0.1, "coffea": 0.2}
            medians_[case.name] = {"decompression": times, "reading": 0.3, "opening": opened}
    return {
        "events": 512_000,
        "repeat": 3,
        "machine": {"python": "3"},
        "best_chunk": {kind_of(case): 128_000 for case in searched()},
        "medians": medians_,
        "histograms": 7,
        "differences": [],
    }


def test_all_bounds_are_judged():
    assert [one.text for one in bounds(results(1.0)) if not one.reached] == []
    worse = {one.text: one.reached for one in bounds(results(0.3))}
    kept = [text for text, reached in worse.items() if reached]
    assert kept == [
        "coffea (best chunks) over hepflow, nominal (1500 branches)",
        "coffea (best chunks) over hepflow, nominal (150 branches)",
        *(
            f"hepflow over RDataFrame, nominal, {codec} ({branches} branches)"
            for branches in (1500, 150)
            for codec in ("zlib", "zstd", "lzma")
        ),
        "memory for twice the events over that for once",
    ]


def test_what_was_not_measured_is_told_as_such():
    empty = {**results(1.0), "medians": {}, "best_chunk": {}}
    assert {one.reached for one in bounds(empty)} == {None}


def test_opening_is_told_by_chunks():
    assert opening_rows(results(1.0)) == [
        ("50000", "1", "0.10", "0.10", "0.20", "0.50"),
        ("1000000", "10", "0.10", "1.00", "2.00", "0.50"),
    ]


def test_figures_are_put_into_the_page(tmp_path):
    page = tmp_path / "speed.md"
    page.write_text((ROOT / "docs" / "explanation" / "speed.md").read_text("utf-8"), "utf-8")
    write_page(page, results(1.0))
    once = page.read_text("utf-8")
    write_page(page, json.loads(json.dumps(results(1.0))))
    assert page.read_text("utf-8") == once
    assert figures(results(1.0)) in once
    assert "7 histograms agree bin by bin" in once
    (tmp_path / "other.md").write_text("nothing")
    with pytest.raises(ValueError, match="figures: begin"):
        write_page(tmp_path / "other.md", results(1.0))

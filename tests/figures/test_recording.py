"""A figure drawn once is the same in all its formats, whatever was drawn before."""

import dataclasses
import re
import zlib

import numpy as np
import pytest

from hepflow.plotting import fit_numbers, recording, sharing
from hepflow.plotting.numbers import stack_numbers
from hepflow.plotting.recording import record
from hepflow.plotting.run import FigureTask, make_figure, write_figure
from hepflow.plotting.style import house_style
from tests.figures.example import WHERE, fit, histograms, limit, spec

FORMATS = ("pdf", "png", "svg")
LABELS = ("mu", "jes", "lumi", "ttbar_norm")


def contents(look):
    return {
        "stack": stack_numbers(histograms(), *WHERE, look),
        "log": stack_numbers(histograms(data=False), *WHERE, look),
        "pulls": fit_numbers.pull_numbers(fit(LABELS), look.norm_factors),
        "correlation": fit_numbers.correlation_numbers(fit(LABELS)),
        "scan": limit(),
    }


def tasks(folder, **fields):
    look = spec(dpi=60, **fields)
    return [
        FigureTask(
            content, dataclasses.replace(look, log_scale=name == "log"), folder, name, ("half",)
        )
        for name, content in contents(look).items()
    ]


@pytest.mark.parametrize("index", range(5))
def test_what_is_repeated_is_what_was_drawn(index, tmp_path):
    figure = make_figure(tasks(tmp_path)[index])
    with house_style():
        first = record(figure, 60)
        again = record(first.figure(), 60)
        figure.set_dpi(60)
        figure.canvas.draw()
        usual = np.asarray(figure.canvas.buffer_rgba())
    np.testing.assert_array_equal(first.pixels, usual)
    np.testing.assert_array_equal(again.pixels, usual)
    assert len(np.unique(usual.reshape(-1, 4), axis=0)) > 5


def test_the_repetition_is_to_scale(tmp_path):
    figure = make_figure(tasks(tmp_path)[0])
    with house_style():
        small, large = record(figure, 60), record(figure, 120)
        grown = record(small.figure(), 120)
    assert grown.pixels.shape == large.pixels.shape
    # texts are placed as in the small picture, so that some of their edges differ
    ink, wanted = (one.pixels[..., :3].min(axis=2) < 200 for one in (grown, large))
    assert 0.1 < wanted.mean() < 0.9
    assert np.mean(ink != wanted) < 0.03


def test_the_order_of_figures_does_not_matter(tmp_path):
    caches = (recording._size_of_text, recording._ruler, sharing._subset, sharing._parser_of)
    found = []
    for name, step in (("forth", 1), ("back", -1)):
        for cache in caches:
            cache.cache_clear()
        paths = [
            path
            for task in tasks(tmp_path / name, formats=FORMATS)[::step]
            for path in write_figure(task)
        ]
        found.append({path.name: path.read_bytes() for path in paths})
    assert len(found[0]) == 5 * len(FORMATS)
    assert found[0] == found[1]


def test_a_figure_is_not_changed_by_writing_it(tmp_path):
    figure = make_figure(tasks(tmp_path)[0])
    dpi = figure.dpi
    with house_style():
        first, _, again = record(figure, 60), record(figure, 90), record(figure, 60)
    assert figure.dpi == dpi
    np.testing.assert_array_equal(first.pixels, again.pixels)


def streams(content):
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        with_end = match[1]
        if with_end[:1] == b"x":
            yield zlib.decompress(with_end)


def test_texts_of_a_pdf_stay_texts_and_lines_stay_lines(tmp_path):
    ours, _ = write_figure(tasks(tmp_path, formats=("pdf", "png"))[0])
    figure = make_figure(tasks(tmp_path)[0])
    with house_style():
        figure.savefig(tmp_path / "usual.pdf", metadata={"CreationDate": None})
    usual = tmp_path / "usual.pdf"
    counts = []
    for path in (ours, usual):
        content = path.read_bytes()
        assert b"/CIDFontType2" in content
        assert b"/Type3" not in content
        assert b"/Subtype /Image" not in content
        page = b"\n".join(streams(content))
        counts.append({op: len(re.findall(rb"\b%b\b" % op, page)) for op in (b"TJ", b"Do", b"S")})
    assert counts[0][b"TJ"] > 10
    assert counts[0] == counts[1]


def test_a_matrix_and_its_colour_bar_are_images_in_a_pdf(tmp_path):
    task = tasks(tmp_path, formats=("pdf",))[3]
    (path,) = write_figure(task)
    assert path.read_bytes().count(b"/Subtype /Image") == 2

import re
from xml.etree import ElementTree as ET

import pytest

from hepflow.plotting import draw_pulls, figure_svg, histogram_tasks, pull_numbers, svg_text
from hepflow.plotting.svg import _element
from tests.figures.example import Folders, fit, histograms, spec


def element(tmp_path, **fields):
    return figure_svg(histogram_tasks(histograms(), spec(), Folders(tmp_path))[0], **fields)


def names(text):
    return set(re.findall(r'\bid="([^"]+)"', text))


def used(text):
    return set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))


def test_it_is_one_element_that_needs_nothing_else(tmp_path):
    text = element(tmp_path, title='Signal "region" & more')
    root = ET.fromstring(text)  # noqa: S314 -- written here
    assert root.tag.endswith("svg")
    assert root.get("aria-label") == 'Signal "region" & more'
    assert root[0].text == 'Signal "region" & more'
    assert used(text) <= names(text)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "<style" not in text  # it would hold for the whole page
    assert "<text" not in text  # letters are paths: no font is needed
    assert len(text) < 90_000


def test_several_figures_share_no_identifier(tmp_path):
    first = element(tmp_path)
    second = svg_text(draw_pulls(pull_numbers(fit()), spec()))
    assert names(first)
    assert names(second)
    assert not names(first) & names(second)
    assert not names(first) & names(element(tmp_path, prefix="other"))


def test_what_is_no_figure_is_refused():
    with pytest.raises(ValueError, match="without viewBox"):
        _element("<svg></svg>", "", "")


def test_the_same_figure_gives_the_same_text(tmp_path):
    assert element(tmp_path) == element(tmp_path)

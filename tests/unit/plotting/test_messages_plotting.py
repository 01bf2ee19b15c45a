"""Messages of the figures."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from hepflow.errors import ConfigurationError, InputError
from hepflow.plotting import save, style
from hepflow.plotting.draw_fit import draw_scan
from hepflow.plotting.spec import check_colours


def test_a_limit_without_a_scan():
    with pytest.raises(ValueError, match="the limit has no scan to draw"):
        draw_scan(SimpleNamespace(scan=None), None)


def test_an_unknown_format(tmp_path):
    with pytest.raises(InputError, match=r"figure 'stack': unknown format 'bmp'\. Use pdf, png"):
        save.save_figure(None, tmp_path, "stack", ["png", "bmp"])


def test_a_text_that_is_no_tex():
    def parse():
        raise ValueError("ParseFatalException: Unknown symbol: \\nosuch")

    no_tex = "figure 'stack' has a text that is not valid TeX"
    with pytest.raises(InputError, match=no_tex), save.typesetting("stack"):
        parse()
    with pytest.raises(ValueError, match="something else"), save.typesetting("stack"):
        raise ValueError("something else")


def test_colours_that_matplotlib_does_not_know():
    colours = {"a": "tab:blue", "b": "nosuch", "c": "#12"}
    config = SimpleNamespace(plotting=SimpleNamespace(process_colors=colours))
    with pytest.raises(ConfigurationError) as caught:
        check_colours(config)
    assert [one.path for one in caught.value.problems] == [
        "plotting.process_colors.b",
        "plotting.process_colors.c",
    ]


def test_without_mplhep(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match="mplhep is not installed"):
        style._experiment_style.__wrapped__("CMS")

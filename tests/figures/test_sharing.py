"""Work that is shared between files changes nothing in them."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from hepflow.plotting import draw_stack, save_figure, stack_numbers
from hepflow.plotting import style as style_module
from hepflow.plotting.sharing import shared_work
from tests.figures.example import WHERE, histograms, spec


def stack():
    look = spec(dpi=80)
    return draw_stack(stack_numbers(histograms(), *WHERE, look), look)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image), image.info


def test_pictures_are_those_of_matplotlib_alone(tmp_path, monkeypatch):
    (shared,) = save_figure(stack(), tmp_path, "shared", ["png"], dpi=80)
    monkeypatch.setattr(style_module, "shared_work", contextlib.nullcontext)
    figure = stack()
    with style_module.house_style():
        figure.savefig(tmp_path / "alone.png", dpi=80)
    ours, info = pixels(shared)
    theirs, their_info = pixels(tmp_path / "alone.png")
    np.testing.assert_array_equal(ours, theirs)
    assert info["dpi"] == pytest.approx(their_info["dpi"])


def outlines(content, gids):
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.ttLib import TTFont

    with TTFont(io.BytesIO(content)) as font:
        glyphs, order = font.getGlyphSet(), font.getGlyphOrder()
        found = []
        for gid in gids:
            pen = RecordingPen()
            glyphs[order[gid]].draw(pen)
            found.append((glyphs[order[gid]].width, pen.value))
        return found


@pytest.mark.parametrize("count", [3, 40])
def test_fonts_have_the_letters_of_matplotlibs_own(count):
    pdf_fonts = pytest.importorskip("matplotlib.backends._backend_pdf_ps")
    if not hasattr(pdf_fonts, "SubsetResults"):
        pytest.skip("this matplotlib cuts fonts in another way")
    from matplotlib.font_manager import FontProperties, findfont, get_font

    with style_module.house_style():
        file = findfont(FontProperties())
    charmap = get_font(file).get_charmap()
    wanted = {charmap[code] for code in range(0x41, 0x41 + count) if code in charmap}
    results = []
    for within in (contextlib.nullcontext(), shared_work()):
        with within, pdf_fonts.get_glyphs_subset(file, wanted) as subset:
            content = pdf_fonts.font_as_file(subset.font).getvalue()
            results.append((content, subset.glyph_index_map))
    (theirs, their_map), (ours, our_map) = results
    order = sorted(wanted)
    assert outlines(ours, [our_map[gid] for gid in order]) == outlines(
        theirs, [their_map[gid] for gid in order]
    )


def test_matplotlib_is_as_it_was_afterwards():
    from matplotlib import textpath
    from matplotlib.backends import _backend_pdf_ps, backend_agg

    def replaced():
        return (
            textpath.MathTextParser,
            backend_agg.MathTextParser,
            _backend_pdf_ps.get_glyphs_subset,
        )

    before, within = replaced(), []

    def fail():
        within.append(replaced())
        raise RuntimeError

    with pytest.raises(RuntimeError), shared_work():
        fail()
    assert within != [before]
    assert replaced() == before

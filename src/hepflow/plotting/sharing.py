"""Work that matplotlib does anew for every file, done once a process.

The fonts of a PDF are cut down to the letters used, and TeX is set, for each file from the
start: more than half of the time of a figure, though a run's figures share nearly all of it.
Matplotlib has no setting for that, so three of its functions are replaced while figures are
drawn. Where another version does not have them, figures are the same and take longer.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

_FEW = 16  # glyphs up to which a font holds those asked for and no others
# A PDF places each glyph by itself: what a font says of their interplay is of no use there.
_INTERPLAY = frozenset({"GDEF", "GPOS", "GSUB", "kern"})
_LETTERS = range(0x20, 0x7F)  # ASCII, of which figures use other ones each


@contextlib.contextmanager
def shared_work() -> Iterator[None]:
    """Draw and write figures within this; matplotlib's functions are restored afterwards."""
    from matplotlib import textpath
    from matplotlib.backends import _backend_pdf_ps, backend_agg

    with contextlib.ExitStack() as stack:
        for module in (textpath, backend_agg):
            _replace(stack, module, "MathTextParser", _parser)
        if hasattr(_backend_pdf_ps, "SubsetResults"):
            _replace(stack, _backend_pdf_ps, "get_glyphs_subset", _shared_subset)
        yield


def _replace(stack: contextlib.ExitStack, module: Any, name: str, value: Any) -> None:
    original = getattr(module, name, None)
    if original is not None:
        setattr(module, name, value)
        stack.callback(setattr, module, name, original)


def letters() -> tuple[str, str]:
    """What decides on the letters of TeX and is part of neither the text nor its font."""
    import matplotlib as mpl

    settings: dict[Any, Any] = mpl.rcParams
    return settings["mathtext.rm"], settings["mathtext.default"]


def _parser(output: Any) -> Any:
    """One parser for all figures in the same letters: it keeps what it has set."""
    return _parser_of(output, letters())


@functools.cache
def _parser_of(output: Any, _letters_of_tex: tuple[str, str]) -> Any:
    from matplotlib.mathtext import MathTextParser

    return MathTextParser(output)


def _shared_subset(fontfile: Any, glyphs: Any) -> contextlib.AbstractContextManager[Any]:
    """Cut-down font in the shape of matplotlib's, of which `font` and the map are used."""
    wanted = frozenset(glyphs)
    if len(wanted) > _FEW:
        wanted |= _letters(fontfile)
    content, index_map = _subset(fontfile, wanted)
    saved = SimpleNamespace(save=lambda file, **_: file.write(content))
    return contextlib.nullcontext(SimpleNamespace(font=saved, glyph_index_map=index_map))


@functools.cache
def _letters(fontfile: Any) -> frozenset[int]:
    """Glyphs of the ASCII letters that the font has."""
    from matplotlib.font_manager import get_font

    charmap = get_font(fontfile).get_charmap()
    return frozenset(charmap[code] for code in _LETTERS if code in charmap)


@functools.lru_cache(maxsize=64)
def _subset(fontfile: Any, glyphs: frozenset[int]) -> tuple[bytes, dict[int, int]]:
    """Content of the font file with these glyphs, and where they are in it."""
    from fontTools import subset

    options = subset.Options(glyph_names=True, recommended_glyphs=True)
    options.drop_tables += ["FFTM", "PfEd", "BDF", "meta"]
    options.layout_features = []
    options.font_number = fontfile.face_index
    subsetter = subset.Subsetter(options=options)
    subsetter.populate(gids=glyphs)
    file = io.BytesIO()
    with subset.load_font(fontfile, options) as font:
        for name in _INTERPLAY.intersection(font.keys()):
            del font[name]  # before it is read
        subsetter.subset(font)
        font.save(file, reorderTables=False)
    return file.getvalue(), dict(subsetter.glyph_index_map)

"""The page itself: one file, everything in it, text of a user's only as text."""

from __future__ import annotations

import base64
import hashlib
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hepflow.keys import make_key
from hepflow.report import (
    Cell,
    Column,
    Facts,
    Figure,
    Gallery,
    Headline,
    Notice,
    ReportContent,
    Section,
    Table,
    write_report,
)
from hepflow.report.content import Block
from hepflow.report.pictures import smaller
from hepflow.report.write import render
from hepflow.stamps import write_stamp
from tests.unit.report.page import Node, page_of, parsed, section
from tests.unit.report.run_folder import EVIL, make, picture


def content_with(text: str) -> ReportContent:
    """A report that says one text everywhere where text can be."""
    rows = ((Cell(text), Cell(text, text, "warning")),)
    columns = (Column(text, choice=True), Column(text, choice=True, numeric=True))
    tables = [
        Table("t", text, columns, rows, search=True, note=text),
        Table("u", text, columns, rows * 2, folded=True),
    ]
    figure = Figure("f", text, text, b"<svg/>", "image/svg+xml")
    galleries = [Gallery((figure,), text), Gallery((figure,), text, folded=True)]
    blocks: tuple[Block, ...] = (
        *tables,
        *galleries,
        Notice("problem", text),
        Facts(((text, text),), text),
    )
    return ReportContent(
        text, text, (Headline(text, text, text, "good"),), (Notice("note", text),),
        (Section("one", text, blocks, text),),
    )  # fmt: skip


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    folder = make(tmp_path_factory.mktemp("run"))
    page_of(folder)
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(html):
    page = parsed(html)
    sources = [one.attributes["src"] for one in page.every("img") if "src" in one.attributes]
    links = [one.attributes["href"] for tag in ("a", "link") for one in page.every(tag)]
    assert sources
    assert all(one.startswith("data:image/") for one in sources)
    assert all(one.startswith(("#", "data:")) for one in links)
    assert [one.attributes for one in page.every("script")] == [{}]
    assert not re.search(r"@import|url\(|//[a-z]+\.", page.one("style").children[0])


def test_only_our_script_may_run(html):
    page = parsed(html)
    digest = hashlib.sha256(page.one("script").children[0].encode()).digest()
    policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'")


def test_names_of_a_user_stay_text(html):
    assert EVIL not in html
    assert EVIL in section(parsed(html), "cutflows").text


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet="<>&\"'/=script onerror{%}#", min_size=1, max_size=12).map(str.strip))
def test_any_text_is_only_text(text):
    """The tree is the same whatever the text; nothing of it becomes an element or a template."""

    def shape(node):
        inside = [shape(one) for one in node.children if isinstance(one, Node)]
        return [node.tag, sorted(node.attributes), inside]

    page, plain = parsed(render(content_with(f"x{text}"))), parsed(render(content_with("x")))
    assert shape(page) == shape(plain)
    assert page.one("h1").text == " ".join(f"x{text}".split())


def test_every_id_is_there_once_and_every_reference_leads_to_one(html):
    page = parsed(html)
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "aria-controls"):
        assert set(re.findall(rf' {name}="([^"]*)"', html)) <= set(ids)
    anchors = {one.attributes["href"][1:] for one in page.every("a")}
    assert anchors <= set(ids)


def test_every_figure_has_words_and_every_field_a_label(html):
    page = parsed(html).one("main")
    assert all(one.attributes["alt"].endswith(".") for one in page.every("img"))
    assert all(one.one("figcaption").text for one in page.every("figure"))
    fields = len(page.every("input")) + len(page.every("select"))
    inside = sum(len(one.every("input")) + len(one.every("select")) for one in page.every("label"))
    assert 0 < fields == inside


def test_the_same_run_gives_the_same_bytes(tmp_path):
    folder = make(tmp_path)
    path = folder / "report" / "index.html"
    page_of(folder)
    before = path.read_bytes()
    page_of(folder)
    assert path.read_bytes() == before


def test_a_report_is_written_into_a_new_folder(tmp_path):
    path = write_report(content_with("x"), tmp_path / "new" / "page.html")
    assert path == tmp_path / "new" / "page.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_picture_becomes_smaller_and_stays_what_it_is(tmp_path):
    before = picture(tmp_path, "x").read_bytes()
    after, size = smaller(before)
    with Image.open(io.BytesIO(after)) as image:
        pixels = image.convert("RGB")
        assert size == pixels.size == (240, 200)
        assert pixels.getpixel((0, 0)) == (255, 255, 255)
        drawn = pixels.getpixel((100, 170))
    assert max(abs(a - b) for a, b in zip(drawn, (63, 144, 218), strict=True)) <= 8


def test_what_is_transparent_becomes_white():
    buffer = io.BytesIO()
    Image.new("RGBA", (20, 10), (0, 0, 0, 0)).save(buffer, format="PNG")
    with Image.open(io.BytesIO(smaller(buffer.getvalue())[0])) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


def test_an_svg_is_taken_where_there_is_no_png(tmp_path):
    folder = make(tmp_path)
    stamped = folder / "plots" / "SR" / "vector.png"
    picture(stamped.parent, "vector")
    svg = stamped.with_suffix(".svg")
    svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    stamped.unlink()
    write_stamp(svg.parent, make_key("figure", content="v"), [svg], ".vector.key.json")
    sources = [one.attributes["src"] for one in page_of(folder).one("main").every("img")]
    assert sum(one.startswith("data:image/svg+xml;base64,") for one in sources) == 1

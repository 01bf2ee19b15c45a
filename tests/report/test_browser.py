"""The report in a real browser: it looks right, and works with mouse, keyboard and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from hepflow.report import collect, write_report
from tests.unit.report.run_folder import EVIL, make

LOOKS = ("light", "dark")
SIZES = ("desk", "phone")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = make(tmp_path_factory.mktemp("run"))
    return write_report(collect(folder), folder / "report" / "index.html")


def column(page, table: str, position: int) -> list[str]:
    cells = f"table[data-name='{table}'] tbody tr:not([hidden]) > :nth-child({position})"
    return list(page.locator(cells).all_inner_texts())


def press_until(page, wanted: str, limit: int = 60) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut_off_overlaps_or_is_hard_to_read(opened, layout, size, look):
    page = opened(size, look)
    assert page.evaluate(layout) == []
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(layout) == []


@pytest.mark.parametrize(
    ("style", "complaint"),
    [
        ("h2 { margin-bottom: -3rem; }", "overlap"),
        ("h1 { white-space: nowrap; font-size: 90px; }", "the page is"),
        ("dd { color: #ccc; }", "contrast"),
        ("tbody td { display: block; width: 1rem; white-space: nowrap; }", "leaves its box"),
    ],
)
def test_a_page_that_looks_wrong_would_be_noticed(opened, layout, style, complaint):
    page = opened("phone")
    page.evaluate("(text) => document.querySelector('style').append(text)", style)
    assert any(complaint in one for one in page.evaluate(layout))


def test_links_lead_to_sections_with_their_names(opened):
    page = opened()
    links = page.locator("nav a")
    assert links.count() == page.locator("main > section").count()
    for i in range(links.count()):
        links.nth(i).click()
        target = page.locator(page.evaluate("location.hash"))
        assert target.locator("h2").inner_text() == links.nth(i).inner_text()


def test_a_column_sorts_by_its_numbers_up_down_and_back(opened):
    page = opened()
    before = column(page, "parameters", 1)
    button = page.get_by_role("region", name="Parameters").get_by_role("button", name="best fit")
    head = page.locator("table[data-name='parameters'] th", has_text="best fit")
    seen = []
    for _ in range(3):
        button.click()
        seen.append((head.get_attribute("aria-sort"), column(page, "parameters", 1)))
    rising = ["btag", "staterror_SR[0]", "staterror_SR[1]", "mu", "jes"]
    assert seen == [("ascending", rising), ("descending", rising[::-1]), (None, before)]


def test_search_and_menus_show_matching_rows_only(opened):
    page = opened()
    tools = page.locator("[data-tools]", has=page.get_by_label("Severity"))
    everything = column(page, "audit-findings", 2)
    tools.get_by_label("Severity").select_option("warning")
    assert column(page, "audit-findings", 2) == ["large-change", "empty-bin"]
    tools.get_by_label("Search").fill("signal 31")
    assert column(page, "audit-findings", 2) == ["large-change"]
    assert tools.locator("output").inner_text() == "1 of 4 rows"
    tools.get_by_label("Search").fill("nothing like it")
    assert column(page, "audit-findings", 2) == []
    tools.get_by_label("Search").fill("")
    tools.get_by_label("Severity").select_option("all")
    assert column(page, "audit-findings", 2) == everything


def test_a_name_of_a_user_can_be_chosen(opened):
    page = opened()
    tools = page.locator("[data-tools]", has=page.get_by_label("Severity"))
    tools.get_by_label("Sample").select_option(EVIL)
    assert column(page, "audit-findings", 4) == [EVIL]


def test_the_keyboard_does_everything(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") == 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    press_until(page, "table[data-name='configuration-changes'] thead button")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    head = page.locator("table[data-name='configuration-changes'] th").first
    assert head.get_attribute("aria-sort") == "ascending"
    press_until(page, "details.fold > summary")
    page.keyboard.press("Enter")
    assert page.locator("details.fold").first.get_attribute("open") is not None
    press_until(page, "input[type=search]")
    page.keyboard.type("lumi")
    assert column(page, "configuration", 1) == ["general.lumi"]


def test_a_figure_opens_large_and_closes_by_key(opened):
    page = opened()
    button = page.get_by_role("button", name="Enlarge Pulls")
    button.focus()
    page.keyboard.press("Enter")
    large = page.get_by_role("dialog", name="Enlarged figure")
    assert large.is_visible()
    assert large.locator("img").get_attribute("alt") == large.locator("p").inner_text()
    assert large.locator("img").evaluate("(one) => one.naturalWidth") > 0
    page.keyboard.press("Escape")
    assert not large.is_visible()
    assert button.evaluate("(one) => one === document.activeElement")


def test_a_figure_can_be_saved(opened, tmp_path):
    page = opened()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save Pulls").click()
    assert download.value.suggested_filename == "statistics-pulls.png"
    download.value.save_as(tmp_path / "pulls.png")
    assert (tmp_path / "pulls.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("look", LOOKS)
def test_light_and_dark_follow_the_system_until_chosen(opened, layout, look):
    page = opened("desk", look)
    dark = "getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)'"
    assert page.evaluate(dark) is (look == "dark")
    page.locator("#theme").click()
    assert page.evaluate(dark) is (look == "light")
    page.reload()
    assert page.evaluate(dark) is (look == "light")
    sheet = page.locator(".sheet").first.evaluate("(one) => getComputedStyle(one).backgroundColor")
    assert sheet == "rgb(255, 255, 255)"
    assert page.evaluate(layout) == []


def test_on_a_phone_the_list_of_sections_is_folded(opened):
    page = opened("phone")
    link = page.locator("nav a").last
    assert not link.is_visible()
    page.locator("nav summary").click()
    link.click()
    assert not link.is_visible()
    assert page.evaluate("location.hash") == "#software"


def test_on_paper_everything_is_open_and_nothing_is_to_press(opened):
    page = opened("desk", "dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.fold:not([open])").count() == 0
    assert page.locator("nav, .tools, .buttons, #theme").locator("visible=true").count() == 0
    white = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert white == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.fold[open]").count() == 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_without_scripts_everything_can_be_read(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("nav a").first.is_visible()
    assert page.locator("table[data-name='parameters']").is_visible()
    assert page.locator("button, .tools").locator("visible=true").count() == 0
    context.close()

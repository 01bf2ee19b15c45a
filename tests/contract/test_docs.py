"""The documentation says what the code does."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import sys
from pathlib import Path
from unittest import mock

import pytest

from hepflow.cli import main
from hepflow.cli.app import COMMANDS
from hepflow.schema import Config
from tests.pipeline.projects import Here, write_project

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])


def module(name: str):
    """One of the scripts that write the generated pages."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    # A dataclass looks for its module while it is made.
    with mock.patch.dict(sys.modules, {name: loaded}):
        spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    ("script", "function", "page"),
    [
        ("generate_reference", "reference", "configuration"),
        ("reference_commands", "page", "commands"),
        ("reference_files", "page", "files"),
        ("reference_errors", "page", "errors"),
    ],
)
def test_the_generated_pages_are_up_to_date(script, function, page):
    written = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert written == getattr(module(script), function)(), "run `make docs`"


def test_the_reference_names_every_section():
    page = module("generate_reference").reference()
    assert [name for name in Config.model_fields if f"\n## {name}\n" not in page] == []


def test_the_reference_names_every_command_and_option(capsys):
    page = module("reference_commands").page()
    for name in COMMANDS:
        assert f"\n## hepflow {name}\n" in page
        with pytest.raises(SystemExit):
            main([name, "--help"])
        for option in re.findall(r"^  (--[a-z]+)", capsys.readouterr().out, re.MULTILINE):
            assert f"`{option}" in page.partition(f"## hepflow {name}")[2].partition("\n## ")[0]


def test_the_index_leads_to_every_page():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("http") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_that_are_named_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z]+)\b(?=`|\s+#|$)", page.read_text(), re.MULTILINE):
        assert f"\n{target}:" in makefile, target


def test_python_examples_of_the_pages_compile():
    for page in PAGES:
        for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            compile(code, str(page), "exec")


# -- what a run leaves -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    """The table behind the page of files."""
    return module("reference_files")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Output folder of a run, and what it told as JSON."""
    here = Here(write_project(tmp_path), monkeypatch, capsys)
    words = ("--json=told.json", "--plotting.enabled=true", "--plotting.formats=png")
    status, told = here.run(*words, statistics=True)
    assert status == 0, told
    return tmp_path / "out", json.loads((tmp_path / "told.json").read_text())


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it
def test_the_page_of_files_lists_what_a_run_leaves(run, table):
    folder, told = run
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    hidden = {name for name in there if re.search(r"/\.[a-z_A-Z0-9]+\.key\.json$", name)}
    listed = {re.sub(r"<\w+>", "*", one.path): one for one in table.FILES}
    known = {path: fnmatch.filter(there, path) for path in listed}
    assert there - hidden - {name for found in known.values() for name in found} == set()
    assert [path for path, one in listed.items() if one.always and not known[path]] == []
    for path, one in listed.items():
        for name in known[path] if one.keys else ():
            content = json.loads((folder / name).read_text())
            if one.below and not content:
                continue  # nothing was found
            for _ in one.below:
                content = content[0] if isinstance(content, list) else next(iter(content.values()))
            assert set(content) == set(one.keys), name
    assert set(told) == set(table.OUTCOME)


# -- examples --------------------------------------------------------------------------------

SMALLEST = {
    "general": {"lumi": 1.0, "analysis": "skip"},
    "datasets": {"datasets": [{"name": "ttbar", "files": ["x.root"], "cross_section": 1.0}]},
    "preprocess": {
        "branches": {
            "event": ["scalar_sum"],
            "Muon": ["pt", "eta", "mass"],
            "Jet": ["pt", "eta", "mass"],
        },
        "mc_branches": {"Pileup": ["nTrueInt"], "Jet": ["hadronFlavour"]},
    },
}


def examples(page: str) -> list[str]:
    text = (DOCS / "explanation" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", ["systematics", "normalisation", "theory_weights", "model"])
def test_examples_of_the_explanation_are_valid(page):
    found = examples(page)
    assert found
    for code in found:
        names: dict = {}
        exec(compile(code, page, "exec"), names)  # noqa: S102 - our own page
        datasets = names.get("datasets", SMALLEST["datasets"]["datasets"])
        years = sorted({one["year"] for one in datasets if isinstance(one.get("year"), str)})
        lumi = dict.fromkeys(years, 1.0) if years else 1.0
        config = {
            **SMALLEST,
            "general": {**SMALLEST["general"], "lumi": lumi, **names.get("general", {})},
            "datasets": {"datasets": datasets},
        }
        sections = ("corrections", "systematics", "statistics")
        parts = {name: names[name] for name in sections if name in names}
        Config(**config, **parts)
        assert parts or "datasets" in names

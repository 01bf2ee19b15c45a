"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate_reference.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_configuration_reference_is_up_to_date():
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert page == generator().reference(), "run `make docs`"


def test_the_reference_names_every_section():
    from hepflow.schema import Config

    page = generator().reference()
    assert [name for name in Config.model_fields if f"\n## {name}\n" not in page] == []


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

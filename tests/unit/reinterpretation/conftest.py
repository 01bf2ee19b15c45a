"""A finished run that is made once, and bundles of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hepflow.reinterpretation.bundle import preserve
from tests.unit.reinterpretation import preserved


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Path:
    """A project with a finished run in ``out``. Not to be changed: copy it."""
    folder = preserved.write(tmp_path_factory.mktemp("study"))
    hidden = f'datasets.datasets[2].files=["root://me:{preserved.SECRET}@host//b.root"]'
    preserved.finish(folder, hidden)
    return folder


@pytest.fixture(scope="session")
def study_bundle(study, tmp_path_factory) -> Path:
    """The run as a bundle in a folder. Not to be changed: copy it."""
    with preserved.at_home(study):
        return preserve(study / "out", tmp_path_factory.mktemp("bundle") / "study", name="Study")

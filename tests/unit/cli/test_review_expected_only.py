"""``--expected-only``: nothing of the observed events is told, by the audit either."""

from __future__ import annotations

import json

import pytest

from hepflow.cli import main
from tests.unit.statistics.models import counting

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def outcome(folder, monkeypatch, capsys, observed, words):
    """Exit status, JSON and text of a command on two bins, the second without background."""
    content = counting(3.0, 10.0, 12.0)
    for sample, second in zip(content["channels"][0]["samples"], (3.0, 0.0), strict=True):
        sample["data"] = [*sample["data"], second]
    content["observations"][0]["data"] = observed
    (folder / "model.json").write_text(json.dumps(content))
    monkeypatch.chdir(folder)
    status = main([*words.split(), "--json", "answer.json", "--no-plots"])
    shown = capsys.readouterr()
    return status, json.loads((folder / "answer.json").read_text()), shown.out + shown.err


@pytest.mark.parametrize("command", ["fit", "limit", "ranking", "scan"])
def test_nothing_depends_on_the_data(tmp_path, monkeypatch, capsys, command):
    words = f"{command} model.json --expected-only"
    few = outcome(tmp_path, monkeypatch, capsys, [12.0, 0.0], words)
    many = outcome(tmp_path, monkeypatch, capsys, [177.0, 171.0], words)
    assert few == many


def test_the_audit_looks_at_data_otherwise(tmp_path, monkeypatch, capsys):
    words = "limit model.json --ignore-audit"
    _, found, _ = outcome(tmp_path, monkeypatch, capsys, [12.0, 17.0], words)
    assert "data-without-background" in {one["code"] for one in found["audit"]}

"""``hepflow report``: the page again from what is stored."""

from __future__ import annotations

import json

import pytest

from hepflow.cli.endings import Guard
from hepflow.cli.report import main
from hepflow.errors import InputError
from tests.unit.report.run_folder import make


def report(*words):
    return main(list(words), Guard(debug=False), "hepflow report")


def test_it_makes_the_report_of_the_usual_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "outputs")
    assert report() == 0
    assert (tmp_path / "outputs" / "report" / "index.html").is_file()
    assert "outputs/report/index.html" in capsys.readouterr().out


def test_it_writes_where_it_is_told_and_says_so_as_json(tmp_path, capsys):
    folder, page = make(tmp_path / "out"), tmp_path / "page.html"
    assert report(str(folder), "--output", str(page), "--json", "-") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["report"] == str(page)
    assert said["size"] == page.stat().st_size
    assert "fit" in said["sections"]
    (problem,) = said["problems"]
    assert problem.startswith("The audit of the templates found 1 error")
    assert not (folder / "report" / "index.html").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        report(str(tmp_path / "none"))

"""Submissions to HEPData: what the tables say, and that the validator accepts them."""

from __future__ import annotations

import io
import json
import math
import sys
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hepflow.cli import main
from hepflow.errors import InputError, StorageError
from hepflow.reinterpretation.publishing import (
    Licence,
    Point,
    Record,
    read_material,
    submission,
    write_submission,
)
from hepflow.reinterpretation.publishing.archives import write_archive
from hepflow.reinterpretation.publishing.fit_tables import MOST, fit_tables
from hepflow.reinterpretation.publishing.tables import (
    cutflow_tables,
    limit_tables,
    split_label,
    yield_tables,
)
from hepflow.storage import write_json
from tests.unit.reinterpretation import published

pytestmark = [
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:hepdata_validator"),
]


@pytest.fixture(scope="module", autouse=True)
def _libraries():
    pytest.importorskip("hepdata_lib")
    pytest.importorskip("hepdata_validator")


def material(tmp_path, name="run", values=(), **how):
    return read_material(Point(name, values, published.run_folder(tmp_path / name, **how)))


def by_name(folder):
    """Documents of a submission by the name of the table, and their data."""
    head, *tables = yaml.safe_load_all((folder / "submission.yaml").read_text())
    data = {one["name"]: yaml.safe_load((folder / one["data_file"]).read_text()) for one in tables}
    return head, {one["name"]: one for one in tables}, data


def column(data, name):
    (found,) = (one for one in data["dependent_variables"] if one["header"]["name"] == name)
    return found


def test_the_whole_of_a_run_by_the_command(tmp_path, capsys):
    run = published.run_folder(tmp_path / "run", picture=True)
    output, summary = tmp_path / "sub", tmp_path / "out.json"
    words = ["publish", "hepdata", str(run), "--output", str(output), "--json", str(summary)]
    more = ["--reaction", "P P --> TOP TOPBAR", "--phrase", "Search", "--licence", "CC-BY-4.0"]
    assert main([*words, *more, "--abstract", "A search."]) == 0
    told = capsys.readouterr().out
    assert "accepted by the validator" in told
    assert "limit_scan.png cannot be read" in told
    head, tables, data = by_name(output)
    assert head["data_license"]["url"] == "https://creativecommons.org/licenses/by/4.0/"
    assert head["comment"].startswith("A search. Numbers are rounded to 6 significant digits")
    resources = {one["location"]: one for one in head["additional_resources"]}
    assert resources["likelihood.tar.gz"]["type"] == "HistFactory"
    assert json.loads((output / "fit.json").read_text()) == published.FIT.to_json()
    with tarfile.open(output / "likelihood.tar.gz") as archive:
        assert archive.getnames() == ["workspace.json"]
    assert list(tables) == json.loads(summary.read_text())["tables"]
    assert len(tables) == 9
    (table,) = (one for name, one in tables.items() if name == "Yields in SR after the fit")
    keywords = {one["name"]: one["values"] for one in table["keywords"]}
    assert keywords == {
        "reactions": ["P P --> TOP TOPBAR"],
        "observables": ["N"],
        "cmenergies": [13000],
        "phrases": ["Search"],
    }
    assert (output / "thumb_yields_in_sr_after_the_fit.png").is_file()
    total = column(data["Yields in SR after the fit"], "Total")
    assert total["qualifiers"] == [
        {"name": "SQRT(S)", "value": 13000, "units": "GeV"},
        {"name": "LUMINOSITY", "value": 16.4, "units": "fb$^{-1}$"},
        {"name": "Region", "value": "SR"},
    ]
    axis = data["Yields in SR after the fit"]["independent_variables"][0]
    assert axis["header"] == {"name": "$m(tt)$", "units": "GeV"}
    assert axis["values"][1] == {"low": 400.0, "high": 700.0}
    assert total["values"][0] == {
        "value": 53.2346,  # of 53.23456789
        "errors": [{"symerror": 5.0, "label": "total"}],
    }
    assert "errors" not in total["values"][2]


def test_twice_is_the_same_and_archives_hold_the_same(tmp_path):
    one = material(tmp_path)
    for name in ("folder", "a.tar.gz", "b.tar.gz", "a.zip", "b.zip"):
        write_submission([one], tmp_path / name)
    files = {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "a.tar.gz").read_bytes())) as archive:
        assert sorted(archive.getnames()) == sorted(files)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    for kind in ("tar.gz", "zip"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    write_submission([one], tmp_path / "folder", record=Record(energy=13.6, luminosity=5000.0))
    _, _, data = by_name(tmp_path / "folder")
    qualifiers = column(data["Upper limits on mu"], "Expected limit")["qualifiers"]
    assert [one["value"] for one in qualifiers[:2]] == [13600, 5]
    assert not list(tmp_path.glob(".*"))


def test_limits_against_mass(tmp_path, capsys):
    runs = [
        published.run_folder(tmp_path / f"z_{mass}", scale=mass / 1000) for mass in (2000, 1000)
    ]
    output = tmp_path / "sub"
    words = ["publish", "hepdata", *map(str, runs), "--axis", "m(Z') [GeV]"]
    own = [one / "statistics" / "workspace.json" for one in runs]
    assert main([*words, "--output", str(output), "--likelihood", str(own[0])]) == 0
    _, tables, data = by_name(output)
    limits = data["Upper limits on mu"]
    (mass,) = limits["independent_variables"]
    assert mass == {
        "header": {"name": "m(Z')", "units": "GeV"},
        "values": [{"value": 1000}, {"value": 2000}],
    }
    assert [one["value"] for one in column(limits, "Observed limit")["values"]] == [0.6125, 1.225]
    first = column(limits, "Expected limit")["values"][0]
    low, down, median, up, high = published.EXPECTED
    assert first["value"] == pytest.approx(median, rel=1e-5)
    errors = {one["label"]: one["asymerror"] for one in first["errors"]}
    for label, (minus, plus) in {"1 sigma": (down, up), "2 sigma": (low, high)}.items():
        assert errors[label]["minus"] == pytest.approx(minus - median, rel=1e-5)
        assert errors[label]["plus"] == pytest.approx(plus - median, rel=1e-5)
    assert "Yields in SR after the fit - z_1000" in tables
    total = column(data["Yields in SR after the fit - z_1000"], "Total")
    assert {"name": "Signal point", "value": "z_1000"} in total["qualifiers"]
    assert (output / "fit_z_1000.json").is_file()
    with tarfile.open(output / "likelihood.tar.gz") as archive:
        assert archive.getnames() == ["workspace.json"]
    assert main(["publish", "hepdata", *map(str, runs), "--output", str(tmp_path / "each")]) == 0
    with tarfile.open(tmp_path / "each" / "likelihood.tar.gz") as archive:
        assert archive.getnames() == ["z_1000/workspace.json", "z_2000/workspace.json"]
    same = [*words, "--output", str(tmp_path / "x")]
    for path in own:
        same += ["--likelihood", str(path)]
    assert main(same) == 2
    assert "have the same name" in capsys.readouterr().err


def test_a_bundle_is_verified_and_published(tmp_path):
    bundle = published.bundle(tmp_path / "bundle", {"patches": [], "metadata": {}})
    packed = tmp_path / "no.zip"
    packed.write_bytes(published.zipped({"a.txt": b"x"}))
    output = tmp_path / "sub"
    assert main(["publish", "hepdata", str(bundle), "--output", str(output)]) == 0
    with tarfile.open(output / "likelihood.tar.gz") as archive:
        assert archive.getnames() == ["background.json", "signal.patchset.json"]
    _, _, data = by_name(output)
    assert "Cutflow in SR" in data
    assert main(["publish", "hepdata", str(packed), "--output", str(output)]) == 2


def test_nothing_observed_is_published_of_asimov_data(tmp_path):
    blind, seen = (material(tmp_path, f"r{b}", expected_only=b) for b in (True, False))
    for one, shown in ((blind, False), (seen, True)):
        tables = [*yield_tables(one), *limit_tables([one], ()), *cutflow_tables(one)]
        names = {column.name for table in tables for column in table.dependent}
        assert names >= {"Total", "Expected limit", "tt"}
        assert ({"Data", "Observed limit", "data"} <= names) is shown
        assert shown or not {"Data", "Observed limit", "data"} & names
    assert any("nominal expectation" in text for text in blind.left_out)
    mixed = limit_tables([blind, seen], ())
    assert next(mixed).dependent[0].values == ["-", 0.6125]


def test_cutflow_has_statistical_uncertainties_of_simulation(tmp_path):
    (table,) = cutflow_tables(material(tmp_path))
    data, simulation = table.dependent
    assert table.independent[0].values == ["all", "2 jets"]
    assert data.values == [9.0, "-"]
    assert data.errors == ()
    assert simulation.values == [20.5, 5.5]
    assert simulation.errors[0].values == [4.0, 2.0]


def test_matrices_of_what_the_fit_moved(tmp_path):
    parameters, correlation, covariance = fit_tables(material(tmp_path))
    assert parameters.independent[0].values == list(published.FIT.labels)
    first, second = (one.values for one in correlation.independent)
    assert list(zip(first, second, strict=True)) == [
        ("mu", "mu"), ("mu", "lumi"), ("lumi", "mu"), ("lumi", "lumi"),
    ]  # fmt: skip
    assert correlation.dependent[0].values == [1.0, -0.25, -0.25, 1.0]
    expected = [0.25**2, -0.25 * 0.25 * 0.9, -0.25 * 0.25 * 0.9, 0.9**2]
    np.testing.assert_allclose(covariance.dependent[0].values, expected, rtol=1e-14)


def test_matrices_of_many_parameters_have_no_single_bins(tmp_path):
    one = material(tmp_path)
    number = MOST + 2
    labels = ("mu", "lumi", *(f"staterror_SR[{n}]" for n in range(number - 2)))
    ones = np.ones(number)
    fit = replace(
        published.FIT, labels=labels, bestfit=ones, uncertainty=ones, correlation=np.eye(number)
    )
    _, correlation, _ = fit_tables(replace(one, fit=fit))
    assert set(correlation.independent[0].values) == {"mu", "lumi"}
    assert "fit.json has all" in correlation.description
    plain = replace(fit, labels=tuple(f"p{n}" for n in range(number)))
    assert len(list(fit_tables(replace(one, fit=plain)))) == 1
    assert list(fit_tables(replace(one, fit=replace(fit, converged=False)))) == []


def test_values_that_are_none_and_names_that_collide(tmp_path):
    one = material(tmp_path)
    channel = one.predictions[0].channels[0]
    values = np.array([math.nan, 1.0, 2.0])
    strange = replace(channel, uncertainty=values, samples={"x": values})
    long = "a/b" * 30
    channels = (replace(strange, name=long), replace(channel, name=long.upper()))
    again = replace(one, predictions=(replace(one.predictions[0], channels=channels),), cutflows={})
    written = write_submission([again], tmp_path / "sub")
    assert len({name.lower() for name in written.tables}) == len(written.tables)
    assert all(len(name) <= 64 for name in written.tables)
    _, _, data = by_name(tmp_path / "sub")
    found = next(d for name, d in data.items() if name.startswith("Yields in a_b"))
    assert column(found, "x")["values"][0] == {"value": "-"}


def test_a_limit_alone_is_enough_and_the_rest_is_told(tmp_path):
    write_json(tmp_path / "point" / "limit.json", published.limit().to_json())
    one = read_material(Point("point", (), tmp_path / "point"))
    written = write_submission([one], tmp_path / "sub")
    assert written.tables == ("Upper limits on mu",)
    assert [text.split(": ")[1] for text in written.notices] == [
        "no fit.json", "no prediction.json", "no cutflow.json",
    ]  # fmt: skip
    bad = replace(published.FIT, converged=False)
    write_json(tmp_path / "point" / "fit.json", bad.to_json())
    again = read_material(Point("point", (), tmp_path / "point"))
    assert any("did not converge" in text for text in again.left_out)
    write_json(tmp_path / "point" / "limit.json", {"poi": "mu"})
    with pytest.raises(StorageError, match="not what hepflow writes"):
        read_material(Point("point", (), tmp_path / "point"))


def test_folders_with_nothing_to_publish(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        read_material(Point("a", (), tmp_path / "none"))
    with pytest.raises(InputError, match="nothing to publish"):
        read_material(Point("a", (), tmp_path))


def test_what_the_validator_refuses_is_told_and_not_kept(tmp_path, monkeypatch):
    def write(picture, folder, name):
        (folder / "stray.png").write_bytes(b"")
        return ""

    monkeypatch.setattr(submission, "write_picture", write)
    one = material(tmp_path, picture=True)
    with pytest.raises(InputError, match="HEPData would refuse") as error:
        write_submission([one], tmp_path / "sub")
    assert "  stray.png: stray.png is not referenced" in str(error.value)
    assert "Missing 'additional_resources' file 'fit_parameters.png'" in str(error.value)
    assert str(tmp_path) not in str(error.value)
    assert not (tmp_path / "sub").exists()


def test_nothing_of_others_is_replaced(tmp_path):
    one = material(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="no earlier submission"):
        write_submission([one], tmp_path / "sub")
    with pytest.raises(InputError, match=r"\.tar\.gz or \.zip"):
        write_archive(tmp_path / "x.rar", {})


def test_without_the_libraries_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hepdata_lib", None)
    with pytest.raises(InputError, match=r"pip install 'hepflow\[publish\]'"):
        write_submission([material(tmp_path)], tmp_path / "sub")


def test_licences():
    assert Licence.read("CC0") == Licence()
    assert Licence.read("Own=https://example.org/l") == Licence("Own", "https://example.org/l")
    for text in ("CC-BY-4", "Own=ftp://x", "=https://x"):
        with pytest.raises(InputError, match="is not known"):
            Licence.read(text)


@pytest.mark.parametrize("value", [0.0, -13.0, math.nan, math.inf])
def test_energies_that_are_none(value):
    with pytest.raises(InputError, match="positive number"):
        Record(energy=value)


def test_labels_and_units():
    assert split_label("$p_T$ [GeV]") == ("$p_T$", "GeV")
    assert split_label("number of jets") == ("number of jets", "")
    assert split_label("m [TeV]") == ("m", "TeV")

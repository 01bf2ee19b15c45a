import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from matplotlib.text import Text

from hepflow.errors import InputError, UnsafeContent
from hepflow.plotting import (
    draw_all,
    draw_fit,
    draw_scan,
    draw_tasks,
    fit_tasks,
    histogram_tasks,
    save_figure,
    write_figure,
)
from hepflow.plotting.run import make_figure
from tests.figures.example import Folders, fit, histograms, limit, prediction, spec

SIGNATURES = {".pdf": b"%PDF", ".png": b"\x89PNG"}


def test_each_observable_is_written_in_both_formats(tmp_path):
    paths = draw_all(histograms(), spec(), Folders(tmp_path), remarks=["99.2 % of data"])
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "plots/SR/m_tt.pdf",
        "plots/SR/m_tt.png",
    ]
    for path in paths:
        assert path.read_bytes().startswith(SIGNATURES[path.suffix])
    assert sorted(tmp_path.rglob("*.tmp")) == []


def test_every_kind_of_figure_says_what_its_input_lacks(tmp_path):
    folders, said = Folders(tmp_path), ["99.2 % of simulation", "without wjets"]
    tasks = histogram_tasks(histograms(), spec(), folders, remarks=said) + fit_tasks(
        spec(),
        folders,
        fit=fit(),
        predictions=[prediction("prefit"), prediction("postfit")],
        limit=limit(),
        remarks=said,
    )
    assert [task.name for task in tasks] == [
        "m_tt", "prefit_SR", "postfit_SR", "pulls", "correlation", "limit_scan"
    ]  # fmt: skip
    for task in tasks:
        texts = {text.get_text() for text in make_figure(task).findobj(Text)}
        assert set(said) <= texts, task.name


def test_remarks_stay_with_the_files(tmp_path):
    from PIL import Image

    wanted = spec(formats=("pdf", "png", "svg"), dpi=50)
    pdf, png, svg = draw_all(histograms(), wanted, Folders(tmp_path), remarks=["99.2 % of data"])
    with Image.open(png) as image:
        image.load()
        assert image.text == {"Description": "99.2 % of data"}
    assert b"/Keywords (99.2 % of data)" in pdf.read_bytes()
    assert "<rdf:li>99.2 % of data</rdf:li>" in svg.read_text()
    pdf, png, svg = draw_all(histograms(), wanted, Folders(tmp_path / "complete"))
    with Image.open(png) as image:
        image.load()
        assert image.text == {}
    assert b"/Keywords" not in pdf.read_bytes()
    assert "<rdf:li>" not in svg.read_text()


def test_figures_of_the_fit(tmp_path):
    paths = draw_fit(
        spec(formats=("png",), dpi=50),
        Folders(tmp_path),
        fit=fit(),
        predictions=[prediction("prefit"), prediction("postfit")],
        limit=limit(),
    )
    assert [path.relative_to(tmp_path / "plots/statistics").as_posix() for path in paths] == [
        "prefit_SR.png",
        "postfit_SR.png",
        "pulls.png",
        "correlation.png",
        "limit_scan.png",
    ]


def test_a_failed_fit_is_not_drawn_as_a_result(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        paths = draw_fit(
            spec(formats=("png",), dpi=50),
            Folders(tmp_path),
            fit=fit(converged=False),
            predictions=[prediction("prefit"), prediction("postfit")],
            limit=limit(scan=False),
        )
    assert [path.name for path in paths] == ["prefit_SR.png"]
    assert "did not converge" in caplog.text


def test_the_same_figure_has_the_same_bytes(tmp_path):
    task = histogram_tasks(histograms(), spec(formats=("pdf", "png", "svg")), Folders(tmp_path))[0]
    first = [path.read_bytes() for path in write_figure(task)]
    second = [path.read_bytes() for path in write_figure(replace(task, folder=tmp_path / "again"))]
    assert first == second


def test_tasks_travel_and_keep_the_order(tmp_path):
    tasks = histogram_tasks(histograms(), spec(formats=("png",), dpi=50), Folders(tmp_path))
    tasks += [replace(tasks[0], name="second")]
    copies = pickle.loads(pickle.dumps(tasks))
    # one thread: matplotlib's settings belong to the process
    with ThreadPoolExecutor(1) as pool:
        assert [path.stem for path in draw_tasks(copies, pool.map)] == ["m_tt", "second"]


def test_pyplot_and_the_settings_are_left_alone(tmp_path):
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    before = dict(mpl.rcParams)
    draw_all(histograms(), spec(formats=("png",), dpi=50), Folders(tmp_path))
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


def test_broken_tex_is_a_clear_error(tmp_path):
    look = spec(labels={"ttbar": r"$\mathrm{t\bar{t}$"})
    with pytest.raises(InputError, match=r"'m_tt' has a text that is not valid TeX") as caught:
        draw_all(histograms(), look, Folders(tmp_path))
    assert "process_labels" in str(caught.value)
    with pytest.raises(InputError, match="valid TeX"):
        draw_fit(spec(), Folders(tmp_path), limit=replace(limit(), poi=r"$\frac{1$"))


def test_names_and_formats_are_checked(tmp_path):
    figure = draw_scan(limit(), spec())
    with pytest.raises(InputError, match=r"unknown format 'gif'. Use pdf, png, svg"):
        save_figure(figure, tmp_path, "scan", ["gif"])
    with pytest.raises(UnsafeContent):
        save_figure(figure, tmp_path, "../scan", ["png"])

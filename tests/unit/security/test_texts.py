"""YAML and JSON of others: plain values, each key once, and no more of them than were written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from hepflow.corrections.files import evaluate, open_correction
from hepflow.errors import CorrectionError, InputError, StorageError, WorkspaceError
from hepflow.importers import from_cabinetry
from hepflow.lumi_mask import load_certified
from hepflow.storage import parse_json, read_json, read_yaml
from tests.builders import binning, correction_node, scale_node

from .confined import confined

# -- YAML --------------------------------------------------------------------------------

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)
BAD_YAML = {
    "call": "a: !!python/object/apply:os.system ['touch mark']",
    "module": "a: !!python/module:os",
    "name": "a: !!python/name:eval",
    "object": "a: !!python/object/new:type {}",
    "other tag": "a: !mine 3",
    "laughs": LAUGHS,
    "cycle": "a: &a [*a]",
    "deep": "a: " + "[" * 1_500 + "]" * 1_500,
    "deep blocks": "\n".join(" " * i + "a:" for i in range(1_500)),
    "merges": "a0: &a0 {x: 1}\n"
    + "".join(f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)),
    "repeated": "a: 1\nb: 2\na: 3",
    "repeated inside": "a: {b: 1, b: 2}",
    "undefined": "a: *nothing",
    "two": "a: 1\n---\nb: 2",
    "no text": "a: \x00",
    "large number": "a: " + "9" * 10_000,
    "list as key": "? [1, 2]\n: 3",
    "cut": "a: [1, 2",
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_yaml_that_is_not_plain_values(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(BAD_YAML[name])
    with (
        confined(),
        pytest.raises(StorageError, match=r"x\.yaml is not a YAML file of plain values"),
    ):
        read_yaml(tmp_path / "x.yaml")
    with confined(), pytest.raises(WorkspaceError, match=r"x\.yaml"):
        from_cabinetry(tmp_path / "x.yaml", luminosity=1.0)
    assert not (tmp_path / "mark").exists()


def test_yaml_with_anchors_is_read(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "a: &a {x: 1, y: [1, 2]}\nb: *a\nc: {<<: *a, x: 3}\nd: 1.5e3\n"
    )
    found = read_yaml(tmp_path / "x.yaml")
    assert found["b"] == found["a"] == {"x": 1, "y": [1, 2]}
    assert found["c"] == {"x": 3, "y": [1, 2]}
    (tmp_path / "x.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "x.yaml") is None


def test_huge_yaml(tmp_path, monkeypatch):
    monkeypatch.setattr("hepflow.storage.yamlfile.MAX_BYTES", 1000)
    (tmp_path / "x.yaml").write_text("a: " + "x" * 2000)
    with pytest.raises(StorageError, match="has 2003 bytes"):
        read_yaml(tmp_path / "x.yaml")


# -- JSON --------------------------------------------------------------------------------

BAD_JSON = {
    "nan": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "deep list": "[" * 200_000 + "]" * 200_000,
    "deep mapping": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "large number": '{"a": ' + "9" * 100_000 + "}",
    "repeated": '{"a": 1, "b": 2, "a": 3}',
    "repeated inside": '{"a": [{"b": 1, "b": 1}]}',
    "many repeated": "{" + ", ".join(f'"{i}": 1' for i in range(50_000)) + ', "49999": 2}',
    "cut": '{"a": 1',
    "more": "{} {}",
    "empty": "",
    "no text": "\ud800",
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_json_that_is_none(tmp_path, name):
    path = tmp_path / "x.json"
    path.write_bytes(BAD_JSON[name].encode("utf-8", errors="surrogatepass"))
    with confined(), pytest.raises(StorageError, match=r"x\.json is not valid JSON.*the step"):
        read_json(path, "the step")


def test_large_numbers_within_bounds_are_kept():
    assert parse_json('{"a": 18446744073709551616, "b": 1e308}') == {"a": 2**64, "b": 1e308}


# -- certified runs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *BAD_JSON.values(),
        '{"1": [[1, 2]], "1": [[3, 4]]}',
        '{"1": [[2, 1]]}',
        '{"1": [[-1, 1]]}',
        '{"1": [[1, 1e300]]}',
        '{"1": [[1, 2.5]]}',
        '{"1": [[1, 100000000000000000000]]}',
        '{"1": [[1, true]]}',
        '{"1": [[1, 2, 3]]}',
        '{"1": [[]]}',
        '{"1": [1, 2]}',
        '{"1": {"1": 2}}',
        '{"1": "12"}',
        '{"1": null}',
        '{"run": [[1, 2]]}',
        "[[1, 2]]",
        "3",
        "null",
    ],
)
def test_certified_runs_that_are_none(tmp_path, text):
    path = tmp_path / "certified.json"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with (
        confined(),
        pytest.raises(InputError, match=r"certified\.json: not a list of certified runs"),
    ):
        load_certified(str(path), text[:50])


# -- corrections -------------------------------------------------------------------------


def correction(path: Path, data: object, **inputs: str) -> str:
    """Write a file of one correction."""
    node = correction_node("c", inputs or {"x": "real"}, data)
    path.write_text(json.dumps({"schema_version": 2, "corrections": [node]}))
    return str(path)


def formula(text: str) -> dict[str, object]:
    return {"nodetype": "formula", "expression": text, "parser": "TFormula", "variables": ["x"]}


BAD_CONTENT = {
    "deep formula": formula("(" * 2_000 + "x" + ")" * 2_000),
    "deeper formula": formula("(" * 20_000 + "x" + ")" * 20_000),  # would end the program
    "long formula": formula("+".join(["x"] * 20_000)),
    "code in a formula": formula("__import__('os').system('true')"),
    "no parameter": formula("[99999999]*x"),
    "no formula": {"nodetype": "formularef", "index": 99_999_999, "parameters": []},
    "no bin": binning("x", [1.0], [], "clamp"),
    "no edge": binning("x", [], [], "clamp"),
    "nan": binning("x", [0.0, float("nan"), 2.0], [1.0, 2.0], "clamp"),
    "not rising": binning("x", [0.0, 3.0, 2.0], [1.0, 2.0], "clamp"),
    "other length": binning("x", [0.0, 1.0], [1.0] * 5, "clamp"),
    "absurd bins": binning("x", [], [1.0], "clamp")
    | {"edges": {"n": 2**31 - 1, "low": 0.0, "high": 1.0}},
    "negative bins": binning("x", [], [1.0], "clamp")
    | {"edges": {"n": -1, "low": 0.0, "high": 1.0}},
    "other input": binning("z", [0, 1], [1.0], "clamp"),
    "no node": {"nodetype": "nothing"},
    "nothing": None,
}


@pytest.mark.parametrize("name", BAD_CONTENT)
def test_corrections_that_make_no_sense(tmp_path, name):
    file = correction(tmp_path / "c.json", BAD_CONTENT[name])
    with confined(), pytest.raises(CorrectionError, match=r"c\.json: not a correctionlib file"):
        open_correction(file, "c", name)


@pytest.mark.parametrize("name", [name for name in BAD_JSON if name not in {"nan", "infinity"}])
def test_correction_files_that_are_none(tmp_path, name):
    for suffix, pack in ((".json", bytes), (".json.gz", gzip.compress)):
        path = tmp_path / f"c{suffix}"
        path.write_bytes(pack(BAD_JSON[name].encode("utf-8", errors="surrogatepass")))
        with (
            confined(),
            pytest.raises(CorrectionError, match=r"c\.json(\.gz)?: not a correctionlib"),
        ):
            open_correction(str(path), "c", name)


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '{"corrections": 5}',
        '{"corrections": [5]}',
        '{"corrections": {"name": "c"}}',
        '{"schema_version": 2, "corrections": [{"name": "c"}]}',
        '{"schema_version": 99, "corrections": [{"name": "c", "inputs": [], "data": 1.0}]}',
        '{"schema_version": 2, "corrections": [{"name": ["c"]}]}',
    ],
)
def test_corrections_of_another_shape(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with confined(), pytest.raises(CorrectionError, match=r"c\.json"):
        open_correction(str(tmp_path / "c.json"), "c", text)


def test_a_compressed_bomb_a_cut_and_a_damaged_file(tmp_path, monkeypatch):
    monkeypatch.setattr("hepflow.corrections.files._LARGEST", 1 << 24)
    path = tmp_path / "c.json.gz"
    path.write_bytes(gzip.compress(b" " * (1 << 28)))
    assert path.stat().st_size < 1 << 19
    with confined(1 << 27), pytest.raises(CorrectionError, match="holds more than 16 MiB"):
        open_correction(str(path), "c", "bomb")
    good = gzip.compress(json.dumps({"schema_version": 2, "corrections": []}).encode())
    for i, content in enumerate((good[:-9], good[:10], b"\x1f\x8b" + b"\xff" * 50, b"{}", b"")):
        path.write_bytes(content)
        with pytest.raises(CorrectionError, match=r"c\.json\.gz"):
            open_correction(str(path), "c", str(i))


HEAD = '{"nodetype": "binning", "input": "x", "edges": [0.0, 1.0], "flow": "clamp", "content": ['


@pytest.mark.parametrize(("levels", "good"), [(5, True), (200, True), (2_000, False)])
def test_deep_corrections_are_evaluated_or_refused(tmp_path, levels, good):
    node = correction_node("c", {"x": "real"}, "DATA")
    text = json.dumps({"schema_version": 2, "corrections": [node]})
    path = tmp_path / "c.json"
    path.write_text(text.replace('"DATA"', HEAD * levels + "1.0" + "]}" * levels))
    with confined():
        if good:
            opened = open_correction(str(path), "c", str(levels))
            assert evaluate(opened, [np.array([0.5])], None, "error").tolist() == [1.0]
        else:
            with pytest.raises(CorrectionError, match=r"c\.json"):
                evaluate(open_correction(str(path), "c", "deep"), [np.array([0.5])], None, "error")


def test_the_text_that_is_looked_at_is_the_one_that_is_evaluated(tmp_path):
    one, two = (scale_node("c", "x", [0, 1], {"nominal": [value]}, "clamp") for value in (1.0, 2.0))
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"schema_version": 2, "corrections": [one, two]}))
    with pytest.raises(CorrectionError, match="two corrections have the same name"):
        open_correction(str(path), "c", "twice")
    text = json.dumps({"schema_version": 2, "corrections": [one]})
    path.write_text(text.replace('"content": [1.0]', '"content": [1.0], "content": [2.0]'))
    opened = open_correction(str(path), "c", "keys")
    assert evaluate(opened, [np.array([0.5])], "nominal", "error").tolist() == [2.0]
    assert opened.content["data"]["content"][0]["value"]["content"] == [2.0]

"""Luminosity by run and block: tables, blocks of files, and the fraction that was processed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import ChecksumError, InputError, NormalisationError
from hepflow.luminosity import (
    FileBlocks,
    ProcessedData,
    check_years_apart,
    codes_of,
    load_table,
    luminosity_fraction,
    processed_blocks,
    read_blocks,
)
from hepflow.storage import sha256_bytes
from tests.builders import shared, toy_columns, write_nano

BRILCALC = """#Data tag : 22v1 , Norm tag: None
#run:fill,ls,time,beamstatus,E(GeV),delivered(/ub),recorded(/ub),avgpu,source
273158:4915,2:2,05/11/16 18:17:11,STABLE BEAMS,6500,21000.0,20000.0,14.2,PXL
273158:4915,1:1,05/11/16 18:16:48,STABLE BEAMS,6500,11000.0,10000.0,14.0,PXL
273302:4919,7:0,05/12/16 01:00:00,STABLE BEAMS,6500,500.0,0.0,14.0,PXL
#Summary:
#nfill,nrun,nls,ncms,totdelivered(/ub),totrecorded(/ub)
#2,2,3,2,32500.0,30000.0
"""
PLAIN = """run,luminosityBlock,luminosity [1/pb]
273158,1,0.01
273158,2,0.02

273302,7,0
"""
JSON = json.dumps({"273158": {"1": 0.01, "2": 0.02}, "273302": {"7": 0}})
RANGES = {273158: np.array([[1, 2]])}


def table(tmp_path, text, digest="x"):
    path = tmp_path / "table"
    path.write_text(text)
    load_table.cache_clear()
    return load_table(str(path), digest)


# -- tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [BRILCALC, PLAIN, JSON])
def test_three_forms_hold_the_same(tmp_path, text):
    found = table(tmp_path, text)
    assert found.codes.tolist() == codes_of([273158, 273158, 273302], [1, 2, 7]).tolist()
    np.testing.assert_allclose(found.values, [0.01, 0.02, 0.0], rtol=1e-15)
    assert found.certified(RANGES).tolist() == [True, True, False]
    assert found.certified(None).all()


@pytest.mark.parametrize(("unit", "factor"), [("fb", 1e3), ("pb", 1.0), ("nb", 1e-3), ("ub", 1e-6)])
def test_units_are_those_of_the_header(tmp_path, unit, factor):
    found = table(tmp_path, BRILCALC.replace("(/ub)", f"(/{unit})"))
    assert found.values[0] == pytest.approx(1e4 * factor, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty|the header is ''"),
        ("{}", "is empty"),
        ("[1, 2]", "the header is"),
        ('{"a": {"1": 2}}', "invalid literal"),
        ('{"1": {"1": true}}', "1:1 has True"),
        ('{"1": {"1": "0.5"}}', "1:1 has '0.5'"),
        ('{"1": [0.5]}', "not a table of luminosity"),
        (PLAIN.replace(" [1/pb]", ""), r"the header is .*Expected the CSV"),
        (PLAIN.replace(",0.02", ""), "not enough values"),
        (PLAIN.replace("0.02", "-0.02"), r"273158:2 has the luminosity -0\.02"),
        (PLAIN.replace("0.02", "nan"), "273158:2 has the luminosity nan"),
        (PLAIN.replace(",2,", ",1,"), "273158:1 is in the table twice"),
        (BRILCALC.replace("/ub", "/xb"), r"no columns 'ls' and 'recorded"),
        (BRILCALC.replace("recorded", "taken"), r"no columns 'ls' and 'recorded"),
        (BRILCALC.replace(",PXL", ""), "a row has 8 columns, the header 9"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        table(tmp_path, text)


def test_a_missing_table_is_named():
    with pytest.raises(InputError, match=r"nowhere\.csv: not a table.*No such file"):
        load_table("nowhere.csv", "x")


# -- blocks of files -------------------------------------------------------------------------


def write_blocks(path, columns, blocks=()):
    """Write a file of data whose own tree of blocks holds `blocks` of run 1."""
    write_nano(path, columns)
    if blocks:
        with uproot.update(path) as file:
            file.mktree("LuminosityBlocks", {"run": np.uint32, "luminosityBlock": np.uint32})
            content = {"run": np.ones(len(blocks), np.uint32)}
            file["LuminosityBlocks"].extend(
                {**content, "luminosityBlock": np.array(blocks, np.uint32)}
            )
    return str(path)


def columns_of(*blocks):
    run = np.ones(len(blocks), np.uint32)
    return {"run": run, "luminosityBlock": np.array(blocks, np.uint32)}


def test_blocks_of_a_file_and_of_its_own_list(tmp_path):
    path = write_blocks(tmp_path / "a.root", columns_of(3, 3, 4, 3), [3, 4, 9])
    found = read_blocks(path, "Events", {})
    assert found.codes.tolist() == codes_of([1, 1, 1], [3, 4, 3]).tolist()
    assert found.counts.tolist() == [2, 1, 1]
    assert found.listed.tolist() == codes_of([1, 1, 1], [3, 4, 9]).tolist()


def test_a_file_without_events_or_list(tmp_path):
    path = write_blocks(tmp_path / "a.root", {n: v[:0] for n, v in columns_of(1).items()})
    found = read_blocks(path, "Events", {})
    assert len(found.codes) == len(found.counts) == len(found.listed) == 0
    assert [len(one) for one in processed_blocks([(found, [(0, 0)])])] == [0, 0]


def test_other_names_of_the_branches_and_none(tmp_path):
    columns = columns_of(3, 3)
    columns["lumi"] = columns.pop("luminosityBlock")
    path = write_blocks(tmp_path / "a.root", columns)
    assert read_blocks(path, "Events", {"luminosityBlock": "lumi"}).counts.tolist() == [2]
    with pytest.raises(InputError, match=r"a\.root: has no branch luminosityBlock"):
        read_blocks(path, "Events", {})


@pytest.mark.parametrize("name", ["nano_dy.root", "nano_dy.parquet", "nano_dy_rntuple.root"])
def test_real_files_in_three_forms(name):
    found = read_blocks(str(shared("nanoaod") / name), "Events", {})
    with uproot.open(shared("nanoaod") / "nano_dy.root") as file:
        arrays = file["Events"].arrays(["run", "luminosityBlock"], library="np")
    codes = codes_of(arrays["run"], arrays["luminosityBlock"])
    assert np.repeat(found.codes, found.counts).tolist() == codes.tolist()
    assert len(found.listed) == 0


blocks_and_ranges = st.lists(st.integers(1, 4), max_size=30).flatmap(
    lambda blocks: st.tuples(
        st.just(blocks), st.lists(st.integers(0, len(blocks)), max_size=6, unique=True).map(sorted)
    )
)


@given(st.lists(blocks_and_ranges, max_size=3))
def test_fractions_are_those_counted_one_by_one(files):
    done, there, given_files = {}, {}, []
    for blocks, edges in files:
        ranges = list(zip(edges[::2], edges[1::2], strict=False))
        for i, block in enumerate(blocks):
            there[block] = there.get(block, 0) + 1
            done[block] = done.get(block, 0) + any(a <= i < b for a, b in ranges)
        codes = codes_of(np.ones(len(blocks)), blocks)
        starts = [i for i in range(len(blocks)) if i == 0 or blocks[i] != blocks[i - 1]]
        counts = np.diff([*starts, len(blocks)]) if blocks else []
        none = np.zeros(0, np.int64)
        one = FileBlocks(codes[starts], np.asarray(counts, np.int64), none)
        given_files.append((one, ranges))
    codes, parts = processed_blocks(given_files)
    assert codes.tolist() == codes_of([1] * len(there), sorted(there)).tolist()
    assert parts.tolist() == [done[block] / there[block] for block in sorted(there)]


def test_blocks_without_events_count_where_the_file_is_complete():
    quiet = codes_of([1, 1], [8, 9])
    one = FileBlocks(codes_of([1], [3]), np.array([4]), quiet)
    two = FileBlocks(codes_of([1], [9]), np.array([2]), quiet[:0])
    codes, parts = processed_blocks([(one, [(0, 4)]), (two, [(0, 1)])])
    assert dict(zip((codes - codes_of([1], [0])[0]).tolist(), parts.tolist(), strict=True)) == {
        3: 1.0,
        8: 1.0,
        9: 0.5,  # it has events elsewhere, which tell more
    }
    codes, _ = processed_blocks([(one, [(0, 3)])])
    assert len(codes) == 1


# -- fractions of a year ---------------------------------------------------------------------


def processed(key, blocks, parts, ranges=None, run=273158):
    codes = codes_of([run] * len(blocks), blocks)
    return ProcessedData(key, codes, np.asarray(parts, np.float64), ranges)


def test_the_fraction_by_hand(tmp_path):
    found = table(tmp_path, PLAIN)
    half = [processed("data", [1, 2], [1.0, 0.25])]
    assert luminosity_fraction(found, half, [None]) == pytest.approx(0.015 / 0.03, rel=1e-15)
    apart = [processed("a", [1], [1.0], RANGES), processed("b", [2], [0.5], RANGES)]
    assert luminosity_fraction(found, apart, [RANGES] * 2) == pytest.approx(0.02 / 0.03, rel=1e-15)


def test_only_certified_blocks_count(tmp_path):
    one = {273158: np.array([[2, 2]])}
    data = [processed("data", [1, 2, 3], [1.0, 0.5, 1.0], one)]
    assert luminosity_fraction(table(tmp_path, PLAIN), data, [one]) == 0.5


def test_blocks_that_are_unknown_shared_or_none_are_refused(tmp_path):
    found = table(tmp_path, PLAIN)
    with pytest.raises(NormalisationError, match=r"of 1 blocks .* in 'data', such as 273158:3"):
        luminosity_fraction(found, [processed("data", [1, 3], [1.0, 1.0])], [None])
    # one that is not processed is not missed
    share = luminosity_fraction(found, [processed("data", [1, 3], [1.0, 0.0])], [None])
    assert share == pytest.approx(1 / 3)
    both = [processed("a", [1, 2], [1.0, 1.0]), processed("b", [2], [1.0])]
    with pytest.raises(
        NormalisationError, match=r"'a' and 'b' share 1 luminosity blocks.*273158:2"
    ):
        luminosity_fraction(found, both, [None, None])
    with pytest.raises(NormalisationError, match="no luminosity of data was processed"):
        luminosity_fraction(found, [processed("data", [7], [1.0], run=273302)], [None])


def test_years_are_told_apart_by_their_lists(tmp_path):
    found = table(tmp_path, PLAIN)
    other = {273302: np.array([[1, 9]])}
    check_years_apart(found, {"2016": [None]})
    check_years_apart(found, {"2016": [RANGES, RANGES], "2017": [other]})
    for lists in ({"2016": [RANGES], "2017": [None]}, {"2016": [RANGES], "2017": [RANGES, other]}):
        with pytest.raises(NormalisationError, match=r"of the years 2016 and 2017 .*lumi_mask"):
            check_years_apart(found, lists)


def test_toy_data_has_the_blocks_that_it_says(tmp_path):
    columns = toy_columns(200, 3, data=True)
    found = read_blocks(str(write_nano(tmp_path / "a.root", columns)), "Events", {})
    expected = codes_of(columns["run"], columns["luminosityBlock"])
    assert np.repeat(found.codes, found.counts).tolist() == expected.tolist()


def test_a_table_that_changes_while_a_run_goes_on_is_refused(tmp_path):
    digest = sha256_bytes(PLAIN.encode())
    assert len(table(tmp_path, PLAIN, digest).codes) == 3
    with pytest.raises(ChecksumError, match="it changed while the run went on"):
        table(tmp_path, PLAIN + "273303,1,1.0\n", digest)

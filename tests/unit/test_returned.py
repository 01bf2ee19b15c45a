"""What functions returned: numbers are taken from any container, all else is told in words."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import UserFunctionError
from hepflow.returned import array_of, column_from, described, numbers_of


class Plain:
    """An array of another library, of which only numpy's protocol is known."""

    shape = (3,)
    dtype = np.dtype(float)
    ndim = 1

    def __array__(self, dtype=None, copy=None):
        return np.arange(3.0)


COLUMNS = [
    (np.arange(3.0), [0.0, 1.0, 2.0]),
    (np.ma.masked_array([1.0, 2.0], [False, True]), [1.0, None]),
    (ak.Array([[1.0], None, []]), [[1.0], None, []]),
    ([1, 2], [1, 2]),
    ((one for one in (True, False)), [True, False]),
    ([[1.5], []], [[1.5], []]),
    (Plain(), [0.0, 1.0, 2.0]),
    ([], []),
    (ak.Array([]), []),
]


@pytest.mark.parametrize(("result", "expected"), COLUMNS, ids=range(len(COLUMNS)))
def test_numbers_are_taken_from_any_container(result, expected):
    taken = array_of(result)
    assert isinstance(taken, ak.Array)
    assert taken.tolist() == expected
    assert ak.Array(numbers_of(taken, "here", "numbers")).tolist() == expected


@pytest.mark.parametrize(
    "result", [2.5, 2, True, np.float32(2.5), np.array(2.5)], ids=lambda one: type(one).__name__
)
def test_one_number_is_none_for_each_event(result):
    number = numbers_of(result, "here", "numbers")
    assert (np.ndim(number), float(number)) == (0, float(result))
    assert not isinstance(number, np.ndarray)
    assert array_of(result) is None


OTHERS = [
    (None, "returned None, expected"),
    ("a", "returned the text 'a', expected"),
    (b"a", "returned a value of type bytes"),
    ({"a": 1.0}, "returned a value of type dict"),
    ({1.0, 2.0}, "returned a value of type set"),
    (len, "returned a value of type builtin_function_or_method"),
    (1.0 + 1.0j, r"returned \(1\+1j\)"),
    (np.complex64(1.0), "returned np.complex64"),
    (np.ones(2) * 1j, r"returned an array of shape \(2,\) and type complex128"),
    (np.array(1j), "returned .*complex128"),
    (np.array([None, 1.0]), r"returned an array of shape \(2,\) and type object"),
    (np.array([1], "datetime64[s]"), r"returned .* type datetime64\[s\]"),
    (np.ones((2, 1, 1)), r"returned an array of shape \(2, 1, 1\) and type float64"),
    (ak.Array([[[1.0]], []]), "returned an array of 2 lists of lists of numbers"),
    (ak.Array([[1j], []]), "returned an array of 2 lists of values of type complex128"),
    (ak.Array(["a", "b"]), "returned an array of 2 texts"),
    (ak.Array([["a"], []]), "returned an array of 2 lists of texts"),
    (["a", "b"], "returned a list, which is an array of 2 texts"),
    (ak.Array([1.0, "a"]), "returned an array of 2 values of several types"),
    (ak.Array([{"pt": 1.0, "eta": 0.0}]), "returned an array of 1 records with pt, eta, expected"),
    (
        ak.Array([dict.fromkeys("abcdef", 1)]),
        r"returned .* with a, b, c, d, \.\.\., exp",
    ),
    (ak.Array([{"pt": 1.0}])[0], "returned a value of type Record"),
]


@pytest.mark.parametrize(("result", "message"), OTHERS, ids=range(len(OTHERS)))
def test_what_is_no_column_of_numbers_is_told(result, message):
    assert array_of(result) is None
    with pytest.raises(UserFunctionError, match=f"^here: {message}"):
        numbers_of(result, "here", "one each")


def test_a_list_that_fits_nothing_is_named_by_its_type():
    assert described([1.0, {"a": 2.0}, len]) == "a value of type list"


def test_a_column_may_be_of_records_or_texts_but_not_of_anything():
    records = ak.Array([{"a": 1.0}])
    assert column_from(records, "here", "x") is records
    assert column_from(["a"], "here", "x").tolist() == ["a"]
    for wrong in (None, 1.0, {"x": 1.0}, np.array([None]), len):
        with pytest.raises(UserFunctionError, match="expected an array with one entry for each"):
            column_from(wrong, "here", "x")

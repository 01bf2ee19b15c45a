"""What is said of an exception of user code: its message, and of numba the cause behind it."""

from __future__ import annotations

import awkward as ak
import numba
import numpy as np
import pytest

from hepflow.errors import UserFunctionError
from hepflow.functors import call
from hepflow.raised import said_by

EVENTS = ak.Array({"Jet": [[{"pt": 50.0, "eta": 0.1}], []], "met": [1.0, 2.0]})
# As awkward spells its types, only longer
VIEW = "ak.ArrayView(ak.NumpyArrayType(array(float32, 1d, C), {}), {'*': <class 'X'>}, ())"


class TypingError(Exception):
    """Stands in for the one of numba, of which only the text counts."""


@numba.njit
def no_field(jets):
    """Read a field that the records do not have."""
    found = np.zeros(len(jets))
    for i in range(len(jets)):
        for one in jets[i]:
            found[i] += one.nope
    return found


@numba.njit
def text_added(jets):
    """Add a text to a list of records."""
    return jets + "a"


@numba.njit(["float64[:](float64[:])"])
def of_arrays(values):
    """Take numpy arrays alone."""
    return values * 2


@pytest.mark.parametrize(
    ("function", "column", "parts"),
    [
        (no_field, ("Jet", None), ["no field 'nope'", " of ", "found[i] += one.nope)"]),
        (text_added, ("Jet", None), ["add(awkward array, ", 'return jets + "a")']),
        (of_arrays, ("event", "met"), ["argument type(s) awkward array. Convert", "ak.to_numpy"]),
    ],
)
def test_compiled_functions_say_what_does_not_fit(function, column, parts):
    with pytest.raises(UserFunctionError) as caught:
        call(function, [column], EVENTS, "here")
    message = str(caught.value)
    assert message.startswith(f"here: tests.unit.test_raised.{function.__name__} raised Typ")
    assert all(part in message for part in parts), message
    assert "nopython" not in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no message"),
        ("\n one \n two", "one"),
        ("Failed in nopython mode pipeline", "Failed in nopython mode pipeline"),
        ("Failed in nopython mode pipeline (step: x)\n\x1b[1mCannot unify\x1b[0m", "Cannot unify"),
        (f"Failed in object mode pipeline\nNot {VIEW}, {VIEW}", "Not awkward array, awkward array"),
        ("Failed in nopython mode pipeline\nnot known\n- argument 0: a dict",
         "not known: argument 0: a dict"),
        ('Failed in nopython mode pipeline\nwrong\nFile "a.py", line 7:', "wrong (line 7 of a.py)"),
        (f"Failed in nopython mode pipeline\nwrong {'x' * 500}", f"wrong {'x' * 234}..."),
        ("Failed in nopython mode pipeline\nin ak.RecordView(no end", "in awkward record"),
    ],
    ids=range(9),
)  # fmt: skip
def test_the_cause_is_taken_out_of_a_long_message(text, expected):
    assert said_by(TypingError(text)) == expected

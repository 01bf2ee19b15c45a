"""Failures as text, and without the text of what is said about blind data."""

from __future__ import annotations

import pickle

import pytest

from hepflow.errors import MaskError, UserFunctionError
from hepflow.execution.outcome import WITHHELD, Failure, withhold_text
from hepflow.functors import run_user_code

SAID = "48 events with many jets of 76"


def raising(kind=ValueError):
    """Function of a user."""
    raise kind(SAID)


def caught(action):
    with pytest.raises(Exception) as found:  # noqa: PT011 - any exception is looked at
        action()
    return found.value


def in_user_code():
    return caught(lambda: run_user_code(raising, raising, "channels[1] (CR)"))


def test_a_failure_holds_the_text():
    failure = Failure.of(in_user_code())
    assert SAID in failure.message
    assert SAID in failure.traceback


def test_a_failure_on_blind_data_holds_type_function_and_line_only():
    error = in_user_code()
    whole = str(error)
    withhold_text(error)
    withhold_text(error)
    failure = pickle.loads(pickle.dumps(Failure.of(error)))
    assert failure.type_name == "UserFunctionError"
    assert failure.message == whole.replace(f": {SAID}", "")
    assert "channels[1] (CR): " in failure.message
    assert "raising raised ValueError (line " in failure.message
    assert failure.notes == (WITHHELD,)
    assert "in raising" in failure.traceback
    assert SAID not in str(failure) + failure.traceback
    assert isinstance(failure.to_error(), UserFunctionError)
    assert SAID in str(error)  # who has the exception itself sees all of it


def test_numbers_of_our_own_message_are_withheld():
    error = MaskError("channels[1] (CR): returned a mask of 48 entries for 76 events, -1.5.")
    withhold_text(error)
    message = Failure.of(error).message
    assert message == "channels[1] (CR): returned a mask of # entries for # events, #"


def test_another_exception_tells_its_line_only():
    error = caught(raising)
    error.add_note(SAID)
    withhold_text(error)
    failure = Failure.of(error)
    assert SAID not in str(failure) + failure.traceback
    assert failure.type_name == "ValueError"
    assert failure.message.endswith("test_outcome.py")

"""Reasons in words, and what stages make of their pieces."""

from __future__ import annotations

from hepflow.keys import make_key
from hepflow.planning.records import UNIQUE, Piece, Reason, changed, status_of, told

OLD = make_key("fit", poi="mu", bounds=(0, 5), gone=1)
NEW = make_key("fit", poi="mu", bounds=(0, 6), fresh=1)


def test_the_chain_goes_down_to_what_was_edited():
    cut = Reason("channel SR changed")
    filled = Reason("filled changed", (cut,))
    assert str(Reason("histograms changed", (filled,))) == (
        "histograms changed <- filled changed <- channel SR changed"
    )


def test_each_part_is_told_by_what_became_of_it():
    assert [one.what for one in changed(OLD, NEW)] == [
        "bounds changed",
        "fresh is new",
        "gone is gone",
    ]
    assert changed(OLD, OLD) == ()


def test_nothing_stored_is_the_only_reason_then():
    assert [str(one) for one in changed(None, NEW)] == ["nothing is stored from an earlier run"]


def test_parts_of_earlier_stages_come_last_with_their_own_reasons():
    because = {"bounds": (Reason("luminosity changed"),)}
    found = changed(OLD, NEW, because)
    assert str(found[-1]) == "bounds changed <- luminosity changed"


def test_what_is_not_known_yet_is_no_reason():
    found = changed(OLD, NEW, unknown={"bounds", "fresh", "gone"})
    assert found == ()


def test_what_has_no_fingerprint_says_so():
    handle = make_key("fit", poi=open)  # a built-in has one
    assert changed(handle, handle) == ()
    today = make_key("fit", poi=(one for one in ()))
    assert today.parts["poi"].startswith(UNIQUE)
    assert [one.what for one in changed(OLD, today, unknown={"bounds", "gone"})] == [
        "poi cannot be fingerprinted"
    ]


def test_many_reasons_are_counted():
    many = [Reason(f"part {i} changed") for i in range(5)]
    assert told(many) == "part 0 changed, part 1 changed, part 2 changed and 2 more"


def test_a_stage_is_partly_made_where_pieces_differ():
    assert status_of([]) == "reused"
    assert status_of([Piece("a", "reused")]) == "reused"
    assert status_of([Piece("a", "runs"), Piece("b", "runs")]) == "runs"
    assert status_of([Piece("a", "runs"), Piece("b", "reused")]) == "partly"
    assert status_of([Piece("a", "partly")]) == "partly"

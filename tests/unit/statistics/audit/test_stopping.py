"""What follows from findings: what is accepted, and when a fit stops."""

from __future__ import annotations

import json

import pytest

from hepflow.errors import AuditError, FitError
from hepflow.records.inference import Finding
from hepflow.statistics.audit import Acceptance, AuditSpec, accept, audit, require_clean, where_of
from tests.unit.statistics.audit.templates import NOMINAL, of_source, sides, templates

TWO = of_source(sides(NOMINAL * 31.0, NOMINAL * 0.9))  # in two regions


def accepted(**fields):
    entry = Acceptance(**{"code": "norm-effect", "reason": "It is the ISR.", **fields})
    return audit(TWO, AuditSpec(accepted=(entry,)))


def test_a_finding_can_be_accepted():
    found = accepted()
    assert [one.severity for one in found] == ["accepted"] * 2
    assert all(one.message.endswith(" Accepted: It is the ISR.") for one in found)
    require_clean(found)


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"region": "SR"}, 1),
        ({"sample": "background"}, 2),
        ({"systematic": "other"}, 2),
        ({"region": "CR", "sample": "background", "systematic": "other"}, 1),
    ],
)
def test_what_is_accepted_can_be_limited(fields, number):
    found = accepted(**fields)
    assert [one.severity for one in found].count("accepted") == number


@pytest.mark.parametrize(
    "fields", [{"region": "VR"}, {"sample": "x"}, {"systematic": "x"}, {"code": "spike"}]
)
def test_what_is_accepted_but_not_found_is_told(fields):
    found = accepted(**fields)
    assert [(one.code, one.severity) for one in found] == [
        ("norm-effect", "error"),
        ("norm-effect", "error"),
        ("stale-acceptance", "warning"),
    ]
    assert "It is the ISR." in found[-1].message


def test_what_was_accepted_stays_so():
    once = accept(accepted(), [Acceptance("norm-effect", reason="Again.")])
    assert all("Again." not in one.message for one in once)


def test_errors_stop():
    found = audit(TWO)
    with pytest.raises(AuditError, match="has found 2 errors") as error:
        require_clean(found, written_to="outputs/statistics/audit.json")
    text = str(error.value)
    assert "norm-effect: SR / background / other: the yield of 1150 is multiplied by 31 up" in text
    assert text.count("a factor that is lost or applied twice") == 1
    assert "outputs/statistics/audit.json" in text
    assert "--ignore-audit" in text
    assert error.value.exit_status == 1
    assert isinstance(error.value, FitError)
    require_clean(found, ignore=True)


def test_the_message_names_the_first_errors_only():
    many = [Finding("spike", "error", f"R{i}", "", "", (), "x") for i in range(9)]
    with pytest.raises(AuditError, match="and 4 more"):
        require_clean(many)
    with pytest.raises(AuditError, match="has found 1 error,"):
        require_clean(many[:1])


def test_warnings_do_not_stop():
    require_clean([Finding("spike", "warning", "SR", "", "", (), "x")])
    require_clean(audit(templates()))


def test_findings_keep_what_they_are_in_json():
    for one in audit(TWO):
        assert Finding.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert where_of(Finding("spike", "warning", "", "", "", (), "x")) == "model"

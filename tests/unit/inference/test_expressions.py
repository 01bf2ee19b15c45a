"""The language of observables and cuts: values by hand, what is missing, what is refused."""

import math
import operator
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import ConfigurationError
from hepflow.inference.expressions import parse
from tests.unit.inference.particle_builders import particles

NAN = math.nan
EVENTS = particles(
    j=[[(30.0, 1.0, 0.5), (50.0, -1.0, -3.0, 8.0, 0.0, 1.0)], [(40.0, 0.2, 3.0)], []],
    mu=[[(20.0, 0.5, 0.1, 0.1, -1.0), (10.0, -0.3, 2.0, 0.1, 1.0)], [], [(7.0, 2.0, 1, 0.1, 1.0)]],
    e=[[(15.0, 0.0, -1.0, 0.0, 1.0)], [], []],
    met=[(3.0, 4.0), (0.0, -2.0), (0.0, 0.0)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("j[0].pt", [50, 40, NAN]),
        ("j[1].pt", [30, NAN, NAN]),
        ("j[-1].pt", [30, 40, NAN]),
        ("j[-2].pt", [50, NAN, NAN]),
        ("l[0].charge", [-1, NAN, 1]),
        ("l[1].pt", [15, NAN, NAN]),
        ("len(l)", [3, 0, 1]),
        ("sum(j.pt)", [80, 40, 0]),
        ("sum(j[:1].pt)", [50, 40, 0]),
        ("sum(j.btag)", [1, 0, 0]),
        ("sum(j.pt > 35)", [1, 1, 0]),
        ("max(abs(j.eta))", [1, 0.2, NAN]),
        ("max(1, j[0].eta)", [1, 1, NAN]),
        ("min(len(j), 1, 3 % 2)", [1, 1, 0]),
        ("met.pt", [5, 2, 0]),
        ("met.py - -1", [5, -1, 1]),
        ("j[0].mass", [8, 0, NAN]),
        ("abs(l[0].eta - l[1].eta)", [0.5, NAN, NAN]),
        ("delta_phi(j[0], j[1])", [-3.5 + 2 * math.pi, NAN, NAN]),
        ("delta_eta(j[0], j[1])", [-2, NAN, NAN]),
        ("delta_r(j[0], j[1])", [math.hypot(2, 2 * math.pi - 3.5), NAN, NAN]),
        ("sqrt(j[0].pt * 2) if len(j) > 1 else -1", [10, -1, -1]),
        ("(j[0] + j[1]).px", [50 * math.cos(3) + 30 * math.cos(0.5), NAN, NAN]),
        ("(mu[0] + mu[1]).charge", [0, NAN, NAN]),
        ("(mu[0] - mu[0]).energy", [0, NAN, 0]),
        ("sum(j).pt > 0 or len(j) == 0", [1, 1, 1]),
        ("sum(mu).charge", [0, 0, 1]),
        ("2 ** 3 + cos(pi)", [7, 7, 7]),
        ("max(log(j.eta))", [NAN, math.log(0.2), NAN]),
        ("min(j.pt * mu[1].pt)", [300, NAN, NAN]),
        ("max(j.pt * mu[1].pt)", [500, NAN, NAN]),
        ("sum(j.pt > mu[1].pt)", [2, NAN, 0]),
        ("sum(j.pt > 35 and abs(j.eta) < 0.5)", [0, 1, 0]),
        ("sum(35 < j.pt < 45 or j.btag == 1)", [1, 1, 0]),
        ("sum(not j.btag == 1)", [1, 1, 0]),
        ("len(j.pt > 35)", [2, 1, 0]),
        ("1if len(j) > 1 else 0", [1, 0, 0]),
        ("log(len(j))", [math.log(2), 0, -math.inf]),
        ("1 < len(j) <= 2", [1, 0, 0]),
        ("j[1].pt > 20", [1, NAN, NAN]),
        ("transverse_mass(mu[0], mu[0])", [0, NAN, 0]),
        ("atan2(met.py, met.px) - met.phi", [0, 0, 0]),
        ("(mu[0] + met).pt", [math.hypot(20 * math.cos(0.1) + 3, 20 * math.sin(0.1) + 4), NAN, 7]),
    ],
)  # fmt: skip
def test_values_by_hand(text, expected):
    assert parse(text).number(EVENTS) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("j[1].pt > 20", [True, False, False]),
        ("not j[1].pt > 20", [False, False, False]),
        ("j[1].pt != 20", [True, False, False]),
        ("len(j) < 2 or j[1].pt > 40", [False, True, True]),
        ("len(j) >= 1 and not (j[1].pt > 40)", [True, False, False]),
        ("any(j.pt > 45)", [True, False, False]),
        ("all(j.pt > 35)", [False, True, True]),
        ("not any(j.btag == 1)", [False, True, True]),
        ("any(j.pt > mu[1].pt)", [True, False, False]),
        ("not any(j.pt > mu[1].pt)", [False, False, True]),
        ("all(j.pt > mu[1].pt)", [True, False, True]),
        ("not all(j.pt > mu[1].pt)", [False, False, False]),
        ("any(j.pt > mu[1].pt or j.eta > 0)", [True, True, False]),
        ("min(j.pt * mu[1].pt) > 5", [True, False, False]),
    ],
)
def test_a_cut_that_depends_on_what_is_missing_fails(text, expected):
    assert parse(text, want="condition").passes(EVENTS).tolist() == expected


def test_invariant_mass_of_massless_objects():
    expected = math.sqrt(2 * 20 * 10 * (math.cosh(0.8) - math.cos(1.9)))
    assert parse("(mu[0] + mu[1]).mass").number(EVENTS)[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("single", "function"),
    [
        ("p", lambda pt, eta, phi, m: pt * math.cosh(eta)),
        ("pz", lambda pt, eta, phi, m: pt * math.sinh(eta)),
        ("theta", lambda pt, eta, phi, m: 2 * math.atan(math.exp(-eta))),
        ("energy", lambda pt, eta, phi, m: math.hypot(pt * math.cosh(eta), m)),
        (
            "rapidity",
            lambda pt, eta, phi, m: math.asinh(pt * math.sinh(eta) / math.hypot(pt, m)),
        ),
    ],
)
def test_properties_of_one_object_of_a_list_and_of_a_sum_agree(single, function):
    expected = function(50.0, -1.0, -3.0, 8.0)
    for text in (f"j[0].{single}", f"sum(j[:1]).{single}", f"sum(j[:1].{single})"):
        assert parse(text).number(EVENTS)[0] == pytest.approx(expected, rel=1e-9)


def test_collins_soper_angle_is_that_of_the_negative_lepton_whatever_the_order():
    back_to_back = particles(
        mu=[
            [(50.0, 1.5, 0.0, 0.0, -1.0), (50.0, 0.5, math.pi, 0.0, 1.0)],
            [(50.0, 0.5, math.pi, 0.0, 1.0), (50.0, 1.5, 0.0, 0.0, -1.0)],
            [(50.0, 1.5, 0.0, 0.0, 1.0), (50.0, 0.5, math.pi, 0.0, 1.0)],
        ]
    )
    # equal pt: cos = tanh of half the difference in pseudorapidity
    expected = [math.tanh(0.5), math.tanh(0.5), NAN]
    for text in ("collins_soper(mu[0], mu[1])", "collins_soper(mu[1], mu[0])"):
        assert parse(text).number(back_to_back) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("j[0].ptt > 30", r"at column 1, 'j\[0\].ptt': an object has no 'ptt'. Did you mean 'pt'"),
        ("1 + jet[0].pt", "at column 5, 'jet': unknown name"),
        ("sqr(2)", "unknown function. Did you mean 'sqrt'"),
        ("j.pt", "this is a list of numbers; expected one number or condition for each event"),
        ("j[0]", "this is an object; expected one number"),
        ("met.eta", "has no 'eta'. Valid: phi, pt, px, py"),
        ("(mu[0] + met).mass", "has no 'mass'. Valid: phi"),
        ("(mu[0] + mu[1]).btag", "has no 'btag'"),
        ("len(j).pt", "a number has no properties"),
        ("met[0].pt", "an object has no index"),
        ("j[0.5].pt", "an index is a whole number up to 99"),
        ("j[True].pt", "an index is a whole number"),
        ("j[len(e)].pt", "an index is a whole number"),
        ("sum(j[::2].pt)", "a slice has no step"),
        ("j[0].pt > 1 & j[1].pt < 2", "Conditions are joined with and, or, not"),
        ("j[0] + 1", "[+] between an object and a number has no meaning"),
        ("j[0] * j[1]", "[*] between an object and an object"),
        ("-j[0]", "this cannot be applied to an object"),
        ("not j[0].pt", "this cannot be applied to a number"),
        ("j[0].pt and 1", "this is a number; and, or join conditions"),
        ("j[0] > 3", "an object cannot be compared with a number"),
        ("2 in j", "this comparison is not part of the language"),
        ("any(j.pt > e.pt)", "lists of different lengths"),
        ("sum(j.pt * e.pt)", "lists of different lengths"),
        ("1 if j[0].pt else 2", "number if condition else number"),
        ("sqrt(1, 2)", r"expected sqrt\(x\)"),
        ("sqrt(x=1)", r"expected sqrt\(x\)"),
        ("sqrt(*j)", r"expected sqrt\(x\)"),
        ("sqrt(j)", "takes a number or a list of numbers, not a list of objects"),
        ("delta_r(met, j[0])", "needs momenta along the beam"),
        ("delta_phi(j, e)", r"takes objects such as j\[0\], not a list of objects"),
        ("atan2(j[0], 1)", "takes numbers"),
        ("max(j.pt, 3)", "max takes a list such as j.pt, or two and more numbers"),
        ("sum(3)", "sum takes a list"),
        ("len(3)", "len takes a list"),
        ("any(j.pt)", "any takes a list of conditions"),
        ("'a'", "only numbers can stand here"),
        ("True", "only numbers can stand here"),
        ("1" * 400, "the number is too large"),
        ("j[0", "cannot be read at column 2"),
        ("", "cannot be read"),
        ("-" * 60 + "1", "nested more than 50 deep"),
        ("1 + " * 600 + "1", "at most 2000 are read"),
        ("1\n+ 2; 3", "cannot be read"),
    ],
)
def test_errors_name_the_place_and_what_is_allowed(text, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        parse(text, where="inference.cuts[0].expression")
    assert caught.value.problems[0].path == "inference.cuts[0].expression"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "j.__class__",
        "j[0].given",
        "().__class__.__bases__",
        "(lambda: 1)()",
        "[x for x in j]",
        "f'{j}'",
        "(x := 1)",
        "{1: 2}",
        "eval('1')",
        "sum.call",
        "await j",
        "j[0].pt.real",
        "getattr(j, 'pt')",
    ],
)
def test_nothing_but_the_language_is_understood(text):
    with pytest.raises(ConfigurationError):
        parse(text)


def test_a_cut_must_be_a_condition():
    with pytest.raises(ConfigurationError, match="is a number; expected a condition"):
        parse("j[0].pt", want="condition")
    with pytest.raises(ConfigurationError, match="is a number; expected a condition"):
        parse("j[0].pt").passes(EVENTS)
    assert parse("j[0].pt > 3").kind == "a condition"


def test_a_huge_power_is_infinite_and_quick():
    assert (parse("9 ** 9 ** 9 ** 9").number(EVENTS) == np.inf).all()


def test_expressions_travel_to_workers():
    expression = pickle.loads(pickle.dumps(parse("j[0].pt + 1")))
    assert expression.number(EVENTS)[1] == 41


def test_no_events_give_no_values():
    assert parse("(j[0] + j[1]).mass").number(EVENTS.select(slice(0, 0))).shape == (0,)
    assert parse("max(j.pt) > 3").passes(EVENTS.select(slice(0, 0))).shape == (0,)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="jlemua.pt[]()0123456789+-*/<>=! andornotsqrtlenmet,", max_size=40))
def test_any_text_is_a_value_or_one_clear_error(text):
    try:
        value = parse(text).number(EVENTS)
    except ConfigurationError as error:
        assert repr(text)[:20] in str(error)  # noqa: PT017  # most texts give one, some do not
    else:
        assert value.shape == (3,)


SIGNS = {"<": operator.lt, ">=": operator.ge, "!=": operator.ne}
SUMS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def defined(function, one, other):
    return None if one is None or other is None else function(one, other)


def decided(values, decisive):
    """Python's `any` (decisive True) and `all` (False), of values of which some are unknown."""
    return decisive if decisive in values else (None if None in values else not decisive)


@st.composite
def number_of(draw, lists, depth=2):
    """Text of a number, and what it is in each event, by Python; None where it is not defined."""
    if depth and draw(st.booleans()):
        sign = draw(st.sampled_from(sorted(SUMS)))
        left, right = draw(number_of(lists, depth - 1)), draw(number_of(lists, depth - 1))
        if draw(st.booleans()):
            values = [defined(SUMS[sign], *pair) for pair in zip(left[1], right[1], strict=True)]
            return f"({left[0]} {sign} {right[0]})", values
        text, truths = draw(condition_of(lists, depth - 1))
        both = zip(truths, left[1], right[1], strict=True)
        values = [None if truth is None else yes if truth else no for truth, yes, no in both]
        return f"({left[0]} if {text} else {right[0]})", values
    value, index = draw(st.integers(-3, 60)), draw(st.integers(0, 2))
    leaves = [
        (str(value), [value for _ in lists]),
        (f"j[{index}].pt", [one[index] if index < len(one) else None for one in lists]),
        ("len(j)", [len(one) for one in lists]),
        ("max(j.pt)", [max(one, default=None) for one in lists]),
        ("sum(j.pt)", [sum(one) for one in lists]),
    ]
    return draw(st.sampled_from(leaves))


@st.composite
def condition_of(draw, lists, depth=2):
    kind = draw(st.sampled_from(["chain", "any", "all"] + ["and", "or", "not"] * bool(depth)))
    if kind in {"and", "or", "not"}:
        text, values = draw(condition_of(lists, depth - 1))
        if kind == "not":
            return f"(not {text})", [None if one is None else not one for one in values]
        other, others = draw(condition_of(lists, depth - 1))
        pairs = zip(values, others, strict=True)
        return f"({text} {kind} {other})", [decided(pair, kind == "or") for pair in pairs]
    sign, (text, values) = draw(st.sampled_from(sorted(SIGNS))), draw(number_of(lists, depth))
    if kind in {"any", "all"}:
        compared = [
            [defined(SIGNS[sign], jet, value) for jet in jets]
            for jets, value in zip(lists, values, strict=True)
        ]
        found = [decided(one, kind == "any") for one in compared]
        return f"{kind}(j.pt {sign} {text})", found
    low, high = draw(number_of(lists, 0)), draw(number_of(lists, 0))
    triples = zip(low[1], values, high[1], strict=True)
    found = [
        decided([defined(SIGNS[sign], a, b), defined(operator.lt, b, c)], False)
        for a, b, c in triples
    ]
    return f"({low[0]} {sign} {text} < {high[0]})", found


@st.composite
def cases(draw):
    drawn = draw(st.lists(st.lists(st.integers(1, 60), max_size=3), min_size=1, max_size=4))
    lists = [sorted(jets, reverse=True) for jets in drawn]
    return lists, *draw(condition_of(lists))


@settings(max_examples=40, deadline=None)
@given(cases())
def test_conditions_are_those_of_python_event_by_event(case):
    lists, text, expected = case
    events = particles(j=[[(float(pt), 0.0, 0.0) for pt in jets] for jets in lists])
    passed = parse(text, want="condition").passes(events)
    assert passed.tolist() == [one is True for one in expected]
    assert np.isnan(parse(text).number(events)).tolist() == [one is None for one in expected]


@settings(max_examples=30, deadline=None)
@given(st.permutations([0, 1, 2]))
def test_order_of_events_changes_nothing_but_the_order(order):
    for text in ("j[1].pt", "sum(j.pt) + met.pt", "(mu[0] + j[0]).mass", "len(j) > 1"):
        whole = parse(text).number(EVENTS)
        assert parse(text).number(EVENTS.select(np.array(order))) == pytest.approx(
            whole[order], nan_ok=True
        )

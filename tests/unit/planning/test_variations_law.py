"""What the plan says about an object source is true: of configurations drawn at random."""

from __future__ import annotations

import operator

import awkward as ak
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hepflow.analysis import AnalysisSpec, EventLoop
from hepflow.analysis.steps import weight_factors
from hepflow.events import EVENT
from hepflow.functors import call
from hepflow.planning.variations import plan_variations
from hepflow.records import NOMINAL
from hepflow.schema import Config
from tests.builders import toy_columns

BRANCHES = {
    "event": ["run", "luminosityBlock", "event", "HLT_Mu50"],
    "MET": ["pt", "phi"],
    "Muon": ["pt", "eta", "phi", "mass", "jetIdx"],
    "Jet": ["pt", "eta", "phi", "mass"],
}
COLUMNS: list[tuple[str, str | None]] = [
    (name, field) for name, fields in BRANCHES.items() for field in fields
]
COLUMNS += [(name, None) for name in BRANCHES if name != "event"]
TARGETS = [("Jet", "pt"), ("Jet", "eta"), ("Muon", "pt"), ("Muon", "mass"), ("MET", "phi")]
GHOSTS = [("sums", "first"), ("event", "second")]


def _toy_events():
    """150 toy events, a dozen of objects in some of them."""
    columns = toy_columns(150)
    records = {
        name: ak.zip({field: columns[f"{name}_{field}"] for field in fields})
        for name, fields in BRANCHES.items()
        if name != "event"
    }
    return ak.zip({**{name: columns[name] for name in BRANCHES["event"]}, **records}, depth_limit=1)


EVENTS = _toy_events()


def digest(*columns):
    """One number for each event on which every value of every column tells, and its place."""
    total = 0.0
    for column in columns:
        for values in [column[field] for field in column.fields] if column.fields else [column]:
            waves = np.sin(7.0 * ak.values_astype(values, np.float64))
            if waves.ndim > 1:
                waves = ak.sum(waves * (1.5 + ak.local_index(waves)), axis=1)
            total = total + np.sin(11.0 * total) + waves
    return total


def scale(strength):
    """Factor for each object, from its own value and all else that is read."""
    return lambda own, *others: 1.0 + strength * np.sin(3.0 * own + digest(own, *others))


def keep(own, *others):
    """Two of three objects, as all that is read decides."""
    return np.sin(5.0 * own + 1e5 * digest(own, *others)) > -0.4


def above(*columns):
    """A cut on all that is read."""
    return np.sin(1e5 * digest(*columns)) > 0.0


def weight(*columns):
    """A positive factor of the weight."""
    return 1.5 + np.sin(digest(*columns))


def heavier(*columns):
    """The same, varied."""
    return 0.3 + weight(*columns)


def vector(*columns):
    """Something to add to x and y of the missing momentum."""
    return 20.0 * np.sin(digest(*columns)), 1.0 + np.cos(digest(*columns))


USE = st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=2, unique=True)
LATE = st.lists(st.sampled_from([*COLUMNS, *GHOSTS]), min_size=1, max_size=2, unique=True)


@st.composite
def changes(draw, name, target):
    """What a correction and a source say about their target."""
    met = {"propagate_to_met": "MET"} if target[1] == "pt" and draw(st.booleans()) else {}
    mass = {"scale_mass": False} if target[1] == "pt" and draw(st.booleans()) else {}
    return {"name": name, "type": "object", "target": target, "use": [target, *draw(USE)],
            **met, **mass}  # fmt: skip


@st.composite
def corrections(draw):
    """Up to three object corrections with a source each, and two weights."""
    found = []
    for i, target in enumerate(draw(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3))):
        source = {"name": f"source_{i}", "up_function": scale(0.3), "down_function": scale(0.1)}
        found.append({**draw(changes(f"object_{i}", target)), "use_correctionlib": False,
                      "nominal_function": scale(0.2), "uncertainty_sources": [source]})  # fmt: skip
    found += [
        {"name": f"weight_{i}", "type": "event", "use_correctionlib": False, "use": draw(LATE),
         "nominal_function": weight}
        for i in range(2)
    ]  # fmt: skip
    if draw(st.booleans()):
        linked = {"name": "linked", "up_function": heavier, "varies_with": "source_0"}
        found[-1]["uncertainty_sources"] = [linked]
    return found


@st.composite
def own_changes(draw):
    """What a source that comes without a correction does."""
    if draw(st.booleans()):
        return {"name": "own", "type": "object", "target": ("MET", "pt"), "op": "add_vector",
                "use": draw(USE), "up_function": vector}  # fmt: skip
    return {**draw(changes("own", draw(st.sampled_from(TARGETS)))), "up_function": scale(0.2)}


@st.composite
def configurations(draw):
    """Configurations whose steps read columns drawn at random."""
    masks = [
        {"object": name, "function": keep, "use": [(name, "pt"), *draw(USE)]}
        for name in draw(st.lists(st.sampled_from(["Jet", "Muon"]), max_size=2))
    ]
    ghosts = [
        {"names": [name], "collections": place, "function": digest, "use": draw(USE)}
        for place, name in GHOSTS
    ]
    baseline = {"name": "cut_0", "function": above, "use": draw(USE)}
    cuts = [{"name": f"cut_{i}", "function": above, "use": draw(LATE)} for i in (1, 2)]
    observables = [
        {"name": f"obs_{i}", "function": digest, "use": draw(LATE), "binning": "-9,9,9"}
        for i in range(3)
    ]
    return {
        "general": {"lumi": 1.0, "run_statistics": False},
        "datasets": {"datasets": [{"name": "mc", "files": ["mc.root"], "cross_section": 1.0}]},
        "preprocess": {"branches": BRANCHES},
        "good_object_masks": {"analysis": masks},
        "baseline_selection": {"cuts": [baseline]},
        "ghost_observables": ghosts,
        "channels": [{"name": "SR", "selection": {"cuts": cuts}, "observables": observables,
                      "fit_observable": "obs_0"}],
        "corrections": draw(corrections()),
        "systematics": [draw(own_changes())],
        "plotting": {"enabled": False},
    }  # fmt: skip


def taken(loop, variation, dataset):
    """Columns and results of steps for one variation, of all events; of cuts what they look at.

    A cut may let the same events through although it sees others.
    """
    spec = loop.spec
    events = loop.mask_objects(loop.correct_objects(EVENTS, variation, dataset))
    (cut,) = spec.baseline.cuts
    steps = {("baseline", "", cut.name): call(digest, cut.use, events, "")}
    events = loop.add_ghost_observables(events)
    columns = {}
    for name in events.fields:
        fields = events[name].fields
        columns |= {(name, field): events[name][field] for field in fields}
        columns |= {} if fields else {(name, None): events[name]}
    (channel,) = spec.channels
    for cut in channel.selection.cuts:
        steps["selection", "SR", cut.name] = call(digest, cut.use, events, "")
    for one in channel.observables:
        steps["observable", "SR", one.name] = loop.observable(events, channel, one)
    factors = weight_factors(spec, events, dataset, (), variation)
    for i, factor in enumerate(factors):
        steps["weight", "", f"weight_{i}"] = factor.nominal
    return columns, steps


def moved(nominal, varied):
    """Names of what differs, to the last bit."""
    assert nominal.keys() == varied.keys()
    return {name for name in nominal if not ak.array_equal(nominal[name], varied[name])}


def listed(touches, columns):
    """Columns that the plan lists, those of whole objects one by one."""
    whole = {name for name, field in touches.columns if field is None}
    return {one for one in columns if one in touches.columns or one[0] in whole}


def checked(given_config, same):
    """Compare what moves with what the plan lists, for each object source."""
    config = Config.of(given_config)
    loop = EventLoop(AnalysisSpec.from_config(config))
    plan = {one.parameter: one.touches for one in plan_variations(config).sources}
    (dataset,) = loop.spec.datasets.values()
    columns, steps = taken(loop, NOMINAL, dataset)
    shifts = [one for one in loop.spec.variations(dataset) if one.kind == "object"]
    assert {one.parameter for one in shifts} == {name for name in plan if name != "linked"}
    for name in {one.parameter for one in shifts}:
        sides = [taken(loop, one, dataset) for one in shifts if one.parameter == name]
        again = {step.place for step in plan[name].again}
        shared = {step.place for step in plan[name].shared}
        assert not again & shared
        assert steps.keys() <= again | shared
        # The side that a linked source does not have is nominal: both together tell.
        assert same(set().union(*(moved(columns, own) for own, _ in sides)),
                    listed(plan[name], columns))  # fmt: skip
        assert same(set().union(*(moved(steps, own) for _, own in sides)), again & steps.keys())


# What fails is a configuration of a page: to make it smaller would take minutes.
ANY = settings(
    deadline=None,
    max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


@ANY
@given(configurations())
def test_what_is_not_listed_stays(given_config):
    checked(given_config, set.issubset)


# Of any configuration that is not certain: jets may happen to keep their order in all events.
@settings(ANY, derandomize=True)
@given(configurations())
def test_what_is_listed_moves(given_config):
    checked(given_config, operator.eq)


def test_the_events_are_rich_enough():
    assert EVENT in BRANCHES
    assert ak.max(ak.num(EVENTS.Jet)) > 3

"""Patch sets of a signal grid: exact, verified by pyhf, and only on the same background."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.cli import main
from hepflow.errors import InputError, WorkspaceError
from hepflow.reinterpretation.publishing import Point, make_patch_set, read_points
from hepflow.reinterpretation.publishing.differences import first_difference, signal_patch
from hepflow.storage import write_json
from tests.unit.reinterpretation import published
from tests.unit.statistics.models import shared

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SIGNAL = (1.0, 2.0, 3.0)


def made(tmp_path, background, *workspaces, labels=("mass",), **options):
    pairs = [
        (Point(f"m{100 * (n + 1)}", (100 * (n + 1),), tmp_path), one)
        for n, one in enumerate(workspaces)
    ]
    return make_patch_set(background, pairs, labels=labels, description="test", **options)


def test_the_patch_is_the_signal_sample(tmp_path):
    background, one = published.model(), published.model(SIGNAL)
    content, (patch,) = made(tmp_path, background, one)
    sample = one["channels"][0]["samples"][0]
    assert content["patches"][0]["patch"] == [
        {"op": "add", "path": "/channels/0/samples/0", "value": sample}
    ]
    assert patch.samples == ("signal",)


def test_pyhf_applies_the_set_to_every_workspace(tmp_path):
    import pyhf

    background = published.model()
    workspaces = [published.model(SIGNAL, scale) for scale in (1.0, 0.5)]
    content, _ = made(tmp_path, background, *workspaces)
    found = pyhf.PatchSet(content)
    found.verify(background)
    for mass, workspace in zip((100, 200), workspaces, strict=True):
        assert dict(found.apply(background, f"m{mass}")) == workspace
        assert found[(mass,)].name == f"m{mass}"
    changed = copy.deepcopy(background)
    changed["observations"][0]["data"][0] += 1
    with pytest.raises(pyhf.exceptions.PatchSetVerificationError):
        found.verify(changed)


@settings(max_examples=25, deadline=None)
@given(
    places=st.lists(st.integers(0, 1), max_size=3),
    extra=st.booleans(),
    poi=st.sampled_from(["mu", "other"]),
)
def test_what_is_added_anywhere_comes_back(places, extra, poi):
    import jsonpatch

    background = published.model()
    workspace = published.model(SIGNAL)
    for number, place in enumerate(places):
        sample = {"name": f"more{number}", "data": [float(number)], "modifiers": []}
        workspace["channels"][1]["samples"].insert(place, sample)
    config = workspace["measurements"][0]["config"]
    if extra:
        config["parameters"].insert(0, {"name": "lumi", "inits": [1.0]})
    config["poi"] = poi
    patch, _ = signal_patch(background, workspace, "any")
    assert jsonpatch.apply_patch(background, patch) == workspace


def change(way, value):
    """The signal's workspace with another value at a place."""
    workspace = published.model(SIGNAL)
    inner = workspace
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    return workspace


SAMPLES = ("channels", 0, "samples")


@pytest.mark.parametrize(
    ("way", "value", "told"),
    [
        (
            (*SAMPLES, 1, "data", 2),
            18.0,
            r"channel SR, sample background: data\[2\] is 18.0, not 17",
        ),
        ((*SAMPLES, 1, "modifiers"), [], r"sample background: modifiers is \[\], not"),
        ((*SAMPLES, 1, "name"), "tt", "channel SR, samples: background missing"),
        (("channels", 1, "name"), "VR", "channels: CR missing and VR in excess"),
        (("observations", 0, "data", 1), 34.0, r"observations: \[0\].data\[1\] is 34.0, not 33.0"),
        (("measurements", 0, "name"), "n", "measurements: m missing and n in excess"),
        (("measurements", 0, "config", "parameters", 0, "inits"), [2.0], "parameter mu: inits"),
        (("version",), "2.0.0", "version: the whole is '2.0.0', not '1.0.0'"),
        (("channels", 0, "note"), "x" * 99, "more than signal beside the background"),
        (("measurements", 0, "config", "note"), 1, "more than signal beside the background"),
    ],
)
def test_a_background_that_differs_is_named(tmp_path, way, value, told):
    with pytest.raises(WorkspaceError, match=told) as error:
        made(tmp_path, published.model(), change(way, value))
    assert "m100" in str(error.value)


def test_another_order_and_no_signal_are_told(tmp_path):
    turned = published.model(SIGNAL)
    turned["channels"].reverse()
    with pytest.raises(WorkspaceError, match="another order"):
        made(tmp_path, published.model(), turned)
    with pytest.raises(WorkspaceError, match="no signal to publish"):
        made(tmp_path, published.model(), published.model())


def test_what_pyhf_refuses_is_told(tmp_path):
    wrong = published.model(SIGNAL)
    wrong["channels"][0]["samples"][0]["modifiers"] = "none"
    with pytest.raises(WorkspaceError, match="pyhf does not accept"):
        made(tmp_path, published.model(), wrong)


def test_what_a_set_needs(tmp_path):
    one = published.model(SIGNAL)
    with pytest.raises(InputError, match="needs a label"):
        made(tmp_path, published.model(), one, labels=())
    with pytest.raises(InputError, match="Inspire"):
        made(tmp_path, published.model(), one, record="1234567")


def test_first_difference_tells_lengths_and_keys():
    assert first_difference({"a": [1]}, {"a": [1, 2]}) == ("a", [1], [1, 2])
    assert first_difference({"a": 1}, {}) == ("a", 1, "absent")
    assert first_difference([{"a": 1}], [{"a": 1}]) is None


def test_points_are_read_and_sorted():
    points = read_points(["z:2000=runs/x", "runs/zprime_500.json"], ["mass"])
    assert [(one.name, one.values, str(one.path)) for one in points] == [
        ("zprime_500", (500,), "runs/zprime_500.json"),
        ("z", (2000,), "runs/x"),
    ]
    (two,) = read_points(["a_wide:1.5,wide=p"], ["mass", "kind"])
    assert two.values == (1.5, "wide")
    (part,) = read_points(["runs/m_1.5"], ["mass"])
    assert (part.name, part.values) == ("m_1_5", (1.5,))
    (plain,) = read_points(["runs/my run 3"], [])
    assert (plain.name, plain.values) == ("my_run_3", ())


@pytest.mark.parametrize(
    ("words", "labels", "told"),
    [
        (["a:1=p"], ["m(x)"], "label"),
        (["a:1=p", "a:2=q"], ["mass"], "same name: a"),
        (["a:1=p", "b:1=q"], ["mass"], "same values"),
        (["a-b:1=p"], ["mass"], "other signs"),
        (["a:1,2=p"], ["mass"], "2 values, expected 1: mass"),
        (["run"], ["mass"], "0 values, expected 1"),
        (["a:1=p"], [], "there are no labels"),
    ],
)
def test_points_that_are_none(words, labels, told):
    with pytest.raises(InputError, match=told):
        read_points(words, labels)


def test_the_command_takes_runs_workspaces_and_bundles(tmp_path, capsys):
    for mass, scale in ((200, 0.5), (100, 1.0)):
        write_json(tmp_path / f"z_{mass}.json", published.model(SIGNAL, scale))
    run = published.run_folder(tmp_path / "z_300")
    arguments = ["publish", "patchset", str(tmp_path / "bkg.json")]
    arguments += [str(tmp_path / one) for one in ("z_200.json", "z_300", "z_100.json")]
    output, summary = tmp_path / "patchset.json", tmp_path / "summary.json"
    more = ["--output", str(output), "--json", str(summary)]
    assert main([*arguments, "--make-background", *more]) == 0
    assert "ins0000000 stands for it" in capsys.readouterr().out
    assert json.loads((tmp_path / "bkg.json").read_text()) == published.model()
    assert [one["values"] for one in json.loads(summary.read_text())["points"]] == [
        [100], [200], [300],
    ]  # fmt: skip
    before = output.read_bytes()
    assert main([*arguments[:3], *reversed(arguments[3:]), *more]) == 0
    assert output.read_bytes() == before
    assert main([*arguments, "--make-background"]) == 2
    content, _ = made(tmp_path, published.model(), published.model(SIGNAL))
    bundle = published.bundle(tmp_path / "bundle", content)
    words = ["publish", "patchset", str(bundle), f"own:1={bundle}", f"run:2={run}"]
    assert main([*words, "--record", "ins1234567", "--output", str(output)]) == 0
    stored = json.loads(output.read_text())
    assert stored["metadata"]["references"] == {"hepdata": "ins1234567"}
    assert [one["metadata"]["name"] for one in stored["patches"]] == ["own", "run"]
    assert stored["patches"][0]["patch"] == stored["patches"][1]["patch"]
    (bundle / "results" / "limit.json").write_text("{}")
    assert main(words) == 1
    assert "results/limit.json" in capsys.readouterr().err


def test_a_published_signal_comes_back(tmp_path):
    """The background of a published search with its signal, in the regions that it acts on."""
    import pyhf

    folder = shared("likelihoods/sbottom_regionA")
    background = json.loads((folder / "BkgOnly.json").read_text())
    patch = json.loads((folder / "patch.sbottom_1300_205_60.json").read_text())
    added = [one for one in patch if one["op"] == "add"]
    workspace = copy.deepcopy(background)
    for one in added:
        channel = int(one["path"].split("/")[2])
        workspace["channels"][channel]["samples"].insert(0, one["value"])
    content, _ = made(tmp_path, background, workspace)
    assert content["patches"][0]["patch"] == added
    assert content["metadata"]["digests"]["sha256"] == pyhf.utils.digest(background)


def test_the_command_says_what_there_is(capsys):
    assert main(["publish", "patchsets"]) == 2
    assert "Did you mean 'patchset'?" in capsys.readouterr().err

"""Overrides from the command line: paths, values by type, refusals."""

from __future__ import annotations

import copy
import functools

import pytest

from hepflow.errors import ConfigurationError, OverrideError
from hepflow.schema import Config, load_config_with_restricted_cli
from tests.unit.schema.examples import changed, mask, valid


def at(config, path):
    """Value of a plain configuration at a path of names and numbers."""
    return functools.reduce(lambda here, step: here[step], path, config)


def override(*arguments, config=None):
    """Apply overrides to the valid configuration."""
    return load_config_with_restricted_cli(valid() if config is None else config, arguments)


def refused(*arguments, config=None):
    """Refuse overrides; what is wrong by path."""
    with pytest.raises(OverrideError) as caught:
        override(*arguments, config=config)
    return {problem.path: problem for problem in caught.value.problems}


EDGES = [0.0, 250.0, 500.0]
READ = [
    ("general.max_files=10", ("general", "max_files"), 10),
    ("general.max_files=none", ("general", "max_files"), None),
    ("general.max_files=1e2", ("general", "max_files"), 100),
    ("general.lumi=1.64e4", ("general", "lumi"), 16400.0),
    ("general.lumi = 5", ("general", "lumi"), 5.0),
    ("general.read_from_cache=false", ("general", "read_from_cache"), False),
    ("general.read_from_cache=No", ("general", "read_from_cache"), False),
    ("general.run_skimming=ON", ("general", "run_skimming"), True),
    ("general.run_skimming=1", ("general", "run_skimming"), True),
    ("general.output_dir=10", ("general", "output_dir"), "10"),
    ("general.output_dir=a=b", ("general", "output_dir"), "a=b"),
    ("general.cache_dir=null", ("general", "cache_dir"), None),
    ("general.processes=signal,ttbar", ("general", "processes"), ["signal", "ttbar"]),
    ('general.processes=["signal"]', ("general", "processes"), ["signal"]),
    ("general.processes=none", ("general", "processes"), None),
    ("general.analysis=skip", ("general", "analysis"), "skip"),
    ("datasets.max_files=3", ("datasets", "max_files"), 3),
    (
        "datasets.datasets[2].cross_section=6.1e4",
        ("datasets", "datasets", 2, "cross_section"),
        6.1e4,
    ),
    ("datasets.datasets[0].year=2018", ("datasets", "datasets", 0, "year"), "2018"),
    ("datasets.datasets[0].year=2017,2018", ("datasets", "datasets", 0, "year"), ["2017", "2018"]),
    ("datasets.datasets[0].directory=in/a", ("datasets", "datasets", 0, "directory"), "in/a"),
    (
        'datasets.datasets[0].directories=["in/a"]',
        ("datasets", "datasets", 0, "directory"),
        ["in/a"],
    ),
    (
        "datasets.datasets[0].cross_section=[1.5]",
        ("datasets", "datasets", 0, "cross_section"),
        [1.5],
    ),
    ("datasets.datasets[0].branch_map.MET=PuppiMET",
     ("datasets", "datasets", 0, "branch_map"), {"MET": "PuppiMET"}),
    ("general.blind=true", ("general", "blind"), True),
    ("general.blind=SR", ("general", "blind"), [
        {"channel": "SR", "observable": None, "range": None}
    ]),
    ("execution.memory_limit=0.5", ("execution", "memory_limit"), 0.5),
    ("execution.on_missing=drop_dataset", ("execution", "on_missing"), "drop_dataset"),
    ("preprocess.skimming.output.format=root",
     ("preprocess", "skimming", "output", "format"), "root"),
    (
        "datasets.datasets[1].files=a.root, b.root",
        ("datasets", "datasets", 1, "files"),
        ["a.root", "b.root"],
    ),
    ("datasets.datasets[1].files[1]=c.root", ("datasets", "datasets", 1, "files", 1), "c.root"),
    ("preprocess.skimming.chunk_size=1e5", ("preprocess", "skimming", "chunk_size"), 100_000),
    (
        "preprocess.skimming.use=Muon.pt,Jet",
        ("preprocess", "skimming", "selection_use"),
        [("Muon", "pt"), ("Jet", None)],
    ),
    (
        "preprocess.skimming.static_kwargs.threshold=25.5",
        ("preprocess", "skimming", "static_kwargs", "threshold"),
        25.5,
    ),
    (
        "preprocess.skimming.static_kwargs.name=loose",
        ("preprocess", "skimming", "static_kwargs", "name"),
        "loose",
    ),
    (
        "preprocess.skimming.static_kwargs.deep.list=[1]",
        ("preprocess", "skimming", "static_kwargs", "deep", "list"),
        [1],
    ),
    ("preprocess.branches.Muon=pt,phi", ("preprocess", "branches", "Muon"), ["pt", "phi"]),
    (
        "channels[0].observables[1].binning=0,500,2",
        ("channels", 0, "observables", 1, "binning"),
        EDGES,
    ),
    (
        "channels[0].observables[1].binning=[0, 250, 500]",
        ("channels", 0, "observables", 1, "binning"),
        EDGES,
    ),
    (
        "channels[0].observables[1].binning=0,250,500,600",
        ("channels", 0, "observables", 1, "binning"),
        [*EDGES, 600.0],
    ),
    (
        "channels[0].observables[1].binning[3]=900",
        ("channels", 0, "observables", 1, "binning", 3),
        900.0,
    ),
    (
        "channels[0].observables[1].label=none",
        ("channels", 0, "observables", 1, "label"),
        "none",
    ),
    ("channels[0].observables[1].label=", ("channels", 0, "observables", 1, "label"), ""),
    ("corrections[1].target=Jet.mass", ("corrections", 1, "target"), ("Jet", "mass")),
    ("corrections[0].up_and_down_idx=a,b", ("corrections", 0, "up_and_down_idx"), ("a", "b")),
    ("corrections[0].nominal_idx=1", ("corrections", 0, "nominal_idx"), "1"),
    ("systematics[0].size=0.016", ("systematics", 0, "size"), 0.016),
    (
        "statistics.norm_factors[0].bounds=-5,5",
        ("statistics", "norm_factors", 0, "bounds"),
        (-5.0, 5.0),
    ),
    (
        "statistics.norm_factors[0].bounds[1]=50",
        ("statistics", "norm_factors", 0, "bounds"),
        [0.0, 50.0],
    ),
    (
        "statistics.norm_factors[1].bounds[1]=50",  # the dict does not carry it
        ("statistics", "norm_factors", 1, "bounds"),
        [0.0, 50.0],
    ),
    ("plotting.formats[0]=svg", ("plotting", "formats"), ["svg", "png"]),
    ("plotting.process_labels.ttbar=top", ("plotting", "process_labels"), {"ttbar": "top"}),
    ('plotting.process_labels={"ttbar": "x"}', ("plotting", "process_labels"), {"ttbar": "x"}),
    ("execution.workers=none", ("execution", "workers"), None),
    ("execution.workers=2", ("execution", "workers"), 2),
    ('execution={"workers": 2}', ("execution",), {"workers": 2}),
    ('statistics.norm_factors[0]={"name": "mu", "processes": ["signal"]}',
     ("statistics", "norm_factors", 0), {"name": "mu", "processes": ["signal"]}),
]  # fmt: skip


@pytest.mark.parametrize("dashes", ["", "--"])
@pytest.mark.parametrize(("argument", "path", "value"), READ)
def test_a_value_is_read_by_the_type_of_its_field(dashes, argument, path, value):
    config = valid()
    before = copy.deepcopy(config)
    new = override(dashes + argument, config=config)
    found = at(new, path)
    assert found == value
    assert type(found) is type(value)
    assert config == before
    Config(**new) if "[0].year" not in argument else None


def test_only_what_is_named_changes():
    new = override("channels[0].observables[1].label=x")
    new["channels"][0]["observables"][1]["label"] = "pt [GeV]"
    assert new == valid()


def test_luminosity_by_year():
    expected = {"2018": 59.7}
    assert override('general.lumi={"2018": 59.7}')["general"]["lumi"] == expected
    assert override("general.lumi.2018=59.7")["general"]["lumi"] == expected
    both = override("general.lumi.2018=59.7", "general.lumi.2017=41")["general"]["lumi"]
    assert both == {"2018": 59.7, "2017": 41.0}
    config = changed(general__lumi={2018: 1.0})
    assert override("general.lumi.2018=59.7", config=config)["general"]["lumi"] == {2018: 59.7}


def test_sections_that_the_dict_does_not_carry_are_made():
    config = {name: valid()[name] for name in ("general", "datasets")}
    new = override("preprocess.skimming.output.output_dir=/x", "execution.workers=3", config=config)
    assert new["preprocess"] == {"skimming": {"output": {"output_dir": "/x"}}}
    assert new["execution"] == {"workers": 3}
    config["execution"] = None
    assert override("execution.workers=3", config=config)["execution"] == {"workers": 3}


def test_the_last_of_several_holds():
    assert override("general.max_files=1", "general.max_files=2")["general"]["max_files"] == 2


def test_entries_of_tuples():
    config = changed(channels=tuple(valid()["channels"]))
    new = override("channels[1].label=x", config=config)
    assert new["channels"][1]["label"] == "x"
    assert config == changed(channels=tuple(valid()["channels"]))


def test_a_validated_configuration_can_be_overridden_too():
    new = load_config_with_restricted_cli(Config(**valid()), ["general.max_files=7"])
    assert Config(**new).general.max_files == 7


FUNCTIONS = [
    ("channels[0].observables[1].function", "channels[0].observables[1].binning"),
    ("channels[0].observables[1]", "channels[0].observables[1].label"),
    ("channels[0].observables", "channels[0].observables[0].binning"),
    ("channels[0]", "channels[0].fit_observable"),
    ("channels", "channels[0].fit_observable"),
    ("corrections", "corrections[0].file"),
    ("corrections[1].uncertainty_sources[0].up_function", "uncertainty_sources[0].name"),
    ("preprocess.skimming", "preprocess.skimming.chunk_size"),
    ("preprocess.skimming.selection_function", "preprocess.skimming.chunk_size"),
    ("baseline_selection.function", "baseline_selection.use"),
    ("datasets.prepare", "datasets.max_files"),
    ("systematics[1].up_function", "systematics[1].size"),
]


@pytest.mark.parametrize(("path", "beside"), FUNCTIONS)
@pytest.mark.parametrize("value", ["x", "none", "{}", "[]"])
def test_what_is_or_holds_a_function_cannot_be_set(path, beside, value):
    problems = refused(f"--{path}={value}")
    assert list(problems) == [path]
    assert "is or holds a function" in problems[path].message
    assert beside in problems[path].hint
    assert "unction" not in problems[path].hint.replace("function.use", "")


def test_a_function_in_a_free_mapping_cannot_be_set():
    config = changed(preprocess__skimming__static_kwargs={"cut": mask, "n": 1})
    path = "preprocess.skimming.static_kwargs"
    assert "holds a function" in refused(f"{path}.cut=3", config=config)[f"{path}.cut"].message
    assert "holds a function" in refused(f"{path}={{}}", config=config)[path].message
    assert override(f"{path}.n=3", config=config)["preprocess"]["skimming"]["static_kwargs"] == {
        "cut": mask,
        "n": 3,
    }


REFUSED = [
    ("general.max_files=ten", "general.max_files", "expected a number, but got 'ten'"),
    ("general.max_files=0", "general.max_files", "expected a number above 0, but got 0"),
    ("general.max_files=1.5", "general.max_files", "a whole number"),
    ("general.max_files=true", "general.max_files", "a number"),
    ("general.lumi=-1", "general.lumi", "above 0, or a mapping (dict), but got -1"),
    ("general.lumi=nan", "general.lumi", "a finite number"),
    ("general.lumi.2018=-1", "general.lumi.2018", "above 0"),
    ("general.run_skimming=maybe", "general.run_skimming", "true or false, but got 'maybe'"),
    ("general.output_dir=", "general.output_dir", "not empty"),
    ("general.analysis=diff", "general.analysis", "'diff' is refused"),
    ("general.analysis=nondif", "general.analysis", "Did you mean 'nondiff'?"),
    ("general.lumii=1", "general.lumii", "Did you mean 'lumi'?"),
    ("genral.lumi=1", "genral", "Did you mean 'general'?"),
    ("general.run_mva_training=true", "general.run_mva_training", "networks does not exist yet"),
    ("mva=1", "mva", "networks do not exist yet"),
    ("mva[0].x=1", "mva", "networks do not exist yet"),
    ("channels[7].label=x", "channels[7]", "no such entry; the list has 2 entries"),
    ("good_object_masks.analysis[1].object=x", "good_object_masks.analysis[1]", "has 1 entry"),
    ("channels.0.label=x", "channels.0", "Write channels[0]"),
    ("channels.label=x", "channels.label", "this is a list"),
    ("general[0]=x", "general[0]", "no list"),
    ("general.lumi[0]=1", "general.lumi[0]", "no list"),
    ("general.max_files.x=1", "general.max_files.x", "plain value"),
    ("channels[0].observables[0].binning=3,2,1,0", "channels[0].observables[0].binning", ""),
    ("channels[0].observables[0].binning=9,1,5", "channels[0].observables[0].binning", "low <"),
    ("channels[0].kind=signl", "channels[0].kind", "Did you mean 'signal'?"),
    ("statistics.norm_factors[0].bounds=1", "statistics.norm_factors[0].bounds[1]", "missing"),
    ("statistics.norm_factors[0].bounds[2]=1", "statistics.norm_factors[0].bounds[2]", ""),
    ('execution={"worker": 1}', "execution.worker", "Did you mean 'workers'?"),
    ("plotting.formats=pdf,gif", "plotting.formats[1]", "'pdf', 'png' or 'svg'"),
]


@pytest.mark.parametrize(("argument", "path", "says"), REFUSED)
def test_a_wrong_override_says_what_is_wrong(argument, path, says):
    problems = refused(argument)
    assert list(problems) == [path]
    assert says in str(problems[path])


@pytest.mark.parametrize(
    "argument",
    ["", "--", "=", "general", "--general.max_files", "=3", "--=3", "-v"],
)
def test_an_override_without_an_assignment(argument):
    with pytest.raises(OverrideError, match=r"expected --section\.key=value"):
        override(argument)


@pytest.mark.parametrize(
    "path",
    [
        "a..b",
        ".a",
        "a.",
        "channels[x].label",
        "channels[0",
        "channels0]",
        "channels[-1].label",
        "[]",
    ],
)
def test_a_path_that_cannot_be_read(path):
    with pytest.raises(OverrideError, match="no path of a configuration"):
        override(f"{path}=1")


def test_all_wrong_overrides_are_reported_at_once():
    problems = refused("general.max_files=x", "general.lumi=5", "genral.a=1", "channels[0].label=x")
    assert list(problems) == ["general.max_files", "genral"]
    with pytest.raises(ConfigurationError, match="the configuration has 2 problems"):
        override("general.max_files=x", "genral.a=1")


def test_a_refused_override_leaves_the_dict_alone():
    config = valid()
    refused("general.max_files=1", "general.lumii=1", config=config)
    assert config == valid()


MALFORMED = [
    ("general", [1], "general.max_files=1", "general", "expected a section (dict) here"),
    ("general", 5, "general.max_files=1", "general", "but the configuration has 5"),
    ("channels", {"SR": 1}, "channels[0].label=x", "channels", "expected a list here"),
    ("channels", [5], "channels[0].label=x", "channels[0]", "has 5"),
    ("preprocess", {"skimming": mask}, "preprocess.skimming.chunk_size=1", "preprocess.skimming",
     "the function mask"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "value", "argument", "path", "says"), MALFORMED)
def test_a_mistake_in_the_dict_on_the_way(section, value, argument, path, says):
    problems = refused(argument, config=changed(**{section: value}))
    assert list(problems) == [path]
    assert says in problems[path].message


def test_a_configuration_that_is_no_mapping():
    with pytest.raises(ConfigurationError, match=r"expected a mapping \(dict\) of sections"):
        load_config_with_restricted_cli([1], [])


def test_one_text_is_one_override():
    new = load_config_with_restricted_cli(valid(), "general.max_files=2")
    assert new["general"]["max_files"] == 2


def by_year():
    """The valid configuration with corrections by year, the years as numbers."""
    config = changed(general__lumi={2017: 1.0, 2018: 2.0})
    for entry, year in zip(config["datasets"]["datasets"], (2017, 2017, 2018, 2018), strict=True):
        entry["year"] = year
    config["corrections"] = {2017: config["corrections"][:1], 2018: config["corrections"]}
    return config


def test_sections_by_year_are_reached_by_their_year():
    new = override(
        "corrections.2017[0].out_of_range=clamp", "general.lumi.2018=5", config=by_year()
    )
    assert [list(new["corrections"]), list(new["general"]["lumi"])] == [[2017, 2018]] * 2
    assert new["corrections"][2017][0]["out_of_range"] == "clamp"
    assert "out_of_range" not in new["corrections"][2018][0]
    assert new["general"]["lumi"] == {2017: 1.0, 2018: 5.0}
    Config(**new)


def test_a_year_and_a_list_are_not_taken_for_each_other():
    assert "expected a list here" in str(refused("corrections[0].op=mult", config=by_year()))
    assert "expected a section (dict) here" in str(refused("corrections.2017[0].op=mult"))
    problems = refused("corrections.2019[0].op=mult", config=by_year())
    assert "there is no such entry" in problems["corrections.2019[0]"].message

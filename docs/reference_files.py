"""Write ``reference/files.md`` from the table below: ``make docs``.

The names of files and formats come from the modules that write them; a test compares the table
with what a run leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hepflow.analysis.stored import FILLED_STAMP
from hepflow.histograms import LOSSLESS_FILE, ROOT_FILE
from hepflow.histograms.cutflows import CUTFLOW_FILE
from hepflow.output_manager import CACHE_VARIABLE, OutputDirectoryManager
from hepflow.schema import Config
from hepflow.skimming.formats import FORMATS
from hepflow.skimming.losses import LOST
from hepflow.skimming.manifest import MANIFEST
from hepflow.stamps import STAMP
from hepflow.statistics import TEMPLATE_FILE

PAGE = Path(__file__).resolve().parent / "reference" / "files.md"
PARTS = ", ".join(f"`{one.suffix}` ({name})" for name, one in FORMATS.items())
STAMP_KEYS = {
    "key": "`stage`, `digest`, and the digest of each `part` of it",
    "files": "file -> size [bytes], time of the last change [ns] and SHA-256",
}


@dataclass(frozen=True)
class File:
    """A file that a run leaves."""

    path: str  # below the output folder; with * and <names>
    what: str
    below: tuple[str, ...] = ()  # what the levels above `keys` go by: a key, or "list"
    keys: Mapping[str, str] = field(default_factory=dict)  # of JSON: name -> meaning
    always: bool = True  # whether every complete run leaves it


BY_METHOD = ("method",)
SBI_FILES = (
    File(
        "inference/events.h5",
        "Events of simulation-based inference with weights at all benchmarks, in MadMiner's layout",
        always=False,
    ),
    File(
        "inference/events.json",
        "What is in it",
        keys={
            "parameters": "of the theory, with ranges and units",
            "observables": "names",
            "events": "that pass the cuts",
            "events_generated": "before the cuts",
            "jobs": "that made them",
            "benchmarks": "list of `name`, `values`, `events_generated`, `cross_section` after "
            "cuts [pb], `effective_events`",
            "cutflow": "list of `name`, `events`",
            "provenance": "generator, parton distributions, detector, seed",
        },
        always=False,
    ),
    File("inference/jobs/*.npz", "Events of each job, before they are joined", always=False),
    File(
        "inference/methods/<method>.json",
        "All that is in the files below, of one method",
        always=False,
    ),
    File(
        "inference/limits.json",
        "Limits of each method; `histogram` is a fit of observables, `exact` the likelihood of the "
        "process where it is known",
        BY_METHOD,
        {
            "limits": "`method`, `fit` (as `statistics/fit.json`), `scan`, `regions`, `profiles`, "
            "`slices`, `model`",
            "critical": "critical values of the test statistic from toys",
        },
        always=False,
    ),
    File(
        "inference/information.json",
        "Fisher information",
        BY_METHOD,
        {"information": "list of `kind`, `parameters`, `matrix`, `uncertainty`, ..."},
        always=False,
    ),
    File(
        "inference/calibration.json",
        "Checks of the estimators",
        BY_METHOD,
        {
            "closure": "list of means that are known: `name`, `theta`, `expected`, `mean`, ...",
            "reweighting": "observables at a point, and reweighted to it",
            "reliability": "probabilities that are stated, and how often they are right",
            "uncalibrated": "the same of a calibrated ratio as it was before",
        },
        always=False,
    ),
    File(
        "inference/coverage.json",
        "How often regions of toys contain their truth",
        BY_METHOD,
        {"coverage": "list of `calculator`, `confidence_level`, `covered`, `toys`, ..."},
        always=False,
    ),
    File(
        "inference/accuracy.json",
        "Accuracy against the exact likelihood, where it is known",
        BY_METHOD,
        {"accuracy": "`log_ratio` or `score`: mean squared error over variance; `events`"},
        always=False,
    ),
    File(
        "inference/comparison.json",
        "Estimates of events beside what is known of them, for figures",
        BY_METHOD,
        {"comparison": "list of `quantity`, `against` (true or joint), `known`, `estimated`"},
        always=False,
    ),
    File("inference/run.json", "As `report/run.json`, of `hepflow sbi`", always=False),
    File(
        "models/<method>/member_<number>/*",
        "Trained networks: `model.json`, `weights.npz` and `history.json`",
        always=False,
    ),
    File("plots/inference/*", "Figures of the inference", always=False),
)
ORIGIN = {"remarks": "as in `report/run.json`", "input": "likewise"}
FILES = (
    File(
        "config/resolved.json",
        "The configuration as run; a function as `{function: module:name, fingerprint, reads}`, "
        "where `reads` are the numbers it reads",
        keys=dict.fromkeys(Config.model_fields, ""),
    ),
    File(
        "config/previous.json",
        "That of the run before, where it was another one; the report shows the difference",
        keys=dict.fromkeys(Config.model_fields, ""),
        always=False,
    ),
    File(
        "config/invocation.json",
        "How the run was started on the command line",
        keys={
            "prog": "program",
            "cwd": "folder",
            "config": "`module:attribute`",
            "analysis": "`module:Class`, or null",
            "overrides": "list of texts",
            "withheld": "names of overrides with credentials, which are not kept",
            "script_dir": "folder of the script, where its modules are found",
        },
        always=False,
    ),
    File(
        "metadata/fileset.json",
        "Input files, in the shape of coffea's filesets",
        ("dataset",),
        {
            "files": "path or URL -> tree",
            "metadata": "`process`, `variation`, `xsec` [pb], `is_data`, `year`, `n_files` (also "
            "those that `max_files` leaves out), and `lost`: files that cannot be read",
        },
    ),
    File(
        "metadata/workitems.json",
        "Entry ranges of the files, with the fields of coffea's work items",
        ("list",),
        {
            "dataset": "its key",
            "filename": "path or URL",
            "treename": "name of the tree",
            "entrystart": "first entry",
            "entrystop": "entry after the last one",
            "fileuuid": "of the file, in base64",
            "usermeta": "`file_nevts`, `file_runs_sum`, `file_digest`: entries of the whole file, "
            "the sum of weights in its Runs tree, and what tells it from a rewritten one",
        },
    ),
    File(
        "metadata/nanoaods.json",
        "Events and sums of weights",
        ("process", "variation"),
        {
            "files": "list of `path`, `nevts`, `sum_weights`, `dataset`",
            "nevts_total": "events; by dataset where the process has several",
            "sum_weights_total": "sum of generator weights; by dataset likewise",
        },
    ),
    File(
        "metadata/files.json",
        "What was learned about each file, for the next run",
        keys={
            "format": "of this file",
            "digest": "of `files`: changed ones are not believed",
            "files": "by dataset, path, size and time",
        },
    ),
    File(
        f"skimmed/<dataset>/{MANIFEST}",
        "Parts of the skim of a dataset, and what they were made with",
        keys={
            "format": "of this file",
            "key": STAMP_KEYS["key"],
            "parts": "list of `name`, `n_selected`, `counts` (entry range, events and sums of "
            "weights before the selection), size, time and uuid of the input file",
        },
    ),
    File("skimmed/<dataset>/*_*-*_*", f"Events of an entry range: {PARTS}"),
    File(
        f"skimmed/<dataset>/{LOST}",
        "Parts that could not be made, where `execution.on_missing` goes on without them",
        keys={"key": "digest of the key in the manifest", "losses": "list, as in the report"},
        always=False,
    ),
    File(
        f"histograms/{ROOT_FILE}",
        "One TH1D for each `channel__observable__process[__source_up\\|down]`, for ROOT, uproot "
        "and cabinetry; under- and overflow included",
    ),
    File(
        f"histograms/{LOSSLESS_FILE}",
        "All histograms with the ledger of what was processed, lossless (`uhi.io.zip`, which "
        "`hist` reads)",
    ),
    File(
        f"histograms/{CUTFLOW_FILE}",
        "Events after each cut",
        keys={
            "channels": "channel -> process -> list of cuts",
            "datasets": "channel -> dataset -> list of cuts",
            "variations": "channel -> variation -> dataset -> list of cuts; of channels with "
            "`cutflow_variations` only",
            "remarks": "what every table says, such as the fraction of data",
            "input": "as in `report/run.json`",
        },
    ),
    File(f"histograms/{FILLED_STAMP}", "What the histograms were filled from", keys=STAMP_KEYS),
    File(f"histograms/{STAMP}", "What these files were made with", keys=STAMP_KEYS),
    File(
        "statistics/cabinetry_config.yaml",
        "The statistical model as a cabinetry configuration; your own where its first line was "
        "taken away",
    ),
    File(
        f"statistics/{TEMPLATE_FILE}",
        "What the fit takes, where it differs from what was filled (folded overflow)",
        always=False,
    ),
    File(
        "statistics/workspace.json",
        "The pyhf workspace",
        keys={
            "channels": "samples with their modifiers",
            "observations": "data",
            "measurements": "parameter of interest, bounds",
            "version": "of the format",
        },
    ),
    File(
        "statistics/input.json",
        "What became of the input of the workspace, whose format has no place for it",
        keys=ORIGIN,
    ),
    File(
        "statistics/groups.json",
        "Groups of nuisance parameters, for impacts that are told together: name -> parameters",
    ),
    File(
        "statistics/audit.json",
        "Findings of the [audit](../explanation/audit.md)",
        keys={
            "code": "kind of the finding",
            "severity": "`error`, `warning` or `accepted`",
            "region": "channel",
            "sample": "process; empty: the region as a whole",
            "systematic": "source; empty: the nominal template",
            "bins": "from 0; empty: all",
            "message": "what was found, and what to do",
        },
        below=("list",),
    ),
    File(
        "statistics/fit.json",
        "The fit",
        keys={
            "poi": "parameter of interest",
            "labels": "names of the parameters, in the order of the lists below",
            "bestfit": "values",
            "uncertainty": "standard deviations",
            "correlation": "matrix",
            "twice_nll": "twice the negative logarithm of the likelihood at its minimum",
            "goodness_of_fit": "p-value of the saturated model",
            "converged": "whether this is a result; false also at a bound",
            "notes": "why not, and what else to know",
            "intervals": "`parameter`, `bestfit`, `low`, `high`, `confidence_level` of those that "
            "`statistics.minos` names",
            "model": "`digest`, `background_uncertainty`, `backend`, `optimizer`, bounds",
            **ORIGIN,
        },
    ),
    File(
        "statistics/prediction.json",
        "Yields and uncertainties",
        keys={
            "prefit": "by channel and sample",
            "postfit": "likewise",
            "expected_only": "whether the fit is to Asimov data",
            **ORIGIN,
        },
    ),
    File(
        "statistics/validation.json",
        "Yields and uncertainties in validation regions",
        keys={"prefit": "by channel and sample", "postfit": "likewise", **ORIGIN},
        always=False,
    ),
    File(
        "statistics/ranking.json",
        "Impacts on the parameter of interest, see `statistics.ranking`",
        keys={
            "poi": "parameter of interest",
            "bestfit": "its value",
            "uncertainty": "its standard deviation",
            "impacts": "list, largest first: `parameter`, `bestfit`, `uncertainty`, `nominal`, "
            "`prefit_uncertainty`, `postfit` and `prefit` (change of the parameter of interest, "
            "down and up), `group`",
            "groups": "list: `group`, `parameters`, `impact`",
            "model": "as in `fit.json`",
            **ORIGIN,
        },
    ),
    File(
        "statistics/scan_<parameters>.json",
        "Profiled likelihood, see `statistics.scans`",
        keys={
            "parameters": "one or two names",
            "values": "grid of each",
            "delta": "-2 ln(L / L_max) on the grid, the last parameter runs fastest",
            "bestfit": "of these parameters",
            "data": "`observed` or `asimov`",
            "intervals": "of one parameter, as in `fit.json`",
            "model": "likewise",
            **ORIGIN,
        },
        always=False,
    ),
    File(
        "statistics/goodness_of_fit.json",
        "Goodness of fit with toys, see `statistics.goodness_of_fit`",
        keys={
            "statistic": "-2 ln(L / L of the saturated model)",
            "degrees_of_freedom": "bins less free parameters",
            "p_value": "fraction of toys that fit worse",
            "calculator": "`toys`",
            "toys": "statistic of each",
            "failed": "toys without a fit",
            "model": "as in `fit.json`",
            **ORIGIN,
        },
        always=False,
    ),
    File(
        "statistics/limit.json",
        "Upper limits; see [limits](../explanation/limits.md)",
        keys={
            "poi": "parameter of interest",
            "poi_range": "its bounds",
            "confidence_level": "such as 0.95",
            "observed": "null where it is refused",
            "expected": "five values, from -2 to +2 standard deviations",
            "expected_kind": "`a_priori` or `a_posteriori`",
            "cls_at_observed": "CLs there, evaluated again",
            "test_statistic": "`qtilde`",
            "calculator": "`asymptotic` or `toys`",
            "model": "as in `fit.json`; `toys` has their number, seed, failures and uncertainties",
            "scan": "CLs on a grid, for drawing",
            **ORIGIN,
        },
    ),
    File(
        "statistics/significance.json",
        "Discovery",
        keys={
            "observed_p": "p-value of no signal",
            "observed_z": "in standard deviations",
            "expected_p": "median for the nominal signal",
            "expected_z": "likewise",
            "calculator": "`asymptotic` or `toys`",
            "model": "of toys, as in `limit.json`",
            **ORIGIN,
        },
    ),
    File(f"statistics/{STAMP}", "What these files were made with", keys=STAMP_KEYS),
    File("plots/<channel>/*", "Observables, as `plotting.formats` says", always=False),
    File(
        "plots/<channel>/variations/*",
        "What each source does to the templates of the fit (`plotting.template_variations`)",
        always=False,
    ),
    File(
        "plots/statistics/*",
        "Before and after the fit, pulls, correlation, impacts, scans",
        always=False,
    ),
    File("plots/look.json", "How the figures look, for `hepflow plot`"),
    File(
        "statistics/tables/*",
        "Yields, effects of sources, the fit, impacts and cutflows as LaTeX",
    ),
    File("report/index.html", "The whole run in one page, see [the report](../how-to/report.md)"),
    File(
        "report/run.json",
        "Where the results come from",
        keys={
            "python": "version",
            "platform": "operating system",
            "packages": "versions",
            "user_code": "folder, git commit, whether it was modified",
            "input_digests": "SHA-256 of correction files and lists of certified runs",
            "losses": "input that could not be processed, with the reason",
            "remarks": "what every plot and table says, such as the fraction of data",
            "ledger": "entry ranges processed and lost, sums of weights, files expected",
            "input": "list with the account of each dataset: files, events and sums of weights "
            "expected, processed, skipped and failed; see [losses](../explanation/losses.md)",
            "stages": "list of `name`, `outcome` (ran, reused, read back, left out), `why`",
            "stage_seconds": "wall clock [s]",
            "cpu_seconds": "workers included [s]",
            "wall_seconds": "[s]",
            "exit_status": "0 only if every enabled step succeeded",
            "problems": "why not",
        },
    ),
    File(
        "report/rates.json",
        "How fast the stages that ran were, for the estimates of `hepflow plan`",
        ("stage",),
        {"count": "files, events, fits or figures", "cpu_seconds": "that they took [s]"},
        always=False,
    ),
    *SBI_FILES,
    File("logs/hepflow.log", "Messages; tracebacks of unforeseen errors lie beside it"),
    File(
        "logs/failed/<stage>-<dataset>-<digest>.json",
        "One for each entry range that failed in the last run; `hepflow replay` does it again",
        always=False,
    ),
)
OUTCOME = {
    "exit_status": "as the command's",
    "problems": "list of texts",
    "remarks": "as in `report/run.json`",
    "losses": "likewise",
    "input": "likewise",
    "expected_only": "whether the fit is to Asimov data",
    "limit": "`poi`, `confidence_level`, `observed`, `expected`, `expected_kind`; or null",
    "fit": "`poi`, `value`, `error`; or null",
    "output_dir": "folder",
    "plots_dir": "folder",
    "stages": "as in `report/run.json`",
    "report": "path of `report/index.html`",
    "cpu_seconds": "workers included [s]",
    "wall_seconds": "[s]",
}
HEAD = """\
# Files

This page is generated from the table in `docs/reference_files.py` by `make docs`.

A run writes below `general.output_dir` (default `outputs`). Every file is written to a temporary
name in the same folder and renamed: it is whole, or not there. Keys of datasets are
`<name>__<variation>`, such as `wjets__nominal`; collision data has its name alone. Where a dataset
has several years or slices, they are part of the name."""
CACHE = f"""\
## The cache

In the user's cache folder, or in `{CACHE_VARIABLE}`, or in `general.cache_dir`. It belongs to the
user and is not readable by others (mode 0700). It can be removed at any time; what is needed is
made again.

| folder | content |
|---|---|
| `histograms/merged/` | the last fillings, one file for each channel and key |
| `histograms/prepared/` | events that are ready for the channels, 3 GB at most |
| `histograms/parts/` | parts that were filled by a run that did not come to its end |
| `duplicates/` | which events of data stand there twice |
| `luminosity/` | luminosity blocks of data files, where data is incomplete |
| `isolated/`, `histograms/isolated/` | which entries failed, to be tried first |
| `samples/` | built-in samples |

Downloaded corrections and file lists, where a configuration names URLs, lie there as well."""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, *_overview()]
    for one in FILES:
        if one.keys and one.path not in _ELSEWHERE:
            parts += [f"### `{one.path}`", *_details(one)]
    parts += [CACHE, "## The outcome on the command line", _outcome()]
    return "\n\n".join(parts) + "\n"


_ELSEWHERE = {"config/resolved.json"} | {one.path for one in FILES if one.keys == STAMP_KEYS}


def _overview() -> Iterator[str]:
    for folder in OutputDirectoryManager("outputs").list_structure():
        mine = [one for one in FILES if one.path.startswith(f"{folder}/")]
        if mine:
            rows = [f"| `{_escaped(one.path)}` | {one.what} |" for one in mine]
            yield "\n".join([f"## {folder}", "", "| file | content |", "|---|---|", *rows])
    yield (
        f"A `{STAMP}` (or `.<name>.{STAMP}` beside a figure) says what files were made with: "
        f"`key` ({STAMP_KEYS['key']}) and `files` ({STAMP_KEYS['files']}). See "
        "[caching](../explanation/caching.md). `resolved.json` has the sections of the "
        "[configuration](configuration.md).\n\n## Keys of the JSON files"
    )


def _details(one: File) -> Iterator[str]:
    levels = ["a list of" if level == "list" else f"by {level}:" for level in one.below]
    if levels:
        yield f"{' '.join(levels).capitalize()}"
    yield _table(one.keys)


def _table(keys: Mapping[str, str]) -> str:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in keys.items()]
    return "\n".join(["| key | meaning |", "|---|---|", *rows])


def _outcome() -> str:
    told = (
        "`--json FILE` (`-` is standard output) writes what the last lines of `hepflow run` say, "
        "for programs. For `hepflow plan` and `hepflow sbi plan` it is the list of stages: "
        "`name`, `what`, `command` (that does it), `runs`, `status`, `why`, `pieces`, `work`; for "
        "`hepflow why` what the command shows, by name; for `hepflow cache` the list of what is "
        "kept, removed or damaged; for `hepflow init` the `folder` and its `files`."
    )
    return f"{told}\n\n{_table(OUTCOME)}"


def _escaped(path: str) -> str:
    return path.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

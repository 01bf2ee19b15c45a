"""One tree of errors, so that a caller catches as much or as little as it wants.

Each class has a code of its own, "HF" and three digits. The first digit is the branch of the tree,
and x00 the class at its foot; a code keeps its meaning, and that of a class that is gone is not
given again. ``docs/reference/errors.md`` lists all of them with cause, remedy and messages.

::

    HepflowError                     HF000 exit status 1
    +-- ConfigurationError           HF100 exit status 2; carries every problem, each with its path
    |   +-- OverrideError            HF101 a --section.key=value that cannot be applied
    +-- InputError                   HF200 exit status 2; what the user handed in is not usable
    |   +-- FileListError            HF201 listing missing or empty, glob without match, repetition
    |   +-- UnreadableFile           HF202 missing, truncated or not a ROOT file
    |   +-- MissingTree              HF203
    |   +-- MissingBranch            HF204
    |   +-- CorrectionError          HF205 correction file, key or input outside its domain
    |   +-- NormalisationError       HF206 cross-section, sum of weights or luminosity missing
    |   +-- WorkspaceError           HF207 a workspace or a cabinetry file that does not fit
    +-- UserFunctionError            HF300 a configured function failed or returned the unusable
    |   +-- MaskError                HF301 a mask whose length is not that of the events
    +-- StorageError                 HF400
    |   +-- ChecksumError            HF401 the bytes are not those that were written
    |   +-- UnsafeContent            HF402 a pickle or a path that is not admitted
    |   +-- MissingArtifact          HF403 an earlier step has not produced this yet
    +-- ExecutionError               HF500 some work items failed; what finished is kept
    |   +-- WorkerLost               HF501 a worker process died
    |   +-- IncompleteInput          HF502 more of a dataset was lost than the limit admits
    +-- FitError                     HF600 a fit without a result that may be shown
        +-- LimitError               HF601 no bracket, or the limit does not verify
        +-- AuditError               HF602 templates that are not to be fitted as they are

Three classes live with the code that raises them: `hepflow.skimming.formats.columns.NotHeld`
(HF404, a StorageError), `hepflow.keys.CannotFingerprint` (HF700) and
`hepflow.reinterpretation.workflows.problems.WorkflowError` (HF102, a ConfigurationError).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


class HepflowError(Exception):
    """Root of all errors that hepflow raises on purpose."""

    exit_status: ClassVar[int] = 1
    code: ClassVar[str] = "HF000"
    cause: ClassVar[str] = (
        "Something that hepflow foresees went wrong, and no class below says it more closely."
    )
    remedy: ClassVar[str] = "Read the message: it says what, where and what to do."


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a configuration."""

    path: str  # "channels[0].observables[2].binning"
    message: str  # what is wrong and what was expected
    hint: str = ""  # what to do, such as the nearest valid name

    def __str__(self) -> str:
        """Render as ``path: message. hint``."""
        stop = "" if self.message.endswith((".", "?", ")", ":")) else "."
        tail = f"{stop} {self.hint}" if self.hint else ""
        return f"{self.path}: {self.message}{tail}"


class ConfigurationError(HepflowError):
    """The configuration is wrong; `problems` holds all that is wrong, not only the first."""

    code = "HF100"
    cause = (
        "The configuration has unknown keys, values of a wrong type, or values that contradict "
        "each other; the message lists every problem with its path."
    )
    remedy = (
        "Correct the entry at each path; the reference of the configuration gives type, unit and "
        "default of each field."
    )
    exit_status = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"the configuration has {head}:\n{lines}")

    def __reduce__(self) -> tuple[type, tuple[Sequence[Problem]]]:
        """Travel between processes with the problems, not with the text."""
        return type(self), (self.problems,)


class OverrideError(ConfigurationError):
    """A command-line override names something that cannot be set."""

    code = "HF101"
    cause = (
        "A --section.key=value on the command line names no field, names a function, or has a "
        "value that the field does not take."
    )
    remedy = (
        "Compare the path with the reference of the configuration, and quote the word where the "
        "shell would change it, as with brackets or blanks."
    )


class InputError(HepflowError):
    """What the user handed in (files, lists, correction files) cannot be used."""

    code = "HF200"
    cause = "A file, a list, a name or an argument that was handed in cannot be used as it is."
    remedy = (
        "Correct what the message names, or hand in another one; nothing that was computed before "
        "is lost."
    )
    exit_status = 2


class FileListError(InputError):
    """A listing is missing or empty, a glob matches nothing, or a file is repeated."""

    code = "HF201"
    cause = (
        "The list of a dataset's files is missing or empty, matches no file, or holds a file "
        "twice, whose events would count twice."
    )
    remedy = (
        "Check `files`, `directory` and the redirectors of the dataset, and name each file once."
    )


class UnreadableFile(InputError):
    """A file is missing, truncated or not of a known format."""

    code = "HF202"
    cause = (
        "An input file is missing, empty, truncated, corrupted, not permitted to be read or of a "
        "format that hepflow does not read, or its server does not answer."
    )
    remedy = (
        "Fetch the file again or take it off the list; execution.on_missing says whether a run "
        "goes on without it."
    )


class MissingTree(InputError):
    """A file does not hold the tree that the configuration names."""

    code = "HF203"
    cause = "A file can be read but does not hold the tree that the configuration names."
    remedy = (
        "Set `tree_name` of the dataset to one of the trees that the message lists, or take the "
        "file off the list."
    )


class MissingBranch(InputError):
    """A configured function asks for a branch that the file does not have."""

    code = "HF204"
    cause = (
        "A configured function asks for a branch that the file does not have: a misspelt name, "
        "another NanoAOD version, or a branch of simulation asked of data."
    )
    remedy = (
        "Correct the name in the function's columns, give the name that the file uses in "
        "`branch_map` of the dataset, or move branches of simulation to preprocess.mc_branches."
    )


class CorrectionError(InputError):
    """A correction file, its key, or an input outside its domain."""

    code = "HF205"
    cause = (
        "A correction file cannot be read, has no correction of that name, takes other inputs "
        "than those given, or was asked outside its domain."
    )
    remedy = (
        "Compare file, key and inputs of the correction with what the file declares, and select "
        "the objects within its domain or set `out_of_range` of the correction."
    )


class NormalisationError(InputError):
    """Cross-section, luminosity or sum of weights is missing or contradictory."""

    code = "HF206"
    cause = (
        "The expected number of events cannot be computed: cross-section, sum of generator "
        "weights or luminosity is missing, zero or contradictory."
    )
    remedy = (
        "Give the cross-section [pb] of the dataset and the luminosity [1/pb] of the year, and "
        "check the branch of generator weights."
    )


class WorkspaceError(InputError):
    """A workspace, a patch or a cabinetry configuration that does not fit."""

    code = "HF207"
    cause = (
        "A pyhf workspace, a patch or a cabinetry configuration is missing, damaged, or does not "
        "fit the histograms or the program."
    )
    remedy = (
        "Correct the file at the place that the message names; pyhf and cabinetry can validate it "
        "on their own."
    )


class UserFunctionError(HepflowError):
    """A configured function raised, or returned something that cannot be used."""

    code = "HF300"
    cause = (
        "A function of the configuration raised an exception, cannot be loaded, or returned "
        "something that is not one finite value for each event or object."
    )
    remedy = (
        "Correct the function that the message names with file and line; `hepflow replay` runs a "
        "failed range of entries again, optionally under the debugger."
    )


class MaskError(UserFunctionError):
    """A mask whose length or type does not fit the events."""

    code = "HF301"
    cause = (
        "A selection returned a mask whose length or type is not that of the events or objects it "
        "selects from."
    )
    remedy = (
        "Return one boolean for each event (or for each object in each event), without missing "
        "values, computed from the columns that the function was given."
    )


class StorageError(HepflowError):
    """Something on disk cannot be read or written."""

    code = "HF400"
    cause = (
        "Something in the output folder or the cache cannot be read or written: a full disk, "
        "missing permission, a damaged file, or a program of another version."
    )
    remedy = (
        "Make room or permit writing, and run the command again; a damaged result can be removed "
        "and is made anew."
    )


class ChecksumError(StorageError):
    """The bytes on disk are not those that were written."""

    code = "HF401"
    cause = (
        "The bytes on disk or from the network are not those that were written or published: the "
        "file was changed, cut short or damaged."
    )
    remedy = (
        "Remove the file and run the command again, which makes or fetches it anew; if it happens "
        "again, check the disk."
    )


class UnsafeContent(StorageError):
    """A pickle, a path or a folder that is not admitted."""

    code = "HF402"
    cause = (
        "A file asks for code, objects or an amount of memory that data need not, or a name leads "
        "out of its folder or to a folder that others can write to."
    )
    remedy = (
        "Use files from a source that you trust, and folders that are yours; convert what is your "
        "own with the program that wrote it."
    )


class MissingArtifact(StorageError):
    """A file that an earlier step makes is not there yet."""

    code = "HF403"
    cause = (
        "A file that an earlier step makes is not there, because that step has not run in this "
        "output folder or its result was removed."
    )
    remedy = "Run the step that the message names, or check general.output_dir."


class ExecutionError(HepflowError):
    """Some work items failed; what finished is kept for the next run."""

    code = "HF500"
    cause = (
        "Some work items failed for good, or the scheduler of the cluster cannot be reached; the "
        "message names the files, ranges of entries and reasons."
    )
    remedy = (
        "Mend the cause and run the command again: what finished is kept. execution.on_missing "
        "lets a run go on without what is lost."
    )


class WorkerLost(ExecutionError):
    """A worker process died (killed, out of memory) while it held a work item."""

    code = "HF501"
    cause = (
        "A worker process died while it held a work item: it was killed, ran out of memory, or "
        "crashed in compiled code."
    )
    remedy = (
        "Give the workers more memory, take fewer of them (execution.workers), or set a smaller "
        "execution.memory_limit or preprocess.skimming.chunk_size; then run the command again."
    )


class IncompleteInput(ExecutionError):
    """More of a dataset was lost than execution.missing_limit admits."""

    code = "HF502"
    cause = (
        "Files or ranges of entries of a dataset could not be processed, and what is lost is a "
        "larger fraction of the dataset than execution.missing_limit."
    )
    remedy = (
        "Mend or replace the files that the message names and run the command again; raise the "
        "limit only if a result without them is what you want."
    )


class FitError(HepflowError):
    """A fit that has no result which may be shown as one."""

    code = "HF600"
    cause = (
        "A fit did not converge, its covariance is not that of a minimum, or the model has no "
        "parameter or region that was asked for."
    )
    remedy = (
        "Look for empty bins, templates without yield and parameters that the data do not "
        "constrain, and simplify the model where the message points."
    )


class LimitError(FitError):
    """No bracket for the limit, or the limit found does not verify."""

    code = "HF601"
    cause = (
        "No value of the parameter of interest with the wanted CLs was found within its bounds, "
        "or the limit does not have that CLs when it is computed again."
    )
    remedy = (
        "Widen the bounds of the parameter of interest in statistics.norm_factors, and check that "
        "the signal has yield in the regions of the fit."
    )


class AuditError(FitError):
    """The audit has found errors in the templates, and the fit was not made."""

    code = "HF602"
    cause = (
        "The audit of the templates has found errors: content that is not finite, variations whose "
        "sides are the same or that change a yield too much, or bins without an expectation."
    )
    remedy = (
        "Mend the templates where the message points; name what is meant to be so in "
        "statistics.audit.accepted, or fit all the same with --ignore-audit."
    )


def did_you_mean(wrong: str, valid: Iterable[str], *, many: int = 8) -> str:
    """Return a hint: the nearest valid name, or the valid names where few.

    Examples
    --------
    >>> did_you_mean("lumii", ["lumi", "output_dir"])
    "Did you mean 'lumi'?"
    >>> did_you_mean("zzz", ["lumi", "blind"])
    'Valid: blind, lumi.'
    """
    names = sorted({str(name) for name in valid})
    near = difflib.get_close_matches(wrong, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = ", ".join(names[:many])
    return f"Valid: {shown}{', ...' if len(names) > many else '.'}" if names else ""

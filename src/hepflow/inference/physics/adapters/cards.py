"""Cards of MadGraph, written from the configuration."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

from hepflow.errors import InputError, did_you_mean
from hepflow.inference.records import Benchmark, Parameter

_log = logging.getLogger(__name__)

PROCESS_FOLDER = "process"
RUN = "run_01"
_BLOCK = re.compile(r"^\s*block\s+(\S+)", re.IGNORECASE)
_DECAY = re.compile(r"^\s*decay\s", re.IGNORECASE)
_ENTRY = re.compile(r"^(\s+(\d+)\s+)([-+.\deEdD]+)(.*)$")
_SETTING = re.compile(r"^(\s*)([^=#]+?)(\s*=\s*)([A-Za-z_]\w*)(.*)$")
_MODEL = re.compile(r"[\w./+~-]+")
_WEIGHT = re.compile(r"[\w.-]*[A-Za-z_.-][\w.-]*", re.ASCII)  # others MadGraph loses or renames


def process_card(model: str, lines: Sequence[str]) -> str:
    """Return the card that makes the process folder.

    Parameters
    ----------
    model : str
        UFO model, with its restriction card, such as ``SMEFTsim_U35_MwScheme_UFO-massless``.
    lines : sequence of str
        Such as ``generate p p > mu+ mu-``.

    Raises
    ------
    InputError
        No line starts with ``generate``, or one would run something else.
    """
    if not _MODEL.fullmatch(model):
        raise InputError(
            f"inference.process.madgraph.model: {model!r}: expected the name or the path of a UFO "
            "model, with its restriction behind a hyphen."
        )
    if not any(line.split()[:1] == ["generate"] for line in lines):
        raise InputError(
            "inference.process.madgraph.process: no line starts with generate; expected the lines "
            "of a process card, such as 'generate p p > mu+ mu-'."
        )
    allowed = {"generate", "add", "define", "set"}
    for line in lines:
        # a semicolon, too, would begin another command
        if line.split()[:1] == [] or line.split()[0] not in allowed or set(line) & set(";\n"):
            raise InputError(
                f"inference.process.madgraph.process: {line!r}: expected one of "
                f"{', '.join(sorted(allowed))} at its beginning; model and output are written by "
                "hepflow."
            )
    return "\n".join([f"import model {model}", *lines, f"output {PROCESS_FOLDER} -nojpeg", ""])


def launch_card(*, shower: bool) -> str:
    """Return the commands that make the events of a run, with reweighting."""
    switches = [f"shower={'PYTHIA8' if shower else 'OFF'}", "detector=OFF", "analysis=OFF"]
    switches += ["madspin=OFF", "reweight=ON"]
    return "\n".join([f"launch {PROCESS_FOLDER} -n {RUN}", *switches, "done", "done", ""])


def run_card(card: str, values: Mapping[str, str | float]) -> str:
    r"""Change settings of a run card; what it does not have is added at its end.

    Examples
    --------
    >>> run_card("  10000 = nevents ! Number of events\n", {"nevents": 5})
    '  5 = nevents ! Number of events\n'
    """
    rest = {name.lower(): _text(name, value) for name, value in values.items()}
    lines = []
    for line in card.splitlines():
        found = None if line.lstrip().startswith("#") else _SETTING.match(line)
        if found and found[4].lower() in rest:
            value = rest.pop(found[4].lower())
            lines.append(f"{found[1]}{value}{found[3]}{found[4]}{found[5]}")
        else:
            lines.append(line)
    if rest:
        have = [found[4].lower() for found in map(_SETTING.match, card.splitlines()) if found]
        hints = " ".join(did_you_mean(name, have) for name in rest)
        _log.warning(
            "inference.process.madgraph.run_card: the card of this process has no %s; added at its "
            "end, for MadGraph has settings that it does not show. One that it does not know, it "
            "ignores. %s",
            ", ".join(rest),
            hints,
        )
    lines += [f"  {value} = {name}" for name, value in rest.items()]
    return "\n".join(lines) + "\n"


def _text(name: str, value: str | float) -> str:
    if isinstance(value, bool):
        return str(value)
    text = f"{value:.10g}" if isinstance(value, float) else str(value).strip()
    if not text or any(sign in text for sign in "=!#\n"):
        raise InputError(
            f"inference.process.madgraph.run_card.{name}: {value!r} is no value of a run card."
        )
    return text


def param_card(card: str, parameters: Sequence[Parameter], values: Sequence[float]) -> str:
    """Set the parameters in a parameter card.

    Raises
    ------
    InputError
        The card does not have an entry, such as where a restriction of the model took it out.
    """
    wanted = {
        (one.lha_block.lower(), one.lha_id): value
        for one, value in zip(parameters, values, strict=True)
    }
    lines, block, seen = [], "", set()
    for line in card.splitlines():
        head = _BLOCK.match(line)
        if head or _DECAY.match(line):
            block = head[1].lower() if head else ""
        entry = _ENTRY.match(line)
        key = (block, int(entry[2])) if entry else None
        if entry and key in wanted:
            lines.append(f"{entry[1]}{wanted[key]:.10e}{entry[4]}")
            seen.add(key)
        else:
            lines.append(line)
    for one in parameters:
        if (one.lha_block.lower(), one.lha_id) not in seen:
            blocks = [found[1] for found in map(_BLOCK.match, card.splitlines()) if found]
            raise InputError(
                f"parameter {one.name!r}: the parameter card of the model has no entry "
                f"{one.lha_id} in block {one.lha_block!r}. "
                f"{did_you_mean(one.lha_block.lower(), [name.lower() for name in blocks])} A "
                "restriction of the model takes out what is zero in it."
            )
    return "\n".join(lines) + "\n"


def reweight_card(parameters: Sequence[Parameter], benchmarks: Sequence[Benchmark]) -> str:
    """Return the card that gives events weights at all benchmarks.

    Raises
    ------
    InputError
        A name that cannot be the id of a weight.
    """
    lines = ["change helicity False", "change rwgt_dir rwgt"]
    for one in benchmarks:
        if not _WEIGHT.fullmatch(one.name):
            raise InputError(
                f"benchmark {one.name!r}: expected letters, digits and . _ - only, and not digits "
                "alone: it becomes the name of a weight of MadGraph."
            )
        lines += ["", f"launch --rwgt_name={one.name}"]
        for parameter, value in zip(parameters, one.values, strict=True):
            entry = f"{parameter.lha_block} {parameter.lha_id}"
            lines.append(f"  set param_card {entry} {value:.10e}")
    return "\n".join(lines) + "\n"

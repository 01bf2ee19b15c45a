"""Options that the commands share, and the overrides of configuration values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Final, NoReturn

from hepflow.errors import InputError, did_you_mean

OVERRIDES_HELP: Final = """\
overrides:
  Every plain value of the configuration can be set, at any depth:
    --general.max_files=10
    --preprocess.skimming.chunk_size=50000
    --channels[0].observables[1].binning=0,500,20
  The leading dashes may be left out. A value is read by the type of its field: lists with
  commas or as JSON, mappings as JSON. Functions are set in the configuration itself."""

STATUS_HELP: Final = """\
exit status:
  0 success, 1 the run or the fit failed, 2 wrong input, 130 interrupted"""


# Matrices of a fit are small: more threads of linear algebra only wait for each other, while the
# cores are wanted by the workers.
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def use_one_thread() -> None:
    """Let linear algebra use one thread; to be said before numpy is imported."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")


class Parser(argparse.ArgumentParser):
    """A parser that raises `InputError` where argparse would end the process."""

    def __init__(self, *, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        debug = "show tracebacks, also those of foreseen errors (or set HEPFLOW_DEBUG=1)"
        self.add_argument("--debug", action="store_true", help=debug)

    def error(self, message: str) -> NoReturn:
        """Report what is wrong with the words on the command line.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(f"{message}. `{self.prog} --help` lists the options.")


def without_debug(argv: Sequence[str]) -> tuple[list[str], bool]:
    """Split off ``--debug``, which counts wherever it stands.

    Returns
    -------
    tuple of (list of str, bool)
        The other words, and whether tracebacks are wanted.
    """
    words = [word for word in argv if word != "--debug"]
    by_environment = os.environ.get("HEPFLOW_DEBUG", "") not in {"", "0"}
    return words, by_environment or len(words) < len(argv)


def add_config_options(parser: Parser, config: str | None) -> None:
    """Add ``--config`` with its default, and ``--json``."""
    parser.add_argument(
        "--config",
        metavar="MODULE:ATTRIBUTE",
        default=config,
        help=f"the configuration, a dict{_told(config)}",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="also write the outcome as JSON; - is standard output"
    )


def add_analysis_option(parser: Parser, analysis: str | None) -> None:
    """Add ``--analysis`` with its default."""
    parser.add_argument(
        "--analysis",
        metavar="MODULE:CLASS",
        default=analysis,
        help=f"the subclass of hepflow.analysis.Analysis to run{_told(analysis)}",
    )


def parse_with_overrides(
    parser: Parser, arguments: Sequence[str], *, config_needed: bool = True
) -> tuple[argparse.Namespace, list[str]]:
    """Parse the known options; the rest are overrides of configuration values.

    Raises
    ------
    InputError
        If an option does not exist, or there is no configuration to run.
    """
    options, rest = parser.parse_known_args(list(arguments))
    overrides = [word for word in rest if word != "--"]
    for word in overrides:
        _refuse_unknown_option(parser, word)
    if config_needed and not options.config:
        parser.error("which configuration? Give --config module:attribute")
    return options, overrides


def _told(default: str | None) -> str:
    return f" (default {default})" if default else ""


def _refuse_unknown_option(parser: Parser, word: str) -> None:
    name = word.partition("=")[0]
    if not name.startswith("-") or "." in name or "[" in name:
        return
    from hepflow.schema import Config

    if name.removeprefix("--") in Config.model_fields:
        return
    known = [text for action in parser._actions for text in action.option_strings]  # noqa: SLF001 - argparse has no public list of its options
    hint = did_you_mean(name, known, many=len(known))
    parser.error(
        f"there is no option {name}. {hint} Values of the configuration are set as "
        "--section.key=value"
    )

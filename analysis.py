"""Run the built-in analysis, or another: ``python analysis.py --help``."""

from __future__ import annotations

from hepflow.cli import main_for

CONFIG = "user.configuration:config"
ANALYSIS = "analysis.nondiff:NonDiffAnalysis"

if __name__ == "__main__":
    raise SystemExit(main_for(config=CONFIG, analysis=ANALYSIS))

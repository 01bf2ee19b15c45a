"""The ``hepflow`` command, and what a script such as ``analysis.py`` shares with it."""

from hepflow.cli.app import main, main_for

__all__ = ["main", "main_for"]

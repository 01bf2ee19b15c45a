"""``python -m hepflow.cli`` is the command ``hepflow``."""

from __future__ import annotations

from hepflow.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

"""The code blocks of the tutorial run one after the other, as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> Iterator[tuple[int, str, str]]:
    """Line, language and text of each code block."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found["language"], found["code"]


def run_page(page: Path) -> None:
    """Run all blocks: shell blocks share a folder, Python blocks an interpreter."""
    names: dict[str, object] = {"__name__": "__main__"}
    sys.path[0] = ""  # the current folder, wherever that is, as in an interactive session
    for line, language, code in blocks(page):
        sys.stdout.write(f"\n## {page.name}, line {line}\n")
        sys.stdout.flush()
        if language == "shell":
            run_shell(code)
        else:
            exec(compile(code, f"{page}, block of line {line}", "exec"), names)  # noqa: S102 - our own page


def run_shell(code: str) -> None:
    """Run a block in bash, and go where it went."""
    place = Path(".place").resolve()
    subprocess.run(["bash", "-e", "-c", f"{code}\npwd > '{place}'"], check=True)
    os.chdir(place.read_text().strip())
    place.unlink()


def test_all_blocks_are_run():
    languages = {language for _, language, _ in blocks(PAGE)}
    assert languages == {"shell", "python"}
    assert PAGE.read_text().count("```") == 2 * len(list(blocks(PAGE)))


@pytest.mark.slow
def test_the_tutorial(tmp_path, small_sample):
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, __file__, str(PAGE)],
        cwd=tmp_path,
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "PATH": binaries,
            "HEPFLOW_SAMPLE_EVENTS": str(small_sample.requested_events),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    shown = done.stdout
    assert "Did you mean 'lumi'?" in done.stderr
    assert "exit status 2" in shown
    assert re.search(r"histograms +│ ran +│ .*baseline selection", shown)
    assert shown.count("Upper limit on signal_norm (95 % CL)  observed") == 2
    assert "Upper limit on signal_norm (90 % CL)  observed" in shown
    assert re.search(r"^observed [\d.]+, expected [\d.]+$", shown, re.MULTILINE)
    assert (tmp_path / "my_search" / "outputs_hard" / "histograms" / "histograms.root").exists()


if __name__ == "__main__":
    run_page(Path(sys.argv[1]))

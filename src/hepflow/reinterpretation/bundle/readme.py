"""What a bundle says to people."""

from __future__ import annotations

from typing import Final

from hepflow.reinterpretation.bundle.manifest import Manifest

README: Final = "README.md"
_TEXT: Final = """\
# {name}

A preserved analysis: all that is needed to ask what it says about another signal. It was made by
`hepflow preserve` from a finished run; data and simulation themselves are not in it.

- parameter of interest: `{poi}`, which multiplies {signals}
- channels: {channels}
- luminosity: {luminosity}
- made with hepflow {hepflow} and Python {python}
{remarks}
## What is in it

| | |
|---|---|
| `bundle.json` | what the bundle is, and the SHA-256 of every other file |
| `config/` | the configuration as it was run, and how the run was started |
| `code/` | {code} |
| `corrections/`, `certified/`, `lumi/` | files that the configuration names |
| `model/background.json` | HistFactory workspace without the signal |
| `model/signal.patchset.json` | pyhf patch set with the signal of the analysis, `{patch}` |
| `histograms/` | all templates: `histograms.root`, and lossless `histograms.zip` |
| `environment/requirements.lock` | versions of all libraries, for `pip install -r` |
| `results/` | fit, limits, cutflows and the record of the run |

## Verify it

    hepflow verify BUNDLE --digest DIGEST

compares every file with what was written, and names those that were changed. `DIGEST` is the
SHA-256 of `bundle.json`, as whoever made the bundle tells it: it stands for all of it.

## Reuse it

    hepflow reinterpret BUNDLE --trust --signal FILES --cross-section "1.2 pb"

selects and fills the new signal only, and computes its limits. This runs the Python modules under
`code/`: read them first, and say `--trust` if you do. The workspace and the patch set need no code
of the analysis: pyhf and `hepflow limit` read them as they are.

## Its limits

- The selection was made for the signal above. Where another one has other final states, its
  efficiency is what this selection gives it, and nothing has been optimised for it.
- Uncertainties of a new signal are those of the corrections and sources of the configuration that
  apply to it; theory uncertainties of its cross-section are its author's to give.
- Corrections are valid for the kind of simulation that they were derived for.
{limits}"""


def readme(manifest: Manifest, limits: tuple[str, ...]) -> str:
    """Text of ``README.md``; `limits` are further points of the last section."""
    lumi = manifest.luminosity
    by_year = lumi.items() if not isinstance(lumi, float | int) else ()
    shown = ", ".join(f"{year} {value:g} /pb" for year, value in by_year) or f"{lumi:g} /pb"
    points = "".join(f"- **{one}**\n" for one in manifest.remarks)
    code = ", ".join(f"`{one}`" for one in manifest.modules)
    return _TEXT.format(
        name=manifest.name,
        poi=manifest.poi,
        patch=manifest.patch,
        signals=", ".join(f"`{one}`" for one in manifest.signals),
        channels=", ".join(f"`{one}`" for one in manifest.channels),
        luminosity=shown,
        hepflow=manifest.hepflow,
        python=manifest.python,
        remarks=points,
        code=f"the modules of the analysis: {code}" if code else "empty: the analysis has none",
        limits="".join(f"- {one}\n" for one in limits),
    )

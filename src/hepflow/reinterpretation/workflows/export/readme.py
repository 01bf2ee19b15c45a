"""What stands beside an exported workflow, for people."""

from __future__ import annotations

from typing import Final

from hepflow.reinterpretation.bundle import Bundle
from hepflow.reinterpretation.workflows.export.container import short_name
from hepflow.reinterpretation.workflows.export.steps import signal_names

_HEAD: Final = """\
# {name}: limit on a new signal

Three steps that `hepflow workflow export` wrote: skimming (selection and corrections of the
preserved analysis on the files of the signal), scaling (cross-section, k-factor, filter efficiency,
luminosity), interpretation (limit, spectrum, CLs scan).

The steps run the code that is kept in `bundle.zip`, and no other: its digest is
`{digest}`.
Read the code in it before you run it.

## Inputs

| parameter | what it is |
|---|---|
{signals}
| `cross_section` | of the signal, with unit, such as `44.9 fb` |
| `k_factor`, `filter_efficiency` | multiply the cross-section |
| `sum_of_weights_from` | `events`, `runs` (all generated events, as the Runs trees say) or `auto` |

With a cross-section of `1 pb`, the limit on the strength is the limit on the cross-section in pb.
A listing is a text with one file or URL a line, relative to itself. Values are put into commands
between single quotes: none may hold one.

## Run it

{run}
{contained}
Results lie in {results}.
"""
_RUN: Final = {
    "yadage": """\
```
yadage-run workdir workflow.yml inputs.yml -d initdir="$PWD" -u 0.5
hepflow workflow run workflow.yml inputs.yml --trust{ignore}
```
""",
    "recast": """\
Say where the files of the signal are, as `dataopts: {{initdir: FOLDER}}` with an absolute path in
`inputs.yml`, then

```
eval "$(recast catalogue add "$PWD")"
recast catalogue check hepflow/{name}
recast run hepflow/{name} inputs.yml
```
""",
    "reana": """\
```
reana-client validate
reana-client run -w analysis
```

Files that a listing names are uploaded as it is: add them to `inputs.files` in `reana.yaml`.
""",
    "snakemake": """\
```
snakemake --cores 1{deploy}
```
""",
}
_CONTAINED: Final = """\
The steps run in the container `{image}`. Make it first, and push it to where it is run;
packages that the package index does not have, such as hepflow itself, belong into `wheels/` before:

```
docker build --tag {image} .
```
"""
_NATIVE: Final = """\
The steps run the `hepflow` of this machine (`requirements.lock` has the versions that the analysis
was made with). `Dockerfile` makes a container with the same versions and the bundle.
"""
_RESULTS: Final = {
    "yadage": "`workdir/interpretation`",
    "recast": "`recast-.../interpretation`",
    "reana": "`interpretation` of the workspace (`reana-client download`)",
    "snakemake": "`results/interpretation`",
}


def readme(bundle: Bundle, target: str, image: str, *, contained: bool) -> str:
    """Text of README.md."""
    manifest = bundle.manifest
    signals = "\n".join(
        f"| `{name}` | a file of the signal, a URL, or a listing (.txt) |"
        for name in signal_names(manifest)
    )
    run = _RUN[target].format(
        name=short_name(manifest),
        ignore=" --ignore-environment" if contained else "",
        deploy=" --software-deployment-method apptainer" if contained else "",
    )
    return _HEAD.format(
        name=manifest.name,
        digest=bundle.digest,
        signals=signals,
        run=run,
        contained=(_CONTAINED if contained else _NATIVE).format(image=image),
        results=_RESULTS[target],
    )

r"""Texts in LaTeX: escaped, with the TeX that labels have."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = str.maketrans(
    {one: f"\\{one}" for one in "_&%#{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "$": r"\$",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        "\N{MINUS SIGN}": r"$-$",
        "\N{MULTIPLICATION SIGN}": r"$\times$",
    }
)
_MATH = re.compile(r"(?<!\\)\$(?:[^$\\]|\\.)+(?<!\\)\$")


def escaped(text: str) -> str:
    r"""Text for LaTeX; what stands between dollar signs is TeX and stays.

    Examples
    --------
    >>> escaped("muon_id: 5 %"), escaped(r"$\mathrm{t}\bar{\mathrm{t}}$ & W_jets")
    ('muon\\_id: 5 \\%', '$\\mathrm{t}\\bar{\\mathrm{t}}$ \\& W\\_jets')
    """
    pieces, end = [], 0
    for found in _MATH.finditer(text):
        pieces += [text[end : found.start()].translate(_SPECIAL), found[0]]
        end = found.end()
    return "".join([*pieces, text[end:].translate(_SPECIAL)])


def tabular(
    columns: Sequence[str], rows: Sequence[Sequence[str] | None], notes: Sequence[str] = ()
) -> str:
    r"""Write a ``tabular`` with the rules of the package ``booktabs``.

    Parameters
    ----------
    columns : sequence of str
        Heads, in LaTeX.
    rows : sequence
        Cells in LaTeX; None is a rule between the rows around it.
    notes : sequence of str
        What a reader of the numbers must know, in LaTeX; a line each below the table.

    Examples
    --------
    >>> print(tabular(["", "SR"], [["Data", "12"]]), end="")
    \begin{tabular}{lr}
    \toprule
     & SR \\
    \midrule
    Data & 12 \\
    \bottomrule
    \end{tabular}
    """
    body = [r"\midrule" if row is None else " & ".join(row) + r" \\" for row in rows]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
        r"\toprule",
        " & ".join(columns) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        *(rf"\multicolumn{{{len(columns)}}}{{l}}{{{one}}} \\" for one in notes),
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"

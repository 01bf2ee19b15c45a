"""The likelihood of a datacard, computed from its text in another way than by a workspace.

Counts and histograms, lnN, lnU, gmN, shape with one width, rateParam with numbers and `param`.
"""

from __future__ import annotations

import math
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import uproot
from scipy import stats


def between(down: float, up: float, theta: float) -> float:
    """Combine's log-normal with two sides."""
    if abs(theta) >= 0.5:
        return float(up**theta if theta > 0 else down ** (-theta))
    x = 2 * theta
    step = 0.125 * x * (x * x * (3 * x * x - 10) + 15)
    high, low = math.log(up), -math.log(down)
    return math.exp(theta * ((high + low) / 2 + step * (high - low) / 2))


def morph(nominal, down, up, theta: float):
    """Combine's interpolation of fractions."""
    plus, minus = up - nominal, down - nominal
    if theta > 1:
        return nominal + plus * theta
    if theta < -1:
        return nominal - minus * theta
    bend = (3 * theta**6 - 10 * theta**4 + 15 * theta**2) / 8
    return nominal + 0.5 * ((plus - minus) * theta + (plus + minus) * bend)


class CardLikelihood:
    """Expected events and -2 ln L of a card."""

    def __init__(self, path: Path) -> None:
        lines = [one.split("#")[0].split() for one in path.read_text().splitlines()]
        lines = [one for one in lines if one and not one[0].startswith("--")]
        bins = [one[1:] for one in lines if one[0] == "bin"]
        self.channels = bins[0]
        rows = [one[1:] for one in lines if one[0] == "process"]
        names, numbers = sorted(rows, key=lambda row: row[0].lstrip("-").isdigit())
        self.columns = list(zip(bins[1], names, numbers, strict=True))
        rates = next(one[1:] for one in lines if one[0] == "rate")
        observed = next(one[1:] for one in lines if one[0] == "observation")
        shapes = [one[1:] for one in lines if one[0] == "shapes"]
        at = next(i for i, one in enumerate(lines) if one[0] == "rate")
        self.lines = lines[at + 1 :]
        self.file = uproot.open(path.parent / shapes[0][2]) if shapes else None
        self.patterns = shapes[0][3:] if shapes else []
        self.nominal = [
            self.histogram(self.patterns[0], *column[:2]) if self.file else np.array([float(rate)])
            for column, rate in zip(self.columns, rates, strict=True)
        ]
        self.data = {
            name: self.histogram(self.patterns[0], name, "data_obs")
            if self.file
            else np.array([float(count)])
            for name, count in zip(self.channels, observed, strict=True)
        }

    def histogram(self, pattern: str, channel: str, process: str, systematic: str = ""):
        assert self.file is not None
        name = pattern.replace("$CHANNEL", channel).replace("$PROCESS", process)
        return self.file[name.replace("$SYSTEMATIC", systematic)].values()

    def expected(
        self, point: dict[str, float], r: float = 1.0
    ) -> dict[tuple[str, str], np.ndarray]:
        """Expected events by channel and process; a parameter that is not named is nominal."""
        found = {}
        measured = {one[0]: float(one[2]) for one in self.lines if one[1] == "param"}
        for at, (channel, process, index) in enumerate(self.columns):
            total = self.nominal[at].sum()
            start = fractions = self.nominal[at] / total
            for name, kind, *words in self.lines:
                if (
                    kind == "rateParam"
                    and fnmatch(channel, words[0])
                    and fnmatch(process, words[1])
                ):
                    total *= point.get(name, measured.get(name, float(words[2])))
                if kind == "gmN" and words[1 + at] != "-":
                    total = total / float(words[0]) * point.get(name, float(words[0]))
                if kind not in {"lnN", "lnU", "shape"} or words[at] == "-":
                    continue
                theta = point.get(name, 0.0)
                if kind == "shape":
                    down, up = (
                        self.histogram(self.patterns[1], channel, process, f"{name}{side}")
                        for side in ("Down", "Up")
                    )
                    before = self.nominal[at].sum()
                    total *= between(down.sum() / before, up.sum() / before, theta)
                    fractions = (
                        fractions + morph(start, down / down.sum(), up / up.sum(), theta) - start
                    )
                else:
                    low, _, high = words[at].rpartition("/")
                    total *= between(float(low) if low else 1 / float(high), float(high), theta)
            found[channel, process] = total * fractions * (r if int(index) <= 0 else 1.0)
        return found

    def twice_nll(self, point: dict[str, float], r: float = 1.0) -> float:
        """-2 ln L with all constraints, without what ``autoMCStats`` adds."""
        value = 0.0
        expected = self.expected(point, r)
        for channel, data in self.data.items():
            bins = sum(one for (name, _), one in expected.items() if name == channel)
            value -= 2 * np.sum(data * np.log(bins) - bins - [math.lgamma(n + 1) for n in data])
        for name, kind, *words in self.lines:
            if kind in {"lnN", "shape"}:
                value -= 2 * stats.norm.logpdf(point.get(name, 0.0))
            elif kind == "gmN":
                count = float(words[0])
                value -= 2 * stats.poisson.logpmf(count, point.get(name, count))
            elif kind == "param":
                mean, width = map(float, words[:2])
                value -= 2 * stats.norm.logpdf((point.get(name, mean) - mean) / width)
        return float(value)

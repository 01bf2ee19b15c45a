"""Counting cards with all that is exact in a workspace, at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class RandomCard:
    """A card, and what its parameters are."""

    text: str
    factors: list[str]  # of lnN
    counted: dict[str, int]  # of gmN: events

    def point(self, rng) -> dict[str, float]:
        """Values at which factors of both programs are the same."""
        found = {one: float(rng.choice([-2.0, -1.0, 0.0, 1.0, 1.5])) for one in self.factors}
        found |= {one: many * float(rng.uniform(0.5, 1.5)) for one, many in self.counted.items()}
        return {**found, "k": float(rng.uniform(0.3, 3.0))}


def random_card(seed: int) -> RandomCard:
    """One to three channels, two to four processes, up to four nuisance parameters."""
    rng = np.random.default_rng(seed)
    channels = [f"c{at}" for at in range(rng.integers(1, 4))]
    columns = [
        (channel, process)
        for channel in channels
        for process in range(rng.integers(2, 5))
        if process < 2 or rng.random() < 0.7
    ]
    rates = rng.uniform(0.5, 30.0, len(columns))
    card = RandomCard("", [], {})
    taken: set[int] = set()
    rows = [
        ["imax *"],
        ["bin", *channels],
        ["observation", *rng.integers(5, 80, len(channels))],
        ["bin", *(channel for channel, _ in columns)],
        ["process", *(f"p{process}" for _, process in columns)],
        ["process", *(process for _, process in columns)],
        ["rate", *map(float, rates)],
    ]
    for name in ("n0", "n1", "n2", "n3")[: rng.integers(1, 5)]:
        chosen = {at for at in range(len(columns)) if rng.random() < 0.5}
        if rng.random() < 0.3:
            chosen, events = chosen - taken, int(rng.integers(1, 40))
            effects = {at: f"{rates[at] / events:.17g}" for at in chosen}
            taken |= chosen
            head = [name, "gmN", events]
            card.counted |= {name: events} if chosen else {}
        else:
            sides = {at: (rng.uniform(0.6, 0.99), rng.uniform(1.01, 1.6)) for at in chosen}
            two = rng.random() < 0.5
            effects = {
                at: f"{low:.17g}/{up:.17g}" if two else f"{up:.17g}"
                for at, (low, up) in sides.items()
            }
            head = [name, "lnN"]
            card.factors += [name] if chosen else []
        rows.append([*head, *(effects.get(at, "-") for at in range(len(columns)))])
    rows.append(["k rateParam * p1 1 [0,5]"])
    card.text = "\n".join(" ".join(map(str, row)) for row in rows)
    return card

"""``hepflow plan --variations``: tables that stay readable with a hundred sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hepflow.analysis.touches import Step
    from hepflow.planning.variations import PlannedSource, VariationPlan

_EVERYWHERE: Final = "all simulation"
_SHOWN: Final = 4  # computed columns that are named
_KINDS: Final = ("correction", "mask", "baseline", "columns", "selection", "observable", "weight")

_FILLED: Final = {"baseline", "selection", "observable", "weight"}  # kinds that histograms show
Row = tuple[str, ...]


def show_tables(plan: VariationPlan) -> None:
    """Print one table for each way of moving: objects, weights, whole templates."""
    objects = [one for one in plan.sources if one.kind == "object"]
    weights = [one for one in plan.sources if one.kind in {"weight", "linked", "theory"}]
    others = [one for one in plan.sources if one not in objects and one not in weights]
    _print_table("Sources that move objects", ("source", "what follows"), _rows(objects, plan))
    _print_table(
        "Sources that move weights",
        ("source", "sides", "factor again", "acts on"),
        _in_line(weights, lambda one: (sides(one), one.factor, where(one))),
    )
    _print_table(
        "Sources that move templates, after filling",
        ("source", "sides", "effect", "acts on"),
        _in_line(others, lambda one: (sides(one), effect(one), where(one))),
    )


def lines_of(plan: VariationPlan) -> list[tuple[str, str]]:
    """Summary below the tables."""
    n = plan.counts
    own = ", ".join(plan.overridden)
    lines = [("The analysis' own", f"{own}: may read anything")] if own else []
    if margins := [one.parameter for one in plan.sources if one.skim]:
        text = f"reads what {', '.join(margins)} moves: its cuts on it need a margin"
        lines.append(("The skim", text))
    objects = _number(n.object_variations, "object variation")
    weights = _number(n.weight_variations, "weight variation")
    return [
        *lines,
        ("Of one dataset", f"up to {objects} (nominal included), and {weights} in nominal's bins"),
        ("In all", f"{n.distinct} distinct variations of {_number(n.sources, 'source')}"),
        ("Filled", f"{n.histograms:,} histograms of {n.bins:,} bins"),
    ]


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


# -- cells -------------------------------------------------------------------------------


def sides(one: PlannedSource) -> str:
    """Which templates a source has, and what the one that it lacks reads as."""
    if one.kind == "linked":
        return f"as {one.varies_with}"
    if one.kind == "theory":
        return "up, down from its members"
    given = ", ".join(one.directions)
    if one.difference:
        given = "up, down: nominal + and - the value"
    if not one.other_side:
        return given
    other = "down" if one.directions == ("up",) else "up"
    return f"{given}; {other} {'reflected' if one.other_side == 'reflected' else 'is nominal'}"


def where(one: PlannedSource) -> str:
    """Processes, years and channels that a source acts on."""
    parts = [_EVERYWHERE if one.everywhere else ", ".join(one.processes)]
    if one.years:
        own = one.correlation == "uncorrelated"
        also = " (its own parameter)" if own else " (correlated)" if len(one.years) > 1 else ""
        parts.append(", ".join(one.years) + also)
    if one.channels is not None:
        parts.append(f"in {', '.join(one.channels)}")
    return "; ".join(parts)


def effect(one: PlannedSource) -> str:
    """What a source does to whole templates."""
    if one.kind == "sample":
        samples = dict.fromkeys(key for keys in one.templates.values() for key in keys)
        return f"{', '.join(samples)} in the place of {', '.join(one.datasets)}"
    both = {(up, one.downs.get(key, up)) for key, up in one.sizes.items()}
    if one.size is not None:
        both = {(one.size, one.size if one.size_down is None else one.size_down)}
    text = ", ".join(_size(*pair) for pair in sorted(both))
    if not one.templates:
        return f"{text} in the fit"
    return f"{text}, as templates: not all of the process alike" if text else one.kind


def _size(up: float, down: float) -> str:
    if up == down:
        return f"±{100 * up:.4g} %"
    return f"+{100 * up:.4g} -{100 * down:.4g} %"


def _grouped(
    found: Iterable[PlannedSource], cells: Callable[[PlannedSource], Row]
) -> Iterator[tuple[list[str], Row]]:
    """Names of all sources of which the same is told, and that."""
    rows: dict[Row, list[str]] = {}
    for one in found:
        rows.setdefault(cells(one), []).append(one.parameter)
    yield from ((names, told) for told, names in rows.items())


def _in_line(found: Iterable[PlannedSource], cells: Callable[[PlannedSource], Row]) -> list[Row]:
    return [(", ".join(names), *told) for names, told in _grouped(found, cells)]


def _rows(found: Sequence[PlannedSource], plan: VariationPlan) -> list[Row]:
    """One row for all sources that are followed by the same, however they are declared."""
    rows: dict[str, list[PlannedSource]] = {}
    for one in found:
        follows = (f"{label}: {text}" for label, text in follows_of(one, plan) if text)
        rows.setdefault("\n".join(follows), []).append(one)
    return [("\n".join(_declared(alike)), follows) for follows, alike in rows.items()]


def _declared(found: Iterable[PlannedSource]) -> Iterator[str]:
    """Names of sources, each kind of declaration with its sides and where they act."""

    def cells(one: PlannedSource) -> Row:
        with_ = (f"with {', '.join(one.linked)}",) if one.linked else ()
        return ("; ".join((sides(one), *with_, where(one))),)

    for names, (told,) in _grouped(found, cells):
        yield f"{', '.join(names)}:"
        yield told


def follows_of(one: PlannedSource, plan: VariationPlan) -> list[tuple[str, str]]:
    """What follows from an object source, by what is told about it."""
    from hepflow.analysis.touches import column_name, split_columns

    touches = one.touches
    if touches is None:
        return []
    computed = {
        column for step in touches.again if step.kind == "columns" for column in step.writes
    }
    columns, whole = split_columns(touches.columns, plan.collections)
    moved = [column_name(column) for column in columns if column not in computed]
    filled = any(step.kind in _FILLED for step in touches.again)
    order = [f"{', '.join(whole)} sorted and chosen anew"] if whole else []
    return [
        ("moves", "; ".join([", ".join(moved), *order])),
        ("again", _steps(touches.again, (*touches.again, *touches.shared))),
        ("as nominal", _steps(touches.shared, (*touches.again, *touches.shared))),
        ("so", "" if filled else "its histograms are those of nominal"),
    ]


def _steps(some: Sequence[Step], every: Sequence[Step]) -> str:
    """Steps in short, kind by kind; `every` tells what "all" are."""
    texts = []
    for kind in _KINDS:
        mine = [one for one in some if one.kind == kind]
        if mine:
            texts.append(_of_kind(kind, mine, [one for one in every if one.kind == kind]))
    return "; ".join(texts)


def _of_kind(kind: str, some: Sequence[Step], every: Sequence[Step]) -> str:
    names = list(dict.fromkeys(one.name for one in some))
    if kind == "columns":
        return f"columns {_few([column for name in names for column in name.split(', ')])}"
    if kind == "baseline":
        return "baseline" if len(some) == len(every) else f"baseline {', '.join(names)}"
    if kind in {"selection", "observable"}:
        return _by_channel(kind, some, every)
    return f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _by_channel(kind: str, some: Sequence[Step], every: Sequence[Step]) -> str:
    if len(some) == len(every):
        return f"all {kind}s"
    told: dict[str, list[str]] = {}
    for channel in dict.fromkeys(one.channel for one in some):
        mine = [one.name for one in some if one.channel == channel]
        left = [o.name for o in every if o.channel == channel and o.name not in mine]
        told.setdefault(_some_of(mine, left), []).append(channel)
    return f"{kind}s " + ", ".join(f"{text} ({', '.join(names)})" for text, names in told.items())


def _some_of(mine: Sequence[str], left: Sequence[str]) -> str:
    if not left:
        return "all"
    return f"all but {', '.join(left)}" if 2 * len(left) < len(mine) else ", ".join(mine)


def _few(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    shown = ", ".join(names if more <= 1 else names[:_SHOWN])
    return f"{shown} and {more} more" if more > 1 else shown


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    from rich.console import Console

    from hepflow.logging.tables import Folded, new_table

    table = new_table(title)
    table.show_lines = any("\n" in cell for row in rows for cell in row)  # else one row, one line
    for name in columns:
        table.add_column(Folded(name))
    for row in rows:
        table.add_row(*map(Folded, row))
    Console().print(table)

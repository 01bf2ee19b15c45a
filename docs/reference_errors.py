"""Write ``reference/errors.md`` from the error tree and the source: ``make docs``.

The classes come from ``hepflow.errors`` and their subclasses elsewhere; the messages are the texts
of all places in the source where one is made, with ``<name>`` where a value is put in.
``tests/check_messages.py`` holds the same places against what the tests have executed.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

import hepflow
from hepflow.errors import HepflowError

SOURCE = Path(hepflow.__file__).resolve().parent
PAGE = Path(__file__).resolve().parent / "reference" / "errors.md"
HEAD = """\
# Errors

This page is generated from the error tree in `hepflow.errors` and from the messages in the source
by `make docs`.

A command that ends with an error says what happened, where, what was expected and what to do, and
names the error by its code:

```
hepflow: error: data/ttbar.root: there is no tree 'Event'. Did you mean 'Events'?
[HF203, see docs/reference/errors.md#hf203]
```

From Python the errors are classes of one tree: `except hepflow.errors.InputError` catches it and
all classes below it, and `error.code`, `error.cause` and `error.remedy` say what is written here.

Under each error stand all the messages that it may carry; `<name>` stands for what is filled in,
so search this page for the words around it."""
# Made into problems of an error of the tree before they reach anybody.
CARRIED_BY = {"Problem": "ConfigurationError", "Unreadable": "OverrideError"}
NOTES = "hepflow/importers/"  # problems are notes here: what was taken over in another form
NO_MESSAGE = {"SystemExit", "NotImplementedError"}  # the end of a program; what is left open
_PLACEHOLDER = re.compile(r"<[^>]*>")
_SAID = re.compile(r"[\w<].*[a-z]{2}.* .*[a-z]{2}")  # of arguments: a text, not a place or a name
_DEEPEST = 4  # names within names within a message


@dataclass(frozen=True, order=True)
class Site:
    """A place in the source where a message is made."""

    file: str  # below src: "hepflow/events/root.py"
    first: int  # line
    last: int
    made_by: str  # the class, or the function that makes the error
    error: str  # class of the tree, or another exception
    text: str  # "" where the text is made elsewhere


def page() -> str:
    """Return the whole page."""
    texts: dict[str, set[str]] = {}
    for site in sites():
        texts.setdefault(site.error, set()).add(site.text)
    parts = [HEAD, "## All errors", _table()]
    for one in tree():
        parts += _section(one, texts.get(one.__name__, set()) - {""})
    return "\n\n".join(parts) + "\n"


def _table() -> str:
    rows = ["| code | error | status | |", "|---|---|---|---|"]
    for one in tree():
        indent = "&nbsp;" * 4 * (len(one.__mro__) - len(HepflowError.__mro__))
        name = f"{indent}`{one.__name__}`"
        link = f"[{one.code}](#{one.code.lower()})"
        rows.append(f"| {link} | {name} | {one.exit_status} | {_sentence(one.__doc__)} |")
    return "\n".join(rows)


def _section(one: type[HepflowError], texts: set[str]) -> Iterator[str]:
    yield f"## {one.code}"
    below = "" if one is HepflowError else f", below `{_parent(one).__name__}`"
    yield (
        f"`{one.__module__}.{one.__qualname__}`{below}, exit status {one.exit_status}. "
        f"{_sentence(one.__doc__)}"
    )
    yield f"**Cause.** {one.cause}"
    yield f"**Remedy.** {one.remedy}"
    if texts:
        yield "**Messages.**"
        yield "\n".join(f"- {_code(text)}" for text in sorted(texts, key=str.lower))


def _parent(one: type[HepflowError]) -> type[HepflowError]:
    return next(parent for parent in one.__bases__ if issubclass(parent, HepflowError))


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split()).replace("|", "\\|")


def _code(text: str) -> str:
    """Text as code, whatever quotes are in it."""
    one_line = " ".join(text.split())
    return f"`` {one_line} ``" if "`" in one_line else f"`{one_line}`"


@cache
def tree() -> tuple[type[HepflowError], ...]:
    """All classes of the tree, wherever they are defined, by their codes."""
    for name in _modules():
        importlib.import_module(name)
    found: list[type[HepflowError]] = [HepflowError]
    for one in found:  # grows while it is gone through
        found += [sub for sub in one.__subclasses__() if sub.__module__.startswith("hepflow.")]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.code))


def _modules() -> list[str]:
    found = pkgutil.walk_packages([str(SOURCE)], "hepflow.")
    return ["hepflow", *sorted(one.name for one in found if not one.name.endswith("__main__"))]


def _file(module: str) -> Path:
    path = SOURCE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def sites() -> tuple[Site, ...]:
    """All places where a message is made, file by file."""
    tops = {name: ast.parse(_file(name).read_text(encoding="utf-8")) for name in _modules()}
    errors = {one.__name__: one.__name__ for one in tree()} | CARRIED_BY
    makers = {name: dict(_makers(top, errors)) for name, top in tops.items()}
    public = {
        name: one for found in makers.values() for name, one in found.items() if name[0] != "_"
    }
    found: set[Site] = set()
    for name, top in tops.items():
        finder = _Finder(name, top, {**errors, **public, **makers[name]})
        finder.visit(top)
        found.update(finder.found)
    return tuple(sorted(found))


def _makers(top: ast.AST, errors: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Functions that return an error instead of raising it."""
    for node in ast.walk(top):
        returns = node.returns if isinstance(node, ast.FunctionDef) else None
        if isinstance(node, ast.FunctionDef) and isinstance(returns, ast.Name):
            kind = errors.get(returns.id)
            if kind:
                yield node.name, kind


class _Finder(ast.NodeVisitor):
    """Goes through a module and notes where messages are made."""

    def __init__(self, module: str, top: ast.Module, errors: Mapping[str, str]) -> None:
        self.found: list[Site] = []
        self._errors = errors
        self._file = str(_file(module).relative_to(SOURCE.parent))
        self._texts = _Texts(importlib.import_module(module), dict(_told(top)), {})
        self._in_class = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self._texts
        self._texts = replace(outer, assigned={**outer.assigned, **_assigned(node)})
        self.generic_visit(node)
        self._texts = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer, self._in_class = self._in_class, node.name
        self.generic_visit(node)
        self._in_class = outer

    def visit_Raise(self, node: ast.Raise) -> None:
        if isinstance(node.exc, ast.Call):
            name = _callee(node.exc)
            if name not in self._errors and name not in NO_MESSAGE:
                self._note(node.exc, name, name, node.exc.args[:1])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _callee(node)
        words = [*node.args, *(one.value for one in node.keywords)]
        if name in self._errors:
            self._note(node, name, self._errors[name], self._spoken(name, words))
        elif name == "__init__" and self._in_class in self._errors:
            self._note(node, name, self._errors[self._in_class], words[:1])
        self.generic_visit(node)

    def _spoken(self, name: str, words: list[ast.expr]) -> list[ast.expr]:
        """What of the arguments is said as it stands."""
        if name == "Problem":
            return words[1:]
        made = next((one for one in tree() if one.__name__ == name), None)
        if made is not None:
            return [] if "__init__" in vars(made) else words[:1]
        return [one for one in words if _SAID.match(_PLACEHOLDER.sub("<", self._texts.of(one)))]

    def _note(self, node: ast.expr, made_by: str, error: str, said: list[ast.expr]) -> None:
        choices = self._texts.choices(said[0]) if said else []
        for one in choices:  # one of several texts, each where it is chosen
            self._add(one, made_by, error, self._texts.of(one))
        self._add(node, made_by, error, "" if choices else self._texts.joined(said))

    def _add(self, node: ast.expr, made_by: str, error: str, text: str) -> None:
        last = node.end_lineno or node.lineno
        if made_by == "Problem" and self._file.startswith(NOTES):
            error = "note"
        self.found.append(Site(self._file, node.lineno, last, made_by, error, text))


def _callee(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """What each local name of a function is set to."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found.setdefault(name.id, []).append(node.value)
    return found


def _told(top: ast.Module) -> Iterator[tuple[str, tuple[ast.expr, dict[str, list[ast.expr]]]]]:
    """Functions of a module that do nothing but return a text, and their local names."""
    for node in ast.walk(top):
        if isinstance(node, ast.FunctionDef):
            said = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
            if len(said) == 1 and said[0] is not None and _is_text(said[0]):
                yield node.name, (said[0], _assigned(node))


@dataclass(frozen=True)
class _Texts:
    """Reads texts with their placeholders."""

    module: ModuleType
    told: Mapping[str, tuple[ast.expr, Mapping[str, Sequence[ast.expr]]]]  # by functions
    assigned: Mapping[str, Sequence[ast.expr]]  # local name -> what it is set to

    def joined(self, said: list[ast.expr]) -> str:
        """Text of a message and of its hint; empty where no word of it is written here."""
        found = [self.of(one) for one in said]
        return " ".join(found) if any(_has_words(one) for one in found) else ""

    def choices(self, node: ast.expr) -> list[ast.expr]:
        """Texts that an expression stands for, where there are several."""
        found = list(self._alternatives(node))
        return found if len(found) > 1 and all(map(_is_text, found)) else []

    def _alternatives(self, node: ast.expr, *, behind_names: bool = True) -> Iterator[ast.expr]:
        if isinstance(node, ast.IfExp):
            yield from self._alternatives(node.body, behind_names=behind_names)
            yield from self._alternatives(node.orelse, behind_names=behind_names)
        elif behind_names and isinstance(node, ast.Name) and node.id in self.assigned:
            for one in self.assigned[node.id]:
                yield from self._alternatives(one, behind_names=False)
        else:
            yield node

    def of(self, node: ast.expr, depth: int = 0) -> str:
        """Text of an expression, with `<name>` for what is filled in."""
        if isinstance(node, ast.FormattedValue):
            return self.of(node.value, depth)
        if isinstance(node, (ast.JoinedStr, ast.BinOp)) and _is_text(node):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node.left, node.right]
            return "".join(self.of(one, depth) for one in parts)
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.Call):
            return self._called(node, depth)
        if isinstance(node, ast.Name):
            return self._named(node.id, depth) or f"<{node.id.strip('_')}>"
        return f"<{_name_of(node)}>"

    def _called(self, node: ast.Call, depth: int) -> str:
        """Text of a function of this module that returns one, or of a text without its end."""
        name = _callee(node)
        if name == "rstrip" and isinstance(node.func, ast.Attribute):
            return self.of(node.func.value, depth)
        if name in self.told and depth < _DEEPEST:
            text, assigned = self.told[name]
            return replace(self, assigned=assigned).of(text, depth + 1)
        return f"<{_name_of_call(node)}>"

    def _named(self, name: str, depth: int) -> str:
        """Text that a name stands for: set once in the function, or a constant of the module."""
        values = self.assigned.get(name, [])
        if len(values) == 1 and _is_text(values[0]) and depth < _DEEPEST:
            return self.of(values[0], depth + 1)
        constant = None if values else getattr(self.module, name, None)
        return constant if isinstance(constant, str) and name.isupper() else ""


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_text(node.left) or _is_text(node.right))
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _has_words(text: str) -> bool:
    return any(one.isalpha() for one in _PLACEHOLDER.sub("", text))


def _name_of(node: ast.expr) -> str:
    """A name for what an expression fills in."""
    if isinstance(node, ast.Attribute):
        return _name_of(node.value) if node.attr.startswith("__") else node.attr.strip("_")
    if isinstance(node, ast.Name):
        return node.id.strip("_")
    if isinstance(node, ast.Call):
        return _name_of_call(node)
    if isinstance(node, ast.Subscript):
        return _name_of(node.value)
    if isinstance(node, ast.BinOp):
        return _name_of(node.left)
    return "..."


def _name_of_call(node: ast.Call) -> str:
    name = _callee(node)
    if name == "len":
        return "number"
    if name == "did_you_mean":
        return "hint"
    return _name_of(node.args[0]) if node.args else name or "..."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

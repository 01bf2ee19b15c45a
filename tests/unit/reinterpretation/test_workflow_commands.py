"""Values in commands: what the program gets is what was given, and nothing else runs."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.reinterpretation.workflows.commands import (
    Verbatim,
    is_shell,
    names_in,
    other_script,
    plain_text,
    shell_command,
)
from hepflow.reinterpretation.workflows.shell import PLACE, contexts

# Every place that takes a value, and what a program gets there for the value.
PLACES = """printf '%s\\0' {x} "{x}" '{x}' a{x}b "a 'b' {x}" 'a "b" {x}' "$(printf '%s.' {x})" \\
  "$(printf '%s.' "{x}")" ; : "it's" # no end: '"
printf '%s\\0' {x}"""


def _said(command: str) -> list[str]:
    done = subprocess.run(["sh", "-c", command.encode()], capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


values = st.text(
    st.one_of(
        st.sampled_from("'\"\\$`;&|<>(){}!*?~# \n\t-"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    max_size=20,
)


@settings(max_examples=80, deadline=None)
@given(values)
def test_any_value_reaches_the_program_unchanged_in_every_place(value: str) -> None:
    expected = [value, value, value, f"a{value}b", f"a 'b' {value}", f'a "b" {value}']
    assert _said(shell_command(PLACES, {"x": value})) == [
        *expected,
        f"{value}.",
        f"{value}.",
        value,
    ]


@settings(max_examples=20, deadline=None)
@given(st.lists(values, min_size=1, max_size=4))
def test_each_entry_of_a_list_is_one_word(entries: list[str]) -> None:
    assert _said(shell_command("printf '%s\\0' {x}", {"x": entries})) == entries


def test_a_harmful_value_is_only_text(tmp_path: Any) -> None:
    mark = tmp_path / "made"
    for value in (f"; touch {mark}", f"$(touch {mark})", f"`touch {mark}`", f"'; touch {mark} '"):
        assert _said(shell_command(PLACES, {"x": value}))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("command", "context"),
    [
        ("echo {}", "open"),
        ('echo "{}"', "double"),
        ("echo '{}'", "single"),
        ('echo \\"{}', "open"),
        ('echo "$(ls {})"', "open"),
        ('echo "$(ls (a) "{}")"', "double"),
        ("a) {}", "open"),
        ("echo `ls {}`", "backticks"),
        ("echo ${x:-{}}", "an expansion ${...}"),
        ("echo $(( {} + 1 ))", "an arithmetic expression"),
        ("echo \\{}", "what a backslash protects"),
        ('echo "\\{}"', "what a backslash protects"),
        ("echo ${}", "what follows a dollar sign"),
        ("echo $'{}'", "$'...'"),
        ("echo $'a\\'{}'", "$'...'"),
        ("ls # it's {}", "a comment"),
        ("ls # it's\n{}", "open"),
        ("ls a#b {}", "open"),
        ("cat <<EOF\n{}\nEOF\n", "a here-document"),
        ("cat <<EOF\nit's\nEOF\n{}", "open"),
        ("cat <<'EOF' > {}\nit's\nEOF\n", "open"),
        ("cat <<-EOF\n{}\n", "a here-document"),
        ("cat <<{}\n", "the name of a here-document"),
        ("cat <<< {}", "open"),
    ],
)
def test_contexts(command: str, context: str) -> None:
    assert contexts(command.replace("{}", PLACE)) == [context]


def test_layouts_entries_and_other_types() -> None:
    values: dict[str, Any] = {"m": 400.0, "f": ["a", "b c"], "d": {"k": 1}, "t": True, "n": None}
    template = 'run {m:.1f} {f} {f[1]} {d[k]} {t} {n} {m!r} {{m}} "{f}"'
    said = "run 400.0 a 'b c' 'b c' 1 True None 400.0 {m} \"a b c\""
    assert shell_command(template, values) == said
    assert names_in(template) == ["m", "f", "d", "t", "n"]
    assert plain_text("{workdir}/{f[0]}.root", {"workdir": "/w", **values}) == "/w/a.root"
    assert shell_command("run {none} {empty}", {"none": [], "empty": ""}) == "run  ''"


def test_a_credential_is_left_to_the_shell() -> None:
    values = {"token": Verbatim("${TOKEN}"), "known": Verbatim("<skim.file>", is_variable=False)}
    command = "get {token} \"{token}\" 'a {token}' {known}"
    assert (
        shell_command(command, values)
        == 'get "${TOKEN}" "${TOKEN}" \'a \'"${TOKEN}"\'\' <skim.file>'
    )
    with pytest.raises(InputError, match="a credential, which is not written into a script"):
        other_script("x = '{token}'", values)


@pytest.mark.parametrize(
    ("template", "value", "message"),
    [
        ("run {", 1, "Write {{ and }} for braces"),
        ("run {x.a}", 1, "is no placeholder: a name"),
        ("run {x:{y}}", 1, "is no placeholder: a name"),
        ("run {x:>9999999999}", 1, "is no placeholder: a name"),
        ("run `{x}`", 1, "stands in backticks, where no quoting"),
        ("run {x}\0", 1, "there is a NUL sign in the command"),
        ("run {x[2]}", [1], r"has no entry \[2\]"),
        ("run {x[k]}", "text", r"has no entry \[k\]"),
        ("run {x}", {"k": 1}, "is a mapping; name an entry"),
        ("run {x:d}", "text", "can't be written there"),
        ("run {x}", "\ud800", "can't be written there"),
        ("run {x}", "a\0b", "holds a NUL sign"),
    ],
)
def test_what_is_no_command(template: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        shell_command(template, {"x": value})


def test_scripts_of_other_languages_take_harmless_values_only() -> None:
    assert (
        other_script("print('{x}', {n})", {"x": "a/b ü.root", "n": [1, 2]})
        == "print('a/b ü.root', 1 2)"
    )
    for value in ("'", '"', "\\", "a\nb", "f()", "#"):
        with pytest.raises(InputError, match="only a shell's script takes any value"):
            other_script("print('{x}')", {"x": value})
    shells = ["bash", "/bin/sh -e", "env bash", "python", "/usr/bin/env python3", "bash -x"]
    assert [is_shell(one) for one in shells] == [True, True, True, False, False, True]
